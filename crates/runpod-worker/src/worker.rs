//! The loop: take, run, answer.

use std::{collections::VecDeque, io, pin::Pin, sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    active::{ActiveJob, ActiveJobs},
    concurrency::{Concurrency, ConcurrencyHandle},
    context::CancelReason,
    control_plane::{ControlPlane, ControlPlaneError},
    fitness::{Check, CheckError, Unfit, check_all},
    handler::Handler,
    job::{Job, Offer},
    job_run::{JobEnd, Shared},
    outcome::Reporter,
    ping,
    recent::RecentResults,
    settings::Settings,
    shutdown::stop_on_signals,
    source::{JobSource, SourceError, TakeRequest},
    stop_signals,
    take_pace::TakePace,
};

/// How often a controller is asked while it allows no further job.
const ASK_CONTROLLER_EVERY: Duration = Duration::from_secs(1);
/// What the client of a job reads that came too late.
const TOO_LATE: &str = "the worker had to end before the job began; please send it again";

/// Takes jobs and answers them.
pub struct Worker {
    settings: Settings,
    handler: Arc<dyn Handler>,
    concurrency: Concurrency,
    checks: Vec<Check>,
}

/// Why a worker could not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// There is nobody to work for.
    #[error(transparent)]
    ControlPlane(#[from] ControlPlaneError),
    /// The machine is not fit for jobs.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The operating system refused something.
    #[error("cannot start the worker")]
    Start(#[from] io::Error),
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Worker")
            .field("settings", &self.settings)
            .field("concurrency", &self.concurrency)
            .field("checks", &self.checks)
            .finish_non_exhaustive()
    }
}

impl Worker {
    /// A worker for one job at a time.
    pub fn new(settings: Settings, handler: impl Handler) -> Self {
        Self::with_handler(settings, Arc::new(handler))
    }

    /// As [`Worker::new`], with a handler that is shared already.
    pub fn with_handler(settings: Settings, handler: Arc<dyn Handler>) -> Self {
        Self {
            settings,
            handler,
            concurrency: Concurrency::fixed(1),
            checks: Vec::new(),
        }
    }

    /// Sets how many jobs run at once.
    #[must_use]
    pub fn concurrency(self, jobs: usize) -> Self {
        self.concurrency.handle().set(jobs);
        self
    }

    /// Lets a function decide, before every take, how many jobs run at once. It gets the number so far.
    #[must_use]
    pub fn concurrency_controller(
        mut self,
        controller: impl FnMut(usize) -> usize + Send + 'static,
    ) -> Self {
        self.concurrency.control(controller);
        self
    }

    /// Sets how many jobs run at once while the worker runs.
    #[must_use]
    pub fn concurrency_handle(&self) -> ConcurrencyHandle {
        self.concurrency.handle()
    }

    /// Adds something that must be true before the first job is taken. If it is not, the platform is told
    /// so, and the worker ends.
    #[must_use]
    pub fn check<F, R>(mut self, name: impl Into<String>, check: F) -> Self
    where
        F: FnOnce() -> R + Send + 'static,
        R: Future<Output = Result<(), CheckError>> + Send + 'static,
    {
        self.checks.push(Check::new(name, check));
        self
    }

    /// Works for the platform until SIGTERM or SIGINT, or until a result asked for a fresh worker. Jobs in
    /// hand are finished first, as [`Settings::shutdown`] says.
    ///
    /// # Errors
    /// [`WorkerError`], before the first job.
    pub async fn run(self) -> Result<(), WorkerError> {
        let source = Arc::new(ControlPlane::new(&self.settings)?);
        let stop = stop_on_signals()?;
        self.run_with(source, stop).await
    }

