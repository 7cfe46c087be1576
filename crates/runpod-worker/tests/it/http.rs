//! What goes over the wire, against a server in this process.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, Response},
};
use runpod_worker::{
    ApiKey, ControlPlane, JobSource, Offer, Post, PostKind, Settings, SourceError, TakeRequest,
    UrlTemplates,
};
use tokio::{net::TcpListener, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::fake::SECOND;

/// A server that answers as it was told, and otherwise with 200, and remembers what it was asked.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    answers: VecDeque<Answer>,
    seen: Vec<Seen>,
}

enum Answer {
    Body(u16, &'static str),
    Redirect(u16, &'static str),
    Slow(Duration),
    /// The head at once, the body later.
    Dribbling(Duration, &'static str),
}

#[derive(Clone, Debug)]
struct Seen {
    method: String,
    uri: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Seen {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

async fn serve(State(server): State<Server>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let (method, uri) = (head.method.to_string(), head.uri.to_string());
    let answer = {
        let mut inner = server.0.lock().unwrap();
        inner
            .seen
            .push(Seen { method, uri, headers: head.headers, body });
        inner.answers.pop_front()
    };
    let response = |status: u16| Response::builder().status(status);
    match answer {
        None => response(200).body(Body::empty()),
        Some(Answer::Body(status, body)) => response(status).body(body.into()),
        Some(Answer::Redirect(status, to)) => {
            response(status).header("location", to).body(Body::empty())
        }
        Some(Answer::Slow(time)) => {
            tokio::time::sleep(time).await;
            response(200).body(Body::empty())
        }
        Some(Answer::Dribbling(time, body)) => response(200).body(Body::new(Late {
            rest: Some(body.into()),
            sleep: Box::pin(tokio::time::sleep(time)),
        })),
    }
    .unwrap()
}

struct Late {
    rest: Option<Bytes>,
    sleep: std::pin::Pin<Box<tokio::time::Sleep>>,
}

impl axum::body::HttpBody for Late {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        std::task::ready!(self.sleep.as_mut().poll(context));
        std::task::Poll::Ready(
            self.rest
                .take()
                .map(|rest| Ok(http_body::Frame::data(rest))),
        )
    }
}

impl Server {
    async fn start(answers: Vec<Answer>) -> (Self, ControlPlane) {
        let server = Self::default();
        server.0.lock().unwrap().answers.extend(answers);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/v2/e", listener.local_addr().unwrap());
        let routes = Router::new().fallback(serve).with_state(server.clone());
        tokio::spawn(axum::serve(listener, routes).into_future());
        let mut settings = Settings::default();
        settings.api_key = Some(ApiKey::new("key"));
        settings.timeouts.poll = 5 * SECOND;
        settings.timeouts.post = SECOND;
        let gpu = "gpu=NVIDIA+GeForce+RTX+4090";
        let templates = UrlTemplates {
            take: format!("{base}/job-take/$ID?{gpu}"),
            done: Some(format!("{base}/job-done/$RUNPOD_POD_ID/$ID?{gpu}")),
            stream: Some(format!("{base}/job-stream/$RUNPOD_POD_ID/$ID?{gpu}")),
            ping: Some(format!("{base}/ping/$RUNPOD_POD_ID?{gpu}")),
            gpu_type: None,
        };
        settings.urls = Some(templates.for_worker("w1"));
        (server, ControlPlane::new(&settings).unwrap())
    }

    fn seen(&self) -> Vec<Seen> {
        self.0.lock().unwrap().seen.clone()
    }
}

async fn take(control: &ControlPlane, max_jobs: usize) -> Result<Vec<Offer>, SourceError> {
    let request = TakeRequest { max_jobs, job_in_progress: true };
    control.take(request, &CancellationToken::new()).await
}

fn result(id: &str) -> Post {
    let body = Bytes::from_static(br#"{"output":"ok"}"#);
    Post {
        job_id: id.to_owned(),
        kind: PostKind::Result { is_stream: false },
        body,
    }
}

const JOB: &str = r#"{"id":"a","input":{}}"#;

#[tokio::test]
async fn requests_look_like_those_of_the_official_worker() {
    let (server, control) =
        Server::start(vec![Answer::Body(200, JOB), Answer::Body(204, "")]).await;
    assert_eq!(take(&control, 1).await.unwrap().len(), 1);
    assert_eq!(take(&control, 4).await.unwrap().len(), 0);
    control.post(&result("a b/ü")).await.unwrap();
    control
        .post(&Post { kind: PostKind::StreamPart, ..result("a") })
        .await
        .unwrap();
    control
        .ping(&["a".to_owned(), "b".to_owned()])
        .await
        .unwrap();
    control
        .report_unhealthy("model", "io: no such file")
        .await
        .unwrap();
    control.stop_signals().await.unwrap();
    let seen = server.seen();
    let requests: Vec<_> = seen
        .iter()
        .map(|seen| format!("{} {}", seen.method, seen.uri))
        .collect();
    let gpu = "gpu=NVIDIA+GeForce+RTX+4090";
    assert_eq!(
        requests,
        [
            format!("GET /v2/e/job-take/w1?{gpu}&job_in_progress=1"),
            format!("GET /v2/e/job-take-batch/w1?{gpu}&batch_size=4&job_in_progress=1"),
            format!("POST /v2/e/job-done/w1/a%20b%2F%C3%BC?{gpu}&isStream=false"),
            format!("POST /v2/e/job-stream/w1/a?{gpu}&isStream=false"),
            format!("GET /v2/e/ping/w1?{gpu}&job_id=a%2Cb&runpod_version=1.12.0"),
            format!(
                "GET /v2/e/ping/w1?{gpu}&status=unhealthy&check=model&reason=io%3A%20no%20such%20file&runpod_version=1.12.0"
            ),
            format!("GET /v2/e/job-stop/w1?{gpu}"),
        ]
    );
    assert!(
        seen.iter()
            .all(|seen| seen.header("authorization") == Some("key"))
    );
    assert_eq!(seen[0].header("content-type"), Some("application/json"));
    assert_eq!(seen[0].header("x-request-id"), None);
    assert_eq!(seen[2].header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(seen[2].header("charset"), Some("utf-8"));
    assert_eq!(seen[2].header("x-request-id"), Some("a%20b%2F%C3%BC"));
    assert_eq!(seen[2].body, r#"{"output":"ok"}"#);
    assert!(
        seen[2]
            .header("user-agent")
            .unwrap()
            .starts_with("runpod-worker/")
    );
}

#[tokio::test]
async fn answers_that_are_no_jobs_are_told_apart() {
    let (_, control) = Server::start(vec![
        Answer::Body(400, "flash boot"),
        Answer::Body(200, ""),
        Answer::Body(200, "<html>"),
        Answer::Body(503, "later"),
        Answer::Body(200, "[]"),
    ])
    .await;
    assert_eq!(take(&control, 1).await.unwrap().len(), 0);
    assert!(matches!(
        take(&control, 1).await,
        Err(SourceError::Malformed { bytes: 0, source: None })
    ));
    assert!(matches!(take(&control, 1).await, Err(SourceError::Malformed { bytes: 6, .. })));
    assert_eq!(take(&control, 1).await.unwrap_err().status(), Some(503));
    assert_eq!(take(&control, 1).await.unwrap().len(), 0);
}

#[tokio::test]
async fn stop_signals_are_read_and_nonsense_is_not() {
    let (_, control) = Server::start(vec![
        Answer::Body(200, r#"{"jobsToStop": ["a", 7, null, "b"]}"#),
        Answer::Body(200, "{}"),
        Answer::Body(204, ""),
        Answer::Body(404, ""),
    ])
    .await;
    assert_eq!(control.stop_signals().await.unwrap(), ["a", "b"]);
    assert!(control.stop_signals().await.unwrap().is_empty());
    assert!(control.stop_signals().await.unwrap().is_empty());
    assert_eq!(control.stop_signals().await.unwrap_err().status(), Some(404));
}

#[tokio::test]
async fn a_redirected_result_keeps_its_body_or_is_not_delivered() {
    let (server, control) =
        Server::start(vec![Answer::Redirect(307, "/elsewhere"), Answer::Body(200, "")]).await;
    control.post(&result("a")).await.unwrap();
    let seen = server.seen();
    assert_eq!((seen[1].method.as_str(), seen[1].uri.as_str()), ("POST", "/elsewhere"));
    assert_eq!(seen[1].body, r#"{"output":"ok"}"#);

    let (server, control) = Server::start(vec![Answer::Redirect(302, "/elsewhere")]).await;
    assert_eq!(control.post(&result("a")).await.unwrap_err().status(), Some(302));
    assert_eq!(server.seen().len(), 1);

    let (_, control) =
        Server::start(vec![Answer::Redirect(302, "/v2/new"), Answer::Body(200, JOB)]).await;
    assert_eq!(take(&control, 1).await.unwrap().len(), 1);
}

#[tokio::test]
async fn silence_and_a_closed_port_are_told_apart() {
    let (_, control) = Server::start(vec![Answer::Slow(60 * SECOND)]).await;
    let error = control.post(&result("a")).await.unwrap_err();
    assert!(matches!(error, SourceError::TimedOut { after } if after == SECOND), "{error:?}");

    let port = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut settings = Settings::default();
    let templates = UrlTemplates {
        take: format!("http://127.0.0.1:{port}/job-take/$ID?secret=1"),
        done: Some(format!("http://127.0.0.1:{port}/job-done/$ID")),
        ..UrlTemplates::default()
    };
    settings.urls = Some(templates.for_worker("w1"));
    let control = ControlPlane::new(&settings).unwrap();
    let error = take(&control, 1).await.unwrap_err();
    assert!(matches!(error, SourceError::Unreachable(_)), "{error:?}");
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    assert!(!control.wants_pings());
}

#[tokio::test]
async fn an_open_poll_ends_with_the_worker_but_a_job_on_its_way_is_read() {
    let (_, control) = Server::start(vec![
        Answer::Slow(60 * SECOND),
        Answer::Dribbling(Duration::from_millis(600), JOB),
    ])
    .await;
    let stop = CancellationToken::new();
    let request = TakeRequest { max_jobs: 1, job_in_progress: false };
    let later = stop.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        later.cancel();
    });
    let start = Instant::now();
    assert_eq!(control.take(request, &stop).await.unwrap().len(), 0);
    assert!(start.elapsed() < SECOND);
    // From here on the worker has to end; the head of this answer arrives within the last chance.
    assert_eq!(control.take(request, &stop).await.unwrap().len(), 1);
}

#[test]
fn a_worker_without_addresses_cannot_start() {
    let error = ControlPlane::new(&Settings::default()).unwrap_err();
    assert!(error.to_string().contains("RUNPOD_WEBHOOK_GET_JOB"));
    let mut settings = Settings::default();
    let templates = UrlTemplates {
        take: "http://h/job-take/$ID".to_owned(),
        ..UrlTemplates::default()
    };
    settings.urls = Some(templates.for_worker("w1"));
    let error = ControlPlane::new(&settings).unwrap_err();
    assert!(error.to_string().contains("RUNPOD_WEBHOOK_POST_OUTPUT"));
}
