//! A platform in memory: it offers what a test wants, fails as a test wants, and remembers everything.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use runpod_worker::{
    Handler, Job, JobSource, Offer, Post, PostKind, Settings, SourceError, TakeRequest, Worker,
    WorkerError,
};
use serde_json::{Value, json};
use tokio::{sync::Notify, task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

/// What happens to an attempt to post.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    Status(u16),
    RetryAfter(u16, u64),
    Dropped,
    /// The body arrives, its acknowledgement does not.
    LostAcknowledgement,
    Slow(Duration),
}

#[derive(Default)]
pub(crate) struct Platform {
    state: Mutex<State>,
    work: Notify,
    stops: Notify,
    posted: Notify,
}

#[derive(Default)]
struct State {
    /// What is on its way, and for how long.
    offers: VecDeque<(Duration, Result<Vec<Offer>, SourceError>)>,
    takes: Vec<(Instant, TakeRequest)>,
    open_takes: usize,
    faults: VecDeque<Fault>,
    attempts: Vec<Instant>,
    posts: Vec<(Instant, Post)>,
    to_stop: Vec<String>,
    /// Said in every answer for stop signals.
    always_to_stop: Vec<String>,
    stop_polls: usize,
    pings: Vec<Vec<String>>,
    unhealthy: Vec<(String, String)>,
}

impl Platform {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Offers jobs with these ids, all in one answer.
    pub(crate) fn offer(&self, ids: &[&str]) {
        self.offer_jobs(ids.iter().map(|id| Job::new(*id, json!({ "name": id }))));
    }

    pub(crate) fn offer_jobs(&self, jobs: impl IntoIterator<Item = Job>) {
        let offers = jobs.into_iter().map(|job| Offer::Job(Box::new(job)));
        self.answer_take(Ok(offers.collect()));
    }

    pub(crate) fn answer_take(&self, answer: Result<Vec<Offer>, SourceError>) {
        self.answer_take_slowly(Duration::ZERO, answer);
    }

    /// The answer has begun to arrive, but takes so long.
    pub(crate) fn answer_take_slowly(
        &self,
        time: Duration,
        answer: Result<Vec<Offer>, SourceError>,
    ) {
        self.state().offers.push_back((time, answer));
        self.work.notify_one();
    }

    pub(crate) fn fail_posts(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state().faults.extend(faults);
    }

    pub(crate) fn stop_job(&self, id: &str) {
        self.state().to_stop.push(id.to_owned());
        self.stops.notify_one();
    }

    /// Says so without end.
    pub(crate) fn nag_to_stop(&self, id: &str) {
        self.state().always_to_stop.push(id.to_owned());
        self.stops.notify_one();
    }

    pub(crate) fn stop_polls(&self) -> usize {
        self.state().stop_polls
    }

    pub(crate) fn takes(&self) -> Vec<TakeRequest> {
        self.state()
            .takes
            .iter()
            .map(|(_, request)| *request)
            .collect()
    }

    pub(crate) fn take_times(&self) -> Vec<Instant> {
        self.state().takes.iter().map(|(time, _)| *time).collect()
    }

    pub(crate) fn attempts(&self) -> Vec<Instant> {
        self.state().attempts.clone()
    }

    pub(crate) fn pings(&self) -> Vec<Vec<String>> {
        self.state().pings.clone()
    }

    pub(crate) fn unhealthy(&self) -> Vec<(String, String)> {
        self.state().unhealthy.clone()
    }

    /// What arrived: id, kind, body.
    pub(crate) fn posts(&self) -> Vec<(String, PostKind, Value)> {
        let posts = self.state().posts.clone();
        let read = |(_, post): (Instant, Post)| {
            (post.job_id, post.kind, serde_json::from_slice(&post.body).unwrap())
        };
        posts.into_iter().map(read).collect()
    }

    /// Final results: id and body.
    pub(crate) fn results(&self) -> Vec<(String, Value)> {
        let of_kind =
            |(id, kind, body)| matches!(kind, PostKind::Result { .. }).then_some((id, body));
        self.posts().into_iter().filter_map(of_kind).collect()
    }

    /// Waits until so many results have arrived.
    pub(crate) async fn results_arrived(&self, count: usize) -> Vec<(String, Value)> {
        loop {
            let next = self.posted.notified();
            let results = self.results();
            if results.len() >= count {
                return results;
            }
            next.await;
        }
    }