    /// Works for any source of jobs until `stop`, which is never cancelled from here.
    ///
    /// # Errors
    /// [`WorkerError`], before the first job.
    pub async fn run_with<S: JobSource>(
        self,
        source: Arc<S>,
        stop: CancellationToken,
    ) -> Result<(), WorkerError> {
        let checks = check_all(self.checks, self.settings.system_checks, &*source);
        match stop.run_until_cancelled(checks).await {
            Some(checked) => checked?,
            None => {
                tracing::info!("the worker ends before it took a job");
                return Ok(());
            }
        }
        let active = Arc::new(ActiveJobs::default());
        let until_end = CancellationToken::new();
        let _end = until_end.clone().drop_guard();
        if source.wants_pings() {
            let interval = self.settings.ping_interval;
            ping::start(Arc::clone(&source), Arc::clone(&active), interval, until_end.clone())?;
        }
        let (signals, listener) = (Arc::clone(&source), Arc::clone(&active));
        tokio::spawn(until_end.run_until_cancelled_owned(async move {
            stop_signals::listen(&*signals, &listener).await;
        }));
        let delivery = self.settings.delivery;
        let shared = Arc::new(Shared {
            source,
            handler: self.handler,
            active,
            recent: RecentResults::new(delivery.remembered_results, delivery.remembered_bytes),
            reporter: Reporter {
                worker_id: self.settings.worker_id.clone(),
                host_name: self.settings.host_name.clone(),
            },
            settings: Arc::new(self.settings),
            time_is_up: CancellationToken::new(),
        });
        tracing::info!("waiting for jobs");
        Loop::new(shared, self.concurrency, stop.child_token())
            .run()
            .await;
        tracing::info!("all jobs are done; the worker ends");
        Ok(())
    }
}

type Taken = Result<Vec<Offer>, SourceError>;

/// The state of the loop. One task owns it.
struct Loop<S> {
    shared: Arc<Shared<S>>,
    concurrency: Concurrency,
    stop: CancellationToken,
    stopping: bool,
    /// When jobs in hand have to end, once the worker has to.
    deadline: Instant,
    /// The poll that is open. There is never a second one: what the platform is told about jobs in
    /// progress would not be true.
    poll: Option<Pin<Box<dyn Future<Output = Taken> + Send>>>,
    pace: TakePace,
    /// Taken beyond what was asked for.
    waiting: VecDeque<(Job, ActiveJob)>,
    running: JoinSet<JobEnd>,
}

impl<S: JobSource> Loop<S> {
    fn new(shared: Arc<Shared<S>>, concurrency: Concurrency, stop: CancellationToken) -> Self {
        Self {
            shared,
            concurrency,
            stop,
            stopping: false,
            deadline: Instant::now(),
            poll: None,
            pace: TakePace::new(),
            waiting: VecDeque::new(),
            running: JoinSet::new(),
        }
    }

    async fn run(&mut self) {
        loop {
            if self.stop.is_cancelled() && !self.stopping {
                self.begin_to_stop();
            }
            self.start_waiting_jobs();
            let free = self.free_places();
            let may_poll = !self.stopping && self.poll.is_none();
            if may_poll && free > 0 && self.pace.is_over() {
                self.open_poll();
                continue;
            }
            if self.stopping && self.poll.is_none() && self.running.is_empty() {
                return;
            }
            let ask_controller = may_poll && free == 0 && self.concurrency.is_controlled();
            let time_is_up = self.shared.time_is_up.is_cancelled();
            let grace_ends = self.deadline + self.shared.settings.shutdown.cancel_grace;
            tokio::select! {
                biased;
                () = self.stop.cancelled(), if !self.stopping => {}
                taken = async { self.poll.as_mut().expect("checked below").await },
                    if self.poll.is_some() => self.taken(taken),
                Some(end) = self.running.join_next() => {
                    self.ended(end);
                    // Those that ended together are replaced by one poll.
                    while let Some(end) = self.running.try_join_next() {
                        self.ended(end);
                    }
                }
                () = self.concurrency.changed() => {}
                () = sleep_until(self.pace.next()), if may_poll && free > 0 => {}
                () = tokio::time::sleep(ASK_CONTROLLER_EVERY), if ask_controller => {
                    self.concurrency.decide();
                }
                () = sleep_until(self.deadline), if self.stopping && !time_is_up => self.cut_short(),
                () = sleep_until(grace_ends), if time_is_up && self.poll.is_some() => {
                    tracing::warn!("the last poll did not end");
                    self.poll = None;
                }
            }
        }
    }

