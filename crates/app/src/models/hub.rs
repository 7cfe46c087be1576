use std::{io::Read, time::Duration};

use ureq::{
    Agent, Body,
    http::{HeaderMap, Response, StatusCode, Uri},
};

use super::{KnownFile, KnownModel, error::ModelsError, settings::HubSettings};

/// Redirects within the hub, such as those of a renamed repository.
const MAX_REDIRECTS: usize = 5;

/// The Hugging Face hub, or a mirror of it.
#[derive(Debug)]
pub(super) struct Hub<'a> {
    settings: &'a HubSettings,
    agent: Agent,
}

/// What the hub says of a file.
#[derive(Debug)]
pub(super) struct RemoteFile {
    /// Where it can be read.
    url: String,
    /// The name of its content: the SHA-256 of large files, the one of git for others.
    pub(super) etag: String,
    /// The commit that `main` is now.
    pub(super) commit: String,
    pub(super) bytes: u64,
}

/// The bytes of a file from a place on.
pub(super) struct RemoteBytes {
    /// The place, which is not the one asked for if the server cannot resume.
    pub(super) start: u64,
    pub(super) reader: Box<dyn Read>,
}

impl<'a> Hub<'a> {
    pub(super) fn new(settings: &'a HubSettings) -> Self {
        let patience = settings.request_timeout;
        let config = Agent::config_builder()
            .user_agent(concat!("f5tts/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .https_only(settings.hf_endpoint.starts_with("https:"))
            .timeout_connect(Some(patience))
            .timeout_recv_response(Some(patience.saturating_add(Duration::from_secs(1))))
            .timeout_per_read(Some(patience));
        Self { settings, agent: config.build().into() }
    }

    /// Asks for the size and the name of a file's content.
    ///
    /// The hub answers with both and sends on to another server for the content.
    pub(super) fn ask(
        &self,
        model: &KnownModel,
        file: &KnownFile,
    ) -> Result<RemoteFile, ModelsError> {
        let endpoint = &self.settings.hf_endpoint;
        let mut url = format!("{endpoint}/{}/resolve/main/{}", model.repository, file.path);
        let mut response = self.head(&url, file)?;
        for _ in 0..MAX_REDIRECTS {
            let Some(path) = relative_location(&response) else {
                break;
            };
            url = format!("{endpoint}{path}");
            response = self.head(&url, file)?;
        }
        let status = response.status();
        if !status.is_success() && !status.is_redirection() {
            return Err(self.refused(file, status));
        }
        self.describe(url, response.headers(), file)
    }

    /// Reads a file from `start` on, if the server can do that.
    pub(super) fn read(
        &self,
        remote: &RemoteFile,
        start: u64,
        file: &KnownFile,
    ) -> Result<RemoteBytes, ModelsError> {
        let mut request = self
            .agent
            .get(&remote.url)
            .header("accept-encoding", "identity");
        if let Some(authorization) = self.authorization() {
            // It is dropped on the way to the other server.
            request = request.header("authorization", authorization);
        }
        if start > 0 {
            request = request.header("range", format!("bytes={start}-"));
        }
        let response = request
            .call()
            .map_err(|error| self.unreachable(file, error))?;
        let start = match response.status() {
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT => range_start(response.headers())
                .filter(|sent| *sent == start)
                .ok_or_else(|| self.no_hub(file, "another range than was asked for"))?,
            status => return Err(self.refused(file, status)),
        };
        Ok(RemoteBytes { start, reader: Box::new(response.into_body().into_reader()) })
    }

    fn head(&self, url: &str, file: &KnownFile) -> Result<Response<Body>, ModelsError> {
        let mut request = self.agent.head(url).config().max_redirects(0).build();
        request = request.header("accept-encoding", "identity");
        if let Some(authorization) = self.authorization() {
            request = request.header("authorization", authorization);
        }
        request
            .call()
            .map_err(|error| self.unreachable(file, error))
    }

    fn describe(
        &self,
        url: String,
        headers: &HeaderMap,
        file: &KnownFile,
    ) -> Result<RemoteFile, ModelsError> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let etag = text("x-linked-etag").or_else(|| text("etag"));
        let etag = etag.map(|etag| etag.trim_start_matches("W/").trim_matches('"').to_owned());
        let bytes = text("x-linked-size").or_else(|| text("content-length"));
        Ok(RemoteFile {
            url,
            etag: etag
                .filter(|etag| is_plain_name(etag))
                .ok_or_else(|| self.no_hub(file, "no valid entity tag"))?,
            commit: text("x-repo-commit")
                .filter(|commit| is_plain_name(commit))
                .ok_or_else(|| self.no_hub(file, "no valid commit"))?
                .to_owned(),
            bytes: bytes
                .and_then(|bytes| bytes.parse().ok())
                .ok_or_else(|| self.no_hub(file, "no size"))?,
        })
    }

    fn authorization(&self) -> Option<String> {
        let token = self.settings.hf_token.as_ref()?;
        Some(format!("Bearer {}", token.reveal()))
    }

    fn unreachable(&self, file: &KnownFile, error: ureq::Error) -> ModelsError {
        ModelsError::Unreachable {
            endpoint: self.settings.hf_endpoint.clone(),
            file: file.path.to_owned(),
            advice: "is there a network, and does a proxy need to be set?".to_owned(),
            source: Box::new(error),
        }
    }

    fn refused(&self, file: &KnownFile, status: StatusCode) -> ModelsError {
        let advice = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                "accept the terms of the repository in a browser, and set HF_TOKEN to a token that may read it"
            }
            StatusCode::NOT_FOUND => {
                "the file was moved or removed, the name of the repository is wrong, or the mirror does not have it"
            }
            StatusCode::TOO_MANY_REQUESTS => "wait some minutes, or set HF_TOKEN",
            _ => "try again later",
        };
        ModelsError::Refused {
            endpoint: self.settings.hf_endpoint.clone(),
            file: file.path.to_owned(),
            status: status.as_u16(),
            advice,
        }
    }

    fn no_hub(&self, file: &KnownFile, problem: &'static str) -> ModelsError {
        ModelsError::NoHub {
            endpoint: self.settings.hf_endpoint.clone(),
            file: file.path.to_owned(),
            problem,
        }
    }
}

/// The path of a redirect that stays on the server; others lead to the content.
fn relative_location(response: &Response<Body>) -> Option<String> {
    if !response.status().is_redirection() {
        return None;
    }
    let location = response.headers().get("location")?.to_str().ok()?;
    let uri: Uri = location.parse().ok()?;
    let path = uri.path_and_query()?.as_str();
    (uri.host().is_none() && path.starts_with('/')).then(|| path.to_owned())
}

/// The first number of a header such as `content-range: bytes 5-9/10`.
fn range_start(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get("content-range")?.to_str().ok()?;
    range
        .strip_prefix("bytes ")?
        .split('-')
        .next()?
        .parse()
        .ok()
}

/// Whether a text from the network can be a file name without any harm.
fn is_plain_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=128).contains(&text.len()) && text.bytes().all(plain)
}