    /// Waits until a poll is open.
    pub(crate) async fn poll_is_open(&self) {
        while self.state().open_takes == 0 {
            tokio::task::yield_now().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

struct OpenTake<'a>(&'a Platform);

impl Drop for OpenTake<'_> {
    fn drop(&mut self) {
        self.0.state().open_takes -= 1;
    }
}

impl JobSource for Platform {
    async fn take(
        &self,
        request: TakeRequest,
        stop: &CancellationToken,
    ) -> Result<Vec<Offer>, SourceError> {
        {
            let mut state = self.state();
            state.takes.push((Instant::now(), request));
            state.open_takes += 1;
            assert_eq!(state.open_takes, 1, "only one poll at a time");
        }
        let _open = OpenTake(self);
        loop {
            let offer = self.state().offers.pop_front();
            if let Some((time, answer)) = offer {
                if !time.is_zero() {
                    tokio::time::sleep(time).await;
                }
                return answer;
            }
            tokio::select! {
                // What was offered before the worker was told to end is on its way.
                biased;
                () = self.work.notified() => {}
                () = stop.cancelled() => return Ok(Vec::new()),
            }
        }
    }

    async fn stop_signals(&self) -> Result<Vec<String>, SourceError> {
        self.state().stop_polls += 1;
        loop {
            let mut ids = std::mem::take(&mut self.state().to_stop);
            ids.extend_from_slice(&self.state().always_to_stop);
            if !ids.is_empty() {
                return Ok(ids);
            }
            self.stops.notified().await;
        }
    }

    async fn post(&self, post: &Post) -> Result<(), SourceError> {
        let fault = {
            let mut state = self.state();
            state.attempts.push(Instant::now());
            state.faults.pop_front()
        };
        let record = || {
            self.state().posts.push((Instant::now(), post.clone()));
            self.posted.notify_waiters();
        };
        let status = |status, after: Option<u64>| {
            let retry_after = after.map(Duration::from_secs);
            Err(SourceError::Status { status, retry_after })
        };
        let reset = || Err(SourceError::Unreachable("connection reset".into()));
        match fault {
            None => record(),
            Some(Fault::Slow(time)) => {
                tokio::time::sleep(time).await;
                record();
            }
            Some(Fault::Status(code)) => return status(code, None),
            Some(Fault::RetryAfter(code, seconds)) => return status(code, Some(seconds)),
            Some(Fault::Dropped) => return reset(),
            Some(Fault::LostAcknowledgement) => {
                record();
                return reset();
            }
        }
        Ok(())
    }

    async fn ping(&self, active_jobs: &[String]) -> Result<(), SourceError> {
        self.state().pings.push(active_jobs.to_vec());
        Ok(())
    }

    async fn report_unhealthy(&self, check: &str, reason: &str) -> Result<(), SourceError> {
        self.state()
            .unhealthy
            .push((check.to_owned(), reason.to_owned()));
        Ok(())
    }

    fn wants_pings(&self) -> bool {
        true
    }
}

/// A worker at work.
pub(crate) struct Running {
    pub(crate) platform: Arc<Platform>,
    pub(crate) stop: CancellationToken,
    pub(crate) task: JoinHandle<Result<(), WorkerError>>,
}

impl Running {
    pub(crate) fn start(platform: &Arc<Platform>, worker: Worker) -> Self {
        let (platform, stop) = (Arc::clone(platform), CancellationToken::new());
        let task = tokio::spawn(worker.run_with(Arc::clone(&platform), stop.clone()));
        Self { platform, stop, task }
    }

    pub(crate) fn with_handler(platform: &Arc<Platform>, handler: impl Handler) -> Self {
        Self::start(platform, Worker::new(settings(), handler))
    }

    /// Stops the worker, waits for its end and returns the results.
    pub(crate) async fn end(self) -> Vec<(String, Value)> {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
        self.platform.results()
    }
}

pub(crate) fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.worker_id = "w1".to_owned();
    settings
}

/// A handler that answers with the name in its input, after so much time.
pub(crate) fn named(time: Duration) -> impl Handler {
    runpod_worker::handler(move |job: Job, _| async move {
        tokio::time::sleep(time).await;
        Ok::<_, runpod_worker::Failure>(job.input["name"].clone())
    })
}

pub(crate) fn outputs(results: &[(String, Value)]) -> Vec<(&str, &Value)> {
    results
        .iter()
        .map(|(id, body)| (id.as_str(), body))
        .collect()
}

pub(crate) const SECOND: Duration = Duration::from_secs(1);
