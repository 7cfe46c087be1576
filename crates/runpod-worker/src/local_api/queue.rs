//! The queue behind the local API. It is a source of jobs like the platform, so the same worker serves it.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::Deserialize;
use serde_json::Value;
use tokio::{
    sync::{Notify, watch},
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    LocalLimits,
    entry::{BYTES_BESIDES, Entry, Status, View},
    webhook,
};
use crate::{
    job::{Job, Offer},
    source::{JobSource, Post, PostKind, SourceError, TakeRequest},
};

/// How long a poll of the worker waits, and how often the queue is swept when nobody calls.
const HOLD: Duration = Duration::from_secs(20);

/// The queue behind the local API.
#[derive(Debug)]
pub struct LocalQueue {
    limits: LocalLimits,
    state: Mutex<State>,
    work: Notify,
    stops: Notify,
}

#[derive(Debug, Default)]
struct State {
    closed: bool,
    jobs: HashMap<String, Entry>,
    waiting: VecDeque<String>,
    to_stop: Vec<String>,
    /// When which result is forgotten.
    expiries: BTreeSet<(Instant, String)>,
    kept_bytes: usize,
    totals: Totals,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) completed: usize,
    pub(super) failed: usize,
    pub(super) retried: usize,
    pub(super) in_queue: usize,
    pub(super) in_progress: usize,
}

/// Why a job was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("the queue is full; try again later")]
    Full,
    #[error("the worker is about to end")]
    Closed,
}

impl LocalQueue {
    pub(super) fn new(limits: LocalLimits) -> Self {
        Self {
            limits,
            state: Mutex::default(),
            work: Notify::new(),
            stops: Notify::new(),
        }
    }

    pub(super) fn limits(&self) -> &LocalLimits {
        &self.limits
    }

    pub(super) fn submit(
        &self,
        job: Job,
        input_bytes: usize,
        keep: Duration,
    ) -> Result<View, Refused> {
        let bytes = input_bytes + BYTES_BESIDES;
        let mut state = self.lock();
        state.sweep(&self.limits, 0);
        if state.closed {
            return Err(Refused::Closed);
        }
        if state.waiting.len() >= self.limits.max_waiting || bytes > self.limits.max_kept_bytes {
            return Err(Refused::Full);
        }
        state.sweep(&self.limits, bytes);
        if state.kept_bytes + bytes > self.limits.max_kept_bytes {
            return Err(Refused::Full);
        }
        let id = job.id.clone();
        let entry = Entry::new(job, input_bytes, keep);
        let view = entry.view(&id);
        state.kept_bytes += bytes;
        state.waiting.push_back(id.clone());
        state.jobs.insert(id, entry);
        drop(state);
        self.work.notify_one();
        Ok(view)
    }

    pub(super) fn view(&self, id: &str) -> Option<View> {
        let mut state = self.lock();
        state.sweep(&self.limits, 0);
        state.jobs.get(id).map(|entry| entry.view(id))
    }

    /// Waits for the end of the job, for so long at most.
    pub(super) async fn wait_for_end(&self, id: &str, time: Duration) -> Option<View> {
        let ended = |entry: &mut Entry| entry.status.is_final().then_some(());
        // Whether it ended or the time ran out: the view says which.
        drop(timeout(time, self.wait_for(id, ended)).await);
        self.view(id)
    }

    /// Parts that no client has read yet; waits for the first, for so long at most.
    pub(super) async fn parts(&self, id: &str, time: Duration) -> Option<(Status, Vec<Value>)> {
        let news = |entry: &mut Entry| {
            let any = !entry.parts.is_empty() || entry.status.is_final();
            any.then(|| entry.parts.drain(..).collect::<Vec<_>>())
        };
        let parts = timeout(time, self.wait_for(id, news)).await;
        let parts = parts.unwrap_or_default().unwrap_or_default();
        self.view(id).map(|view| (view.status, parts))
    }

    /// Waits until `found` returns something. `None`: there is no such job.
    async fn wait_for<T>(&self, id: &str, found: impl Fn(&mut Entry) -> Option<T>) -> Option<T> {
        loop {
            let mut changes: watch::Receiver<()> = {
                let mut state = self.lock();
                let entry = state.jobs.get_mut(id)?;
                if let Some(value) = found(entry) {
                    return Some(value);
                }
                entry.changed.subscribe()
            };
            changes.changed().await.ok()?;
        }
    }

