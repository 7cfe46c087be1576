//! Where jobs come from and answers go to.

use std::{error::Error, future::Future, time::Duration};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::job::Offer;

/// Where jobs come from and answers go to: the platform, the local API, or a fake in tests.
///
/// Each method makes one attempt; the worker repeats what may succeed later. Dropping a future may lose
/// what it was about to return.
pub trait JobSource: Send + Sync + 'static {
    /// Waits until there is work, or until the source has waited long enough; then the list is empty.
    /// Once `stop` is cancelled it does not wait any longer, but returns what has begun to arrive.
    fn take(
        &self,
        request: TakeRequest,
        stop: &CancellationToken,
    ) -> impl Future<Output = Result<Vec<Offer>, SourceError>> + Send;

    /// Waits for the ids of jobs that shall not go on.
    fn stop_signals(&self) -> impl Future<Output = Result<Vec<String>, SourceError>> + Send;

    /// Hands over one body that belongs to a job.
    fn post(&self, post: &Post) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Says that this worker is alive and which jobs it has. It is called on a thread and a runtime of
    /// its own, which nothing else waits for.
    fn ping(&self, active_jobs: &[String]) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Says, as well as it can be said, that this worker will take no jobs.
    fn report_unhealthy(
        &self,
        check: &str,
        reason: &str,
    ) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Whether there is anybody to ping.
    fn wants_pings(&self) -> bool;
}

/// What is asked of a take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakeRequest {
    /// At least 1.
    pub max_jobs: usize,
    /// Whether this worker has jobs at this moment.
    pub job_in_progress: bool,
}

/// One body that belongs to a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// The job.
    pub job_id: String,
    /// What the body is.
    pub kind: PostKind,
    /// JSON in UTF-8.
    pub body: Bytes,
}

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostKind {
    /// The end of a job.
    Result {
        /// Whether parts were posted before.
        is_stream: bool,
    },
    /// How far a job is.
    Progress,
    /// One part of a stream.
    StreamPart,
}

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The server refused, or could not serve, the request.
    #[error("the control plane answered with status {status}")]
    Status {
        /// HTTP status.
        status: u16,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
    /// There was no answer.
    #[error("the control plane could not be reached")]
    Unreachable(#[source] Box<dyn Error + Send + Sync>),
    /// There was no answer in time.
    #[error("the control plane did not answer within {after:?}")]
    TimedOut {
        /// How long was waited.
        after: Duration,
    },
    /// The answer is not what the protocol says.
    #[error("the answer of the control plane is no list of jobs ({bytes} bytes)")]
    Malformed {
        /// Size of the body.
        bytes: usize,
        /// Where it stops making sense.
        #[source]
        source: Option<serde_json::Error>,
    },
    /// The answer is too large to be read.
    #[error("the answer of the control plane exceeds {limit} bytes")]
    TooLarge {
        /// What may be read.
        limit: usize,
    },
    /// The platform gave no address for this.
    #[error("the platform gave no address for {what}; {variable} is not set")]
    NoAddress {
        /// What cannot be sent.
        what: &'static str,
        /// Where the address would have been.
        variable: &'static str,
    },
}

impl SourceError {
    /// The HTTP status, if there is one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        if let Self::Status { status, .. } = self {
            Some(*status)
        } else {
            None
        }
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        if let Self::Status { retry_after, .. } = self {
            *retry_after
        } else {
            None
        }
    }
}
