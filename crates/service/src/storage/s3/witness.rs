//! What went over the wire in an operation, beyond what the client tells.
//!
//! The client keeps neither the code by which a store names an error nor the store's time, and has one timeout for
//! everything. This layer below it notes the former two and sets a timeout by the size of what is sent.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures::StreamExt;
use jiff::{Timestamp, fmt::rfc2822};
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
        HttpService, ReqwestConnector,
    },
};

/// Bytes of an error's text that are looked at.
const MAX_ERROR_BYTES: usize = 64 << 10;
/// The slowest upload that is waited for.
const SLOWEST_UPLOAD_BYTES_PER_S: u64 = 64 << 10;

tokio::task_local! {
    static EXCHANGE: Arc<Mutex<Exchange>>;
}

/// The last answer of an operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Exchange {
    /// The status of HTTP.
    pub(super) status: Option<u16>,
    /// The store's name of the error, such as `NoSuchBucket`.
    pub(super) code: Option<String>,
    /// Where the bucket is, if the store says so.
    pub(super) region: Option<String>,
    /// The store's time.
    pub(super) date: Option<Timestamp>,
    /// There was no answer at all.
    pub(super) is_lost: bool,
}

/// Does `work`, and gives what the store answered last beside its result.
pub(super) async fn witnessed<T>(work: impl Future<Output = T>) -> (T, Exchange) {
    let exchange = Arc::new(Mutex::new(Exchange::default()));
    let done = EXCHANGE.scope(Arc::clone(&exchange), work).await;
    let exchange = lock(&exchange).clone();
    (done, exchange)
}

fn lock(exchange: &Mutex<Exchange>) -> MutexGuard<'_, Exchange> {
    exchange.lock().unwrap_or_else(PoisonError::into_inner)
}

fn note(exchange: Exchange) {
    // Outside of an operation nobody asks.
    EXCHANGE
        .try_with(|current| *lock(current) = exchange)
        .unwrap_or_default();
}

/// Makes clients that note what they see.
#[derive(Debug)]
pub(super) struct WitnessConnector {
    /// Longest wait for an answer, or for more of one.
    pub(super) request_timeout: Duration,
}

impl HttpConnector for WitnessConnector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let connector = ReqwestConnector::default();
        let options = options.clone().with_timeout_disabled();
        let reading = options.clone().with_read_timeout(self.request_timeout);
        // For this timeout an answer that waits for the end of an upload is late.
        let writing = options.with_read_timeout_disabled();
        Ok(HttpClient::new(Witness {
            reading: connector.connect(&reading)?,
            writing: connector.connect(&writing)?,
            request_timeout: self.request_timeout,
        }))
    }
}

#[derive(Debug)]
struct Witness {
    reading: HttpClient,
    writing: HttpClient,
    request_timeout: Duration,
}

impl Witness {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let bytes = request.body().content_length() as u64;
        if bytes == 0 {
            return self.reading.execute(request).await;
        }
        let limit = self.request_timeout + Duration::from_secs(bytes / SLOWEST_UPLOAD_BYTES_PER_S);
        let sent = tokio::time::timeout(limit, self.writing.execute(request)).await;
        sent.map_err(|late| HttpError::new(HttpErrorKind::Timeout, late))?
    }
}

#[async_trait]
impl HttpService for Witness {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let response = match self.send(request).await {
            Ok(response) => response,
            Err(error) => {
                note(Exchange { is_lost: true, ..Exchange::default() });
                return Err(error);
            }
        };
        let header = |name| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let mut exchange = Exchange {
            status: Some(response.status().as_u16()),
            code: None,
            region: header("x-amz-bucket-region").map(str::to_owned),
            date: header("date").and_then(http_date),
            is_lost: false,
        };
        if response.status().is_success() {
            note(exchange);
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        let body = beginning(body.bytes_stream()).await;
        let text = String::from_utf8_lossy(&body);
        exchange.code = element(&text, "Code").map(str::to_owned);
        exchange.region = exchange
            .region
            .or_else(|| element(&text, "Region").map(str::to_owned));
        note(exchange);
        Ok(HttpResponse::from_parts(parts, body.into()))
    }
}

/// What arrives of an error's text, within limits.
async fn beginning(
    mut body: impl futures::Stream<Item = Result<bytes::Bytes, HttpError>> + Unpin,
) -> Vec<u8> {
    let mut begun = Vec::new();
    while let Some(Ok(bytes)) = body.next().await {
        let room = MAX_ERROR_BYTES - begun.len();
        begun.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if begun.len() == MAX_ERROR_BYTES {
            break;
        }
    }
    begun
}

/// A date as HTTP writes it.
fn http_date(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

/// The text of the first element of a name: enough of XML for the errors of S3, whose texts are plain.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (content, _) = rest.split_once(&format!("</{name}>"))?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (content.len() <= 100 && content.chars().all(is_plain)).then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_s3_are_read() {
        let text = "<?xml version=\"1.0\"?><Error><Code>AuthorizationHeaderMalformed</Code>\
                    <Message>the region 'us-east-1' is wrong; expecting 'eu-west-1'</Message>\
                    <Region>eu-west-1</Region></Error>";
        assert_eq!(element(text, "Code"), Some("AuthorizationHeaderMalformed"));
        assert_eq!(element(text, "Region"), Some("eu-west-1"));
        for text in [
            "",
            "<Code>",
            "</Code><Code>",
            "<Code>a\nb</Code>",
            "<Code><x></Code>",
        ] {
            assert_eq!(element(text, "Code"), None, "{text}");
        }
    }

    #[test]
    fn dates_of_http_are_read() {
        let date = http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(date.as_second(), 784_111_777);
        assert_eq!(http_date("yesterday"), None);
    }
}
