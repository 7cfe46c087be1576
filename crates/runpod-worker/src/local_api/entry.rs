//! One job of the local queue, as clients see it.

use std::{collections::VecDeque, time::Duration};

use serde::Serialize;
use serde_json::Value;
use tokio::{sync::watch, time::Instant};

use crate::job::Job;

/// The state of a job, as clients read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Status {
    InQueue,
    InProgress,
    Completed,
    Failed,
    Cancelled,
    TimedOut,
}

impl Status {
    pub(super) fn is_final(self) -> bool {
        !matches!(self, Self::InQueue | Self::InProgress)
    }
}

/// What a job occupies beside its texts, roughly.
pub(super) const BYTES_BESIDES: usize = 1024;

#[derive(Debug)]
pub(super) struct Entry {
    /// Kept for as long as it may run again.
    pub(super) job: Option<Job>,
    pub(super) webhook: Option<String>,
    pub(super) status: Status,
    pub(super) output: Option<Value>,
    pub(super) error: Option<Value>,
    pub(super) progress: Option<Value>,
    /// Not yet read by a client.
    pub(super) parts: VecDeque<Value>,
    /// Roughly what the job occupies.
    pub(super) bytes: usize,
    /// What it occupies less once it cannot run again.
    pub(super) input_bytes: usize,
    pub(super) created: Instant,
    pub(super) taken: Option<Instant>,
    pub(super) ended: Option<Instant>,
    keep_result: Duration,
    /// When the result is forgotten.
    pub(super) expiry: Option<Instant>,
    pub(super) changed: watch::Sender<()>,
}

/// What `/status`, `/runsync`, `/cancel` and webhooks show.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct View {
    pub(super) id: String,
    pub(super) status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_time: Option<u128>,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_time: Option<u128>,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker_id: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Value>,
}

impl Entry {
    pub(super) fn new(job: Job, input_bytes: usize, keep_result: Duration) -> Self {
        Self {
            webhook: job.webhook.clone(),
            job: Some(job),
            status: Status::InQueue,
            output: None,
            error: None,
            progress: None,
            parts: VecDeque::new(),
            bytes: input_bytes + BYTES_BESIDES,
            input_bytes,
            created: Instant::now(),
            taken: None,
            ended: None,
            keep_result,
            expiry: None,
            changed: watch::Sender::new(()),
        }
    }

    pub(super) fn view(&self, id: &str) -> View {
        let since = |from: Instant, to: Instant| to.saturating_duration_since(from).as_millis();
        View {
            id: id.to_owned(),
            status: self.status,
            delay_time: self.taken.map(|taken| since(self.created, taken)),
            execution_time: self.taken.zip(self.ended).map(|(from, to)| since(from, to)),
            worker_id: self.taken.map(|_| "local"),
            output: self.output.clone().or_else(|| self.progress.clone()),
            error: self.error.clone(),
        }
    }

    /// Returns when the result is forgotten.
    pub(super) fn end(&mut self, status: Status) -> Instant {
        let now = Instant::now();
        let expiry = now + self.keep_result;
        self.status = status;
        self.ended = Some(now);
        self.expiry = Some(expiry);
        self.progress = None;
        if status == Status::Completed {
            self.job = None;
        }
        self.changed.send_replace(());
        expiry
    }

    pub(super) fn restart(&mut self) {
        self.status = Status::InQueue;
        self.created = Instant::now();
        (self.taken, self.ended) = (None, None);
        (self.output, self.error) = (None, None);
        self.parts.clear();
    }
}
