//! The platform's control plane over HTTP.

use std::{sync::Arc, time::Duration};

use reqwest::{Client, RequestBuilder, Response, StatusCode, header, redirect};
use serde::Deserialize;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    job::Offer,
    settings::{ApiKey, Settings, Timeouts},
    source::{JobSource, Post, PostKind, SourceError, TakeRequest},
    urls::{Urls, encoded, with_query},
};

/// The version of the protocol that is spoken: that of the official SDK.
const PROTOCOL_VERSION: &str = "1.12.0";
const USER_AGENT: &str = concat!("runpod-worker/", env!("CARGO_PKG_VERSION"));
/// How long an open poll may still bring a job after the worker was told to end.
const LAST_CHANCE: Duration = Duration::from_millis(100);
/// The platform takes requests of up to 20 MB.
const MAX_BYTES_PER_JOB: usize = 32 << 20;
/// More than this is never read, however many jobs were asked for.
const MAX_TAKE_BYTES: usize = 512 << 20;
const MAX_STOP_BYTES: usize = 1 << 20;
/// The official worker cuts its list there too.
const MAX_PING_IDS_BYTES: usize = 64 << 10;
/// As the official worker: idle connections are not worth keeping for longer.
const IDLE_CONNECTION: Duration = Duration::from_secs(15);

/// The platform's control plane over HTTP.
#[derive(Clone, Debug)]
pub struct ControlPlane {
    polls: Client,
    posts: Client,
    /// Connections belong to the runtime that opened them, and pings have a runtime of their own.
    pings: Client,
    urls: Arc<Urls>,
    key: Option<ApiKey>,
    ping_interval: Duration,
    timeouts: Timeouts,
}

/// The control plane cannot be talked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlPlaneError {
    /// There is none.
    #[error("there is no control plane: RUNPOD_WEBHOOK_GET_JOB is not set")]
    NoUrls,
    /// Results would have nowhere to go.
    #[error("results have nowhere to go: RUNPOD_WEBHOOK_POST_OUTPUT is not set")]
    NoResultUrl,
    /// No certificates, most likely.
    #[error("cannot set up an HTTP client; is the package `ca-certificates` installed?")]
    Client(#[source] reqwest::Error),
}

impl ControlPlane {
    /// Prepares the connections; none is opened yet.
    ///
    /// # Errors
    /// [`ControlPlaneError`]
    pub fn new(settings: &Settings) -> Result<Self, ControlPlaneError> {
        let urls = settings.urls.clone().ok_or(ControlPlaneError::NoUrls)?;
        if urls.done("", false).is_none() {
            return Err(ControlPlaneError::NoResultUrl);
        }
        let timeouts = settings.timeouts;
        let client = |redirects: redirect::Policy| {
            http_client(timeouts.connect, redirects).map_err(ControlPlaneError::Client)
        };
        // A redirected POST must stay a POST with its body, which only these two statuses promise.
        let resend = redirect::Policy::custom(|attempt| match attempt.status() {
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
                if attempt.previous().len() < 5 =>
            {
                attempt.follow()
            }
            _ => attempt.stop(),
        });
        Ok(Self {
            polls: client(redirect::Policy::limited(5))?,
            posts: client(resend)?,
            pings: client(redirect::Policy::limited(5))?,
            urls: Arc::new(urls),
            key: settings.api_key.clone(),
            ping_interval: settings.ping_interval,
            timeouts,
        })
    }

    fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.key {
            Some(key) => request.header(header::AUTHORIZATION, key.expose()),
            None => request,
        }
    }

    fn poll(&self, url: &str) -> RequestBuilder {
        self.authorized(self.polls.get(url))
            .header(header::CONTENT_TYPE, "application/json")
            .timeout(self.timeouts.poll)
    }

    async fn send_ping(&self, url: String) -> Result<(), SourceError> {
        let limit = self.ping_interval * 2;
        let request = self.authorized(self.pings.get(url)).timeout(limit);
        send(request, limit).await.map(drop)
    }
}

impl JobSource for ControlPlane {
    async fn take(
        &self,
        request: TakeRequest,
        stop: &CancellationToken,
    ) -> Result<Vec<Offer>, SourceError> {
        let url = self.urls.take(request.max_jobs, request.job_in_progress);
        let stopped = async {
            stop.cancelled().await;
            // A job that the server has just sent may be in the socket already.
            sleep(LAST_CHANCE).await;
        };
        let answer = tokio::select! {
            biased;
            answer = send(self.poll(&url), self.timeouts.poll) => answer,
            () = stopped => return Ok(Vec::new()),
        };
        let response = match answer {
            Ok(response) => response,
            // "Nothing", to a worker that was kept warm.
            Err(SourceError::Status { status: 400, .. }) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(Vec::new());
        }
        let limit = MAX_BYTES_PER_JOB
            .saturating_mul(request.max_jobs)
            .min(MAX_TAKE_BYTES);
        let body = read(response, limit, self.timeouts.poll).await?;
        if body.trim_ascii().is_empty() {
            return Err(SourceError::Malformed { bytes: body.len(), source: None });
        }
        Offer::parse(&body)
            .map_err(|source| SourceError::Malformed { bytes: body.len(), source: Some(source) })
    }