    pub(super) fn cancel(&self, id: &str) -> Option<View> {
        let mut state = self.lock();
        let status = state.jobs.get(id)?.status;
        if !status.is_final() {
            state.end(id, Status::Cancelled);
            if status == Status::InProgress {
                state.to_stop.push(id.to_owned());
                self.stops.notify_one();
            } else {
                state.waiting.retain(|waiting| waiting != id);
            }
        }
        let entry = state.jobs.get(id)?;
        let view = entry.view(id);
        let hook = self.hook_of(entry);
        drop(state);
        if !status.is_final() {
            webhook::call(hook, &view);
        }
        Some(view)
    }

    /// Runs a failed job again. `Err`: it has not failed, or is not there any more.
    pub(super) fn retry(&self, id: &str) -> Option<Result<View, Status>> {
        let mut state = self.lock();
        let entry = state.jobs.get_mut(id)?;
        if !matches!(entry.status, Status::Failed | Status::TimedOut) {
            return Some(Err(entry.status));
        }
        let expiry = entry.expiry.take();
        entry.restart();
        let view = entry.view(id);
        state.totals.retried += 1;
        if let Some(expiry) = expiry {
            state.expiries.remove(&(expiry, id.to_owned()));
        }
        state.waiting.push_back(id.to_owned());
        drop(state);
        self.work.notify_one();
        Some(Ok(view))
    }

    /// Cancels all jobs that nobody has taken, and returns how many there were.
    pub(super) fn purge(&self) -> usize {
        let mut state = self.lock();
        let waiting = std::mem::take(&mut state.waiting);
        for id in &waiting {
            state.end(id, Status::Cancelled);
        }
        waiting.len()
    }

    /// Takes no more jobs. Those that wait are cancelled, those that run go on.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.purge();
    }

    pub(super) fn totals(&self) -> Totals {
        let state = self.lock();
        let running = state
            .jobs
            .values()
            .filter(|entry| entry.status == Status::InProgress);
        Totals {
            in_queue: state.waiting.len(),
            in_progress: running.count(),
            ..state.totals
        }
    }

    fn try_take(&self, max_jobs: usize) -> Vec<Offer> {
        let mut state = self.lock();
        state.sweep(&self.limits, 0);
        let mut offers = Vec::new();
        while offers.len() < max_jobs
            && let Some(id) = state.waiting.pop_front()
        {
            let Some(entry) = state.jobs.get_mut(&id) else {
                continue;
            };
            let Some(job) = entry.job.clone() else {
                continue;
            };
            entry.status = Status::InProgress;
            entry.taken = Some(Instant::now());
            entry.changed.send_replace(());
            offers.push(Offer::Job(Box::new(job)));
        }
        offers
    }

    fn finish(&self, id: &str, body: ResultBody, bytes: usize) {
        let mut state = self.lock();
        let Some(entry) = state.jobs.get_mut(id) else {
            return;
        };
        if entry.status.is_final() {
            return;
        }
        let timed_out = entry
            .taken
            .zip(entry.job.as_ref())
            .is_some_and(|(taken, job)| {
                job.policy
                    .execution_timeout
                    .is_some_and(|limit| taken.elapsed() >= limit)
            });
        let status = match &body.error {
            Some(_) if timed_out => Status::TimedOut,
            Some(_) => Status::Failed,
            None => Status::Completed,
        };
        (entry.output, entry.error) = (body.output, body.error);
        let freed = if status == Status::Completed {
            std::mem::take(&mut entry.input_bytes)
        } else {
            0
        };
        entry.bytes = entry.bytes + bytes - freed;
        state.kept_bytes = state.kept_bytes + bytes - freed;
        state.end(id, status);
        let Some(entry) = state.jobs.get(id) else {
            return;
        };
        let (view, hook) = (entry.view(id), self.hook_of(entry));
        state.sweep(&self.limits, 0);
        drop(state);
        webhook::call(hook, &view);
    }

    fn hook_of(&self, entry: &Entry) -> Option<String> {
        entry.webhook.clone().filter(|_| self.limits.webhooks)
    }

    /// Changes a job that has not ended. It occupies so many bytes more afterwards.
    fn change(&self, id: &str, more_bytes: usize, change: impl FnOnce(&mut Entry)) {
        let mut state = self.lock();
        if let Some(entry) = state
            .jobs
            .get_mut(id)
            .filter(|entry| !entry.status.is_final())
        {
            change(entry);
            entry.bytes += more_bytes;
            entry.changed.send_replace(());
            state.kept_bytes += more_bytes;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn end(&mut self, id: &str, status: Status) {
        if let Some(entry) = self.jobs.get_mut(id) {
            let expiry = entry.end(status);
            self.expiries.insert((expiry, id.to_owned()));
            match status {
                Status::Completed => self.totals.completed += 1,
                Status::Failed | Status::TimedOut => self.totals.failed += 1,
                Status::InQueue | Status::InProgress | Status::Cancelled => {}
            }
        }
    }

    /// Forgets what is too old, and the next to be forgotten while there is not so much room.
    fn sweep(&mut self, limits: &LocalLimits, room: usize) {
        let now = Instant::now();
        let over_time = |entry: &Entry| {
            let limit = entry.job.as_ref().and_then(|job| job.policy.time_to_live);
            entry.status == Status::InQueue
                && now - entry.created >= limit.unwrap_or(limits.time_to_live)
        };
        while let Some(id) = self.waiting.front()
            && self.jobs.get(id).is_none_or(over_time)
        {
            if let Some(id) = self.waiting.pop_front() {
                self.forget(&id);
            }
        }
        while let Some((expiry, _)) = self.expiries.first()
            && (*expiry <= now || self.kept_bytes + room > limits.max_kept_bytes)
        {
            if let Some((_, id)) = self.expiries.pop_first() {
                self.forget(&id);
            }
        }
    }

    fn forget(&mut self, id: &str) {
        if let Some(entry) = self.jobs.remove(id) {
            self.kept_bytes = self.kept_bytes.saturating_sub(entry.bytes);
        }
    }
}

#[derive(Deserialize)]
struct ResultBody {
    // A result that is `null` is a result all the same.
    #[serde(default, deserialize_with = "present")]
    output: Option<Value>,
    error: Option<Value>,
}

fn present<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(value).map(Some)
}