    fn free_places(&self) -> usize {
        self.concurrency
            .limit()
            .saturating_sub(self.running.len() + self.waiting.len())
    }

    fn open_poll(&mut self) {
        self.concurrency.decide();
        let max_jobs = self.free_places();
        if max_jobs == 0 {
            return;
        }
        let request = TakeRequest { max_jobs, job_in_progress: !self.shared.active.is_empty() };
        let (source, stop) = (Arc::clone(&self.shared.source), self.stop.clone());
        self.pace.begin();
        self.poll = Some(Box::pin(async move { source.take(request, &stop).await }));
    }

    fn taken(&mut self, taken: Taken) {
        self.poll = None;
        match taken {
            Ok(offers) => {
                let mut new = 0;
                for offer in offers {
                    new += usize::from(self.accept(offer));
                }
                self.pace.answered(new);
            }
            Err(error) => self.pace.failed(&error),
        }
    }

    /// Whether the offer is new.
    fn accept(&mut self, offer: Offer) -> bool {
        let (id, job) = match offer {
            Offer::Job(job) if self.shared.time_is_up.is_cancelled() => {
                (job.id, Err(TOO_LATE.to_owned()))
            }
            Offer::Job(job) => (job.id.clone(), Ok(job)),
            Offer::Unusable { id, reason } => {
                let error = &reason as &dyn std::error::Error;
                tracing::error!(job.id = id, error, "was offered a job that cannot be run");
                let Some(id) = id else { return false };
                (id, Err(reason.to_string()))
            }
        };
        let Some(entry) = self.shared.active.add(&id) else {
            tracing::warn!(job.id = id, "was offered a job that is running; ignored");
            return false;
        };
        let shared = Arc::clone(&self.shared);
        if let Some(known) = self.shared.recent.get(&id) {
            self.running.spawn(shared.repeat(entry, known));
            return false;
        }
        match job {
            Ok(job) => self.waiting.push_back((*job, entry)),
            Err(reason) => {
                self.running.spawn(shared.refuse(entry, reason));
            }
        }
        true
    }

    fn start_waiting_jobs(&mut self) {
        // With a limit of 0 nothing is taken, but what was taken before has to be run.
        while self.running.len() < self.concurrency.limit().max(1)
            && let Some((job, entry)) = self.waiting.pop_front()
        {
            self.running.spawn(Arc::clone(&self.shared).run(job, entry));
        }
    }

    fn ended(&mut self, end: Result<JobEnd, tokio::task::JoinError>) {
        match end {
            Ok(end) if end.stop_worker => {
                tracing::info!("asked the platform for a fresh worker; taking no more jobs");
                self.stop.cancel();
            }
            Ok(_) => {}
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a job was lost");
            }
        }
    }

    fn begin_to_stop(&mut self) {
        self.stopping = true;
        self.deadline = Instant::now() + self.shared.settings.shutdown.finish_jobs_within;
        let jobs = self.running.len() + self.waiting.len();
        tracing::info!(jobs, "taking no more jobs");
    }

    fn cut_short(&mut self) {
        tracing::warn!(running = self.running.len(), "jobs in hand have had their time");
        self.shared.time_is_up.cancel();
        for (_, entry) in self.waiting.drain(..) {
            self.running
                .spawn(Arc::clone(&self.shared).refuse(entry, TOO_LATE.to_owned()));
        }
        self.shared.active.cancel_all(CancelReason::Shutdown);
    }
}