    async fn stop_signals(&self) -> Result<Vec<String>, SourceError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Stops {
            jobs_to_stop: Vec<serde_json::Value>,
        }
        let url = self.urls.stop().ok_or(SourceError::NoAddress {
            what: "stop signals",
            variable: "a RUNPOD_WEBHOOK_GET_JOB with /job-take/",
        })?;
        let response = send(self.poll(&url), self.timeouts.poll).await?;
        let body = read(response, MAX_STOP_BYTES, self.timeouts.poll).await?;
        let ids = serde_json::from_slice::<Stops>(&body).map(|stops| stops.jobs_to_stop);
        let texts = ids.unwrap_or_default().into_iter();
        Ok(texts
            .filter_map(|id| id.as_str().map(str::to_owned))
            .collect())
    }

    async fn post(&self, post: &Post) -> Result<(), SourceError> {
        let (url, limit) = match post.kind {
            PostKind::Result { is_stream } => {
                (self.urls.done(&post.job_id, is_stream), self.timeouts.post)
            }
            PostKind::Progress => (self.urls.done(&post.job_id, false), self.timeouts.progress),
            PostKind::StreamPart => (self.urls.stream(&post.job_id), self.timeouts.post),
        };
        let url = url.ok_or(SourceError::NoAddress {
            what: "parts of streams",
            variable: "RUNPOD_WEBHOOK_POST_STREAM",
        })?;
        let request = self
            .authorized(self.posts.post(url))
            // The body is JSON all the same; the official worker says so and the platform expects it.
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("charset", "utf-8")
            .header("X-Request-ID", encoded(&post.job_id))
            .body(post.body.clone())
            .timeout(limit);
        send(request, limit).await.map(drop)
    }

    async fn ping(&self, active_jobs: &[String]) -> Result<(), SourceError> {
        let Some(url) = self.urls.ping() else {
            return Ok(());
        };
        let mut url = url.to_owned();
        if !active_jobs.is_empty() {
            url = with_query(url, "job_id", &joined(active_jobs));
        }
        self.send_ping(with_query(url, "runpod_version", PROTOCOL_VERSION))
            .await
    }

    async fn report_unhealthy(&self, check: &str, reason: &str) -> Result<(), SourceError> {
        let Some(url) = self.urls.ping() else {
            return Ok(());
        };
        let reason: String = reason.chars().take(256).collect();
        let mut url = with_query(url.to_owned(), "status", "unhealthy");
        url = with_query(url, "check", check);
        url = with_query(url, "reason", &reason);
        self.send_ping(with_query(url, "runpod_version", PROTOCOL_VERSION))
            .await
    }

    fn wants_pings(&self) -> bool {
        self.key.is_some() && self.urls.ping().is_some()
    }
}

/// A client that knows no proxies, since it must not read the environment.
pub(crate) fn http_client(
    connect: Duration,
    redirects: redirect::Policy,
) -> reqwest::Result<Client> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Somebody else may have been faster; then theirs is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
    }
    Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(connect)
        .pool_idle_timeout(IDLE_CONNECTION)
        .tcp_nodelay(true)
        .redirect(redirects)
        .no_proxy()
        .build()
}

async fn send(request: RequestBuilder, limit: Duration) -> Result<Response, SourceError> {
    let response = request.send().await.map_err(|error| failed(error, limit))?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let seconds = response
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    let retry_after = seconds
        .and_then(|text| text.trim().parse().ok())
        .map(Duration::from_secs);
    Err(SourceError::Status { status: status.as_u16(), retry_after })
}

async fn read(
    mut response: Response,
    limit: usize,
    time: Duration,
) -> Result<Vec<u8>, SourceError> {
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| failed(error, time))?
    {
        if body.len() + chunk.len() > limit {
            return Err(SourceError::TooLarge { limit });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn failed(error: reqwest::Error, after: Duration) -> SourceError {
    if error.is_timeout() && !error.is_connect() {
        return SourceError::TimedOut { after };
    }
    // The URL names the endpoint and the worker; it belongs in no log.
    SourceError::Unreachable(Box::new(error.without_url()))
}

fn joined(ids: &[String]) -> String {
    let mut list = String::new();
    for id in ids {
        if list.len() + 1 + id.len() > MAX_PING_IDS_BYTES {
            break;
        }
        if !list.is_empty() {
            list.push(',');
        }
        list.push_str(id);
    }
    list
}