impl JobSource for LocalQueue {
    async fn take(
        &self,
        request: TakeRequest,
        stop: &CancellationToken,
    ) -> Result<Vec<Offer>, SourceError> {
        let deadline = Instant::now() + HOLD;
        loop {
            let offers = self.try_take(request.max_jobs);
            if !offers.is_empty() {
                // There may be more than was asked for.
                self.work.notify_one();
                return Ok(offers);
            }
            tokio::select! {
                () = self.work.notified() => {}
                () = stop.cancelled() => return Ok(Vec::new()),
                () = tokio::time::sleep_until(deadline) => return Ok(Vec::new()),
            }
        }
    }

    async fn stop_signals(&self) -> Result<Vec<String>, SourceError> {
        loop {
            let ids = std::mem::take(&mut self.lock().to_stop);
            if !ids.is_empty() {
                return Ok(ids);
            }
            self.stops.notified().await;
        }
    }

    async fn post(&self, post: &Post) -> Result<(), SourceError> {
        let bytes = post.body.len();
        let malformed = |source| SourceError::Malformed { bytes, source: Some(source) };
        let body: ResultBody = serde_json::from_slice(&post.body).map_err(malformed)?;
        match post.kind {
            PostKind::Result { .. } => self.finish(&post.job_id, body, bytes),
            // The last one replaces those before it.
            PostKind::Progress => {
                self.change(&post.job_id, 0, |entry| entry.progress = body.output)
            }
            PostKind::StreamPart => {
                self.change(&post.job_id, bytes, |entry| entry.parts.extend(body.output));
            }
        }
        Ok(())
    }

    async fn ping(&self, _active_jobs: &[String]) -> Result<(), SourceError> {
        Ok(())
    }

    async fn report_unhealthy(&self, _check: &str, _reason: &str) -> Result<(), SourceError> {
        Ok(())
    }

    fn wants_pings(&self) -> bool {
        false
    }
}
