//! Who works on a job: nobody else, for as long as the lease is renewed.

use std::time::Duration;

use tokio::{
    select,
    time::{Instant, sleep, sleep_until, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    log::{Appended, History, JobLog},
    record::{Event, Order, State},
};
use crate::{
    failure::{ErrorCode, Failure},
    storage::JobId,
    synthesis::ProgressCell,
};

/// How long a lease lasts, and what follows from it.
#[derive(Clone, Copy, Debug)]
pub struct LeaseTimes {
    /// After this time without a renewal, another process may take the job over.
    pub lasts: Duration,
    /// The holder renews as often.
    pub renewed: Duration,
    /// The holder looks as often whether somebody cancelled; who waits for a job, whether it is done.
    pub watched: Duration,
}

impl LeaseTimes {
    /// A lease that lasts so long, and is renewed so often that one failure does no harm.
    pub fn lasting(lasts: Duration) -> Self {
        const LOOK: Duration = Duration::from_secs(2);
        Self { lasts, renewed: lasts / 3, watched: LOOK.min(lasts / 6) }
    }
}

impl Default for LeaseTimes {
    /// A minute, renewed every 20 seconds.
    fn default() -> Self {
        Self::lasting(Duration::from_secs(60))
    }
}

/// Where following a job leads.
#[derive(Debug)]
pub enum Entry {
    /// It is ours to do.
    Mine(Box<Held>),
    /// It is done already; its last record is [`Event::Completed`].
    Done(Box<History>),
}

/// A job that this process works on.
#[derive(Debug)]
pub struct Held {
    log: JobLog,
    history: History,
    times: LeaseTimes,
    /// When the lease was surely ours last.
    renewed_at: Instant,
}

/// Accepts a job, which is created if it is not there. One that had ended in an error is to run again.
///
/// # Errors
/// It is there with another request.
pub async fn accept(log: &JobLog, job: &JobId, order: Order) -> Result<History, Failure> {
    let input = order.input.clone();
    let mut history = log.open(job, order).await?;
    if history.order().input != input {
        let message = format!("job {job} is there already, with another request: use another id");
        return Err(Failure::new(ErrorCode::JobConflict, message));
    }
    if history.state() == State::Error {
        let order = history.order().clone();
        log.append(&mut history, Event::Queued(order)).await?;
    }
    Ok(history)
}

/// Waits for whoever works on a job; takes it over if nobody does, or their lease has run out.
///
/// # Errors
/// That of the job, if it ends in one; or whoever waits has left.
pub async fn follow(
    log: &JobLog,
    times: LeaseTimes,
    mut history: History,
    left: &CancellationToken,
) -> Result<Entry, Failure> {
    loop {
        match &history.last().event {
            Event::Completed(_) => return Ok(Entry::Done(Box::new(history))),
            Event::Error { error, error_code } => {
                return Err(Failure::new(*error_code, error.clone()));
            }
            Event::Queued(_) => {
                if let Some(held) = claim(log, times, &mut history).await? {
                    return Ok(Entry::Mine(Box::new(held)));
                }
            }
            Event::Processing { lease_seconds, .. } => {
                let lasts = Duration::try_from_secs_f64(*lease_seconds).unwrap_or(times.lasts);
                if log.age(&history).await? > lasts {
                    let holder = &history.last().writer;
                    tracing::warn!(job = %history.job(), holder, "taking a job over");
                    if let Some(held) = claim(log, times, &mut history).await? {
                        return Ok(Entry::Mine(Box::new(held)));
                    }
                } else {
                    // Only here, so that no record is written that nobody knows of.
                    select! {
                        () = left.cancelled() => return Err(super::cancelled()),
                        () = sleep(times.watched) => {}
                    }
                    log.read_on(&mut history).await?;
                }
            }
        }
    }
}

async fn claim(
    log: &JobLog,
    times: LeaseTimes,
    history: &mut History,
) -> Result<Option<Held>, Failure> {
    let renewed_at = Instant::now();
    match log.append(history, processing(times, 0.0)).await? {
        Appended::Won => Ok(Some(Held {
            log: log.clone(),
            history: history.clone(),
            times,
            renewed_at,
        })),
        Appended::Lost => Ok(None),
    }
}

fn processing(times: LeaseTimes, progress: f64) -> Event {
    Event::Processing { lease_seconds: times.lasts.as_secs_f64(), progress }
}

impl Held {
    /// What is to be done.
    pub fn order(&self) -> &Order {
        self.history.order()
    }

    /// Renews the lease for as long as that is possible. The result says why it is not.
    ///
    /// It may be dropped at any time.
    pub async fn keep(&mut self, progress: &ProgressCell) -> Failure {
        loop {
            let next_look = Instant::now() + self.times.watched;
            let end = self.renewed_at + self.times.lasts;
            sleep_until(next_look.min(end)).await;
            let due = self.renewed_at.elapsed() >= self.times.renewed;
            let look = async {
                if due {
                    self.renew(progress.get()).await
                } else {
                    self.log.read_on(&mut self.history).await.map(drop)
                }
            };
            // A store that is asked again and again must not outlast the lease.
            if let Ok(Err(failure)) = timeout_at(end, look).await {
                tracing::warn!(job = %self.history.job(), %failure, "could not renew the lease");
                if failure.code() == ErrorCode::RecordDamaged {
                    return failure;
                }
            }
            if !self.log.holds(&self.history) {
                return self.lost();
            }
            if self.renewed_at.elapsed() >= self.times.lasts {
                let message = "the store was away for so long that another worker may have the job";
                return Failure::new(ErrorCode::StoreUnavailable, message);
            }
        }
    }

    async fn renew(&mut self, progress: f64) -> Result<(), Failure> {
        let now = Instant::now();
        let event = processing(self.times, progress);
        if self.log.append(&mut self.history, event).await? == Appended::Won {
            self.renewed_at = now;
        }
        Ok(())
    }

    fn lost(&self) -> Failure {
        let last = self.history.last();
        match &last.event {
            Event::Error { error, error_code } => Failure::new(*error_code, error.clone()),
            Event::Queued(_) | Event::Processing { .. } | Event::Completed(_) => {
                let message = format!("worker {} has taken the job over", last.writer);
                Failure::new(ErrorCode::Cancelled, message)
            }
        }
    }

    /// Writes how the job ended, unless it is somebody else's by now; then the result says how it stands.
    pub async fn finish(mut self, event: Event) -> Result<History, Failure> {
        if self.log.holds(&self.history) {
            self.log.append(&mut self.history, event).await?;
        }
        Ok(self.history)
    }
}

/// Writes that a job is cancelled, whoever works on it.
pub async fn cancel(log: &JobLog, job: &JobId) -> Result<(), Failure> {
    let mut history = log.read(job).await?.ok_or_else(|| super::not_found(job))?;
    loop {
        match history.state() {
            State::Completed => {
                let message = format!("job {job} is complete and cannot be cancelled");
                return Err(Failure::new(ErrorCode::JobFinished, message));
            }
            State::Error => return Ok(()),
            State::Queued | State::Processing => {
                let cancelled = Event::from(&super::cancelled());
                if log.append(&mut history, cancelled).await? == Appended::Won {
                    return Ok(());
                }
            }
        }
    }
}
