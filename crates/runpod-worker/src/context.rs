//! What a handler can do while its job runs.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Parts that may wait before a handler has to.
const WAITING_PARTS: usize = 64;

/// What a handler can do while its job runs. Clones share one job.
#[derive(Clone, Debug)]
pub struct Context {
    cancellation: Cancellation,
    parts: mpsc::Sender<Value>,
    progress: watch::Sender<Option<Value>>,
}

/// The other end of a [`Context`].
#[derive(Debug)]
pub(crate) struct Updates {
    pub(crate) parts: mpsc::Receiver<Value>,
    pub(crate) progress: watch::Receiver<Option<Value>>,
}

/// The job takes no more parts: it has ended, or a part could not be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the job takes no more parts")]
pub struct StreamClosed;

impl Context {
    pub(crate) fn new(cancellation: Cancellation) -> (Self, Updates) {
        let (parts, parts_receiver) = mpsc::channel(WAITING_PARTS);
        let (progress, progress_receiver) = watch::channel(None);
        let updates = Updates { parts: parts_receiver, progress: progress_receiver };
        (Self { cancellation, parts, progress }, updates)
    }

    /// Tells whether the job shall go on. A handler should look at it often.
    #[must_use]
    pub fn cancellation(&self) -> &Cancellation {
        &self.cancellation
    }

    /// Tells the client how far the job is. Returns at once; if updates come faster than they can be
    /// sent, only the latest counts. None is sent after the result.
    pub fn progress(&self, update: impl Into<Value>) {
        self.progress.send_replace(Some(update.into()));
    }

    /// Sends a part of the answer while the job goes on. The parts arrive in order, each once it was
    /// acknowledged; waits while too many are on their way. A part may have about 1 MB.
    ///
    /// # Errors
    /// [`StreamClosed`]: the job might as well stop.
    pub async fn stream(&self, part: impl Into<Value>) -> Result<(), StreamClosed> {
        self.parts.send(part.into()).await.map_err(|_| StreamClosed)
    }

    /// As [`Context::stream`], for handlers that block.
    ///
    /// # Errors
    /// As [`Context::stream`].
    ///
    /// # Panics
    /// In async code.
    pub fn stream_blocking(&self, part: impl Into<Value>) -> Result<(), StreamClosed> {
        self.parts
            .blocking_send(part.into())
            .map_err(|_| StreamClosed)
    }
}

/// Tells a job that it shall not go on. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Cancellation {
    token: CancellationToken,
    reason: Arc<OnceLock<CancelReason>>,
}

/// Why a job shall not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CancelReason {
    /// The client or the platform stopped the job. Whatever it returns goes nowhere.
    Stopped,
    /// The job ran for longer than its policy allows.
    TimedOut {
        /// What it was allowed.
        after: Duration,
    },
    /// The worker has to end.
    Shutdown,
}

impl Cancellation {
    /// Whether the job shall not go on.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Returns when the job shall not go on.
    pub async fn cancelled(&self) {
        self.token.cancelled().await;
    }

    /// The first reason that was given.
    #[must_use]
    pub fn reason(&self) -> Option<CancelReason> {
        self.reason.get().copied()
    }

    /// The same as a token of `tokio-util`.
    #[must_use]
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Returns when nobody waits for a result any more.
    pub(crate) async fn stopped(&self) {
        self.cancelled().await;
        if self.reason() != Some(CancelReason::Stopped) {
            std::future::pending().await
        }
    }

    /// Whether this is the first reason, which is the one that counts.
    pub(crate) fn cancel(&self, reason: CancelReason) -> bool {
        let first = self.reason.set(reason).is_ok();
        self.token.cancel();
        first
    }
}
