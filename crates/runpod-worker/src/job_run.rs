//! The life of one job, from its start to its result.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::oneshot,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::{
    active::{ActiveJob, ActiveJobs},
    context::{CancelReason, Cancellation, Context},
    delivery::{Delivered, deliver_result},
    handler::{Handler, panicked},
    job::Job,
    outcome::{AnswerOutput, Failure, FinalBody, Outcome, Reporter},
    recent::RecentResults,
    settings::Settings,
    source::{JobSource, Post, PostKind},
    streaming::{Forwarder, Streamed},
};

/// What all jobs of a worker share.
pub(crate) struct Shared<S> {
    pub(crate) source: Arc<S>,
    pub(crate) handler: Arc<dyn Handler>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) active: Arc<ActiveJobs>,
    pub(crate) recent: RecentResults,
    pub(crate) reporter: Reporter,
    /// No handler has any more time.
    pub(crate) time_is_up: CancellationToken,
}

/// What a job means for its worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct JobEnd {
    /// The platform was asked for a fresh worker.
    pub(crate) stop_worker: bool,
}

impl<S: JobSource> Shared<S> {
    /// Runs a job and delivers its result.
    pub(crate) async fn run(self: Arc<Self>, job: Job, entry: ActiveJob) -> JobEnd {
        let span = match &job.batch_id {
            Some(batch) => tracing::info_span!("job", job.id = entry.id(), job.batch = batch),
            None => tracing::info_span!("job", job.id = entry.id()),
        };
        async move {
            if entry.cancellation().reason() == Some(CancelReason::Stopped) {
                tracing::info!("stopped before it began");
                return JobEnd::default();
            }
            let started = Instant::now();
            tracing::info!("started");
            let (outcome, streamed) = self.handled(job, &entry).await;
            let duration_ms = started.elapsed().as_millis();
            let Some(outcome) = outcome else {
                tracing::info!(duration_ms, "stopped");
                return JobEnd::default();
            };
            let is_stream = streamed.any
                || matches!(&outcome, Ok(answer) if answer.output == AnswerOutput::Streamed);
            let mut body = self.final_body(outcome, streamed);
            body.stop_pod |= self.settings.refresh_worker;
            tracing::info!(duration_ms, failed = body.is_error(), "finished");
            self.answer(&entry, &body, is_stream).await
        }
        .instrument(span)
        .await
    }

    /// Answers a job that is not run.
    pub(crate) async fn refuse(self: Arc<Self>, entry: ActiveJob, reason: String) -> JobEnd {
        self.answer(&entry, &FinalBody::of_message(reason), false)
            .await
    }

    /// Answers a job that was offered again.
    pub(crate) async fn repeat(self: Arc<Self>, entry: ActiveJob, known: Post) -> JobEnd {
        tracing::info!(job.id = entry.id(), "offered again; repeating its result");
        deliver_result(&*self.source, known, &self.settings.delivery).await;
        JobEnd::default()
    }

    /// Runs the handler and sends what it streams. `None`: nobody waits for a result.
    async fn handled(&self, job: Job, entry: &ActiveJob) -> (Option<Outcome>, Streamed) {
        let cancellation = entry.cancellation();
        let (context, updates) = Context::new(cancellation.clone());
        let (handler_ended, ended) = oneshot::channel();
        let forwarder = Forwarder {
            source: &*self.source,
            settings: &self.settings,
            job_id: entry.id(),
        };
        tokio::join!(
            async {
                let outcome = self.supervised(job, context, cancellation).await;
                drop(handler_ended);
                outcome
            },
            async {
                tokio::select! {
                    biased;
                    streamed = forwarder.run(updates, ended) => streamed,
                    () = cancellation.stopped() => Streamed::default(),
                }
            },
        )
    }

    /// Runs the handler as a task, so that a panic ends the job and nothing else.
    async fn supervised(
        &self,
        job: Job,
        context: Context,
        cancellation: &Cancellation,
    ) -> Option<Outcome> {
        let limit = job.policy.execution_timeout;
        let handler = Arc::clone(&self.handler);
        // What a handler does before its future begins may panic, too.
        let work = async move { handler.handle(job, context).await };
        let mut task = tokio::spawn(work.in_current_span());
        let joined = tokio::select! {
            biased;
            joined = &mut task => Some(joined),
            () = cancellation.cancelled() => None,
            () = out_of_time(limit) => {
                cancellation.cancel(CancelReason::TimedOut { after: limit.unwrap_or_default() });
                None
            }
        };
        let joined = match joined {
            Some(joined) => Some(joined),
            None => tokio::select! {
                joined = &mut task => Some(joined),
                () = self.patience(cancellation) => {
                    task.abort();
                    None
                }
            },
        };
        let reason = cancellation.reason();
        if reason == Some(CancelReason::Stopped) {
            return None;
        }
        Some(match joined {
            Some(Ok(outcome)) => outcome,
            Some(Err(error)) => Err(match error.try_into_panic() {
                Ok(payload) => panicked(payload.as_ref()),
                Err(_) => Failure::message("the worker ended before the job was done"),
            }),
            None => Err(cut_short(reason)),
        })
    }

    /// Returns when a cancelled handler has had its time.
    async fn patience(&self, cancellation: &Cancellation) {
        let shutdown = cancellation.reason() == Some(CancelReason::Shutdown);
        if !shutdown && !self.handler.can_be_dropped() {
            // Its thread goes on anyway, so its place is not free.
            self.time_is_up.cancelled().await;
        }
        sleep(self.settings.shutdown.cancel_grace).await;
    }

    fn final_body(&self, outcome: Outcome, streamed: Streamed) -> FinalBody {
        let outcome = match outcome {
            Ok(_) if streamed.incomplete => {
                Err(Failure::message("a part of the stream could not be delivered"))
            }
            outcome => outcome,
        };
        FinalBody::new(outcome, streamed.parts, &self.reporter)
    }

    async fn answer(&self, entry: &ActiveJob, body: &FinalBody, is_stream: bool) -> JobEnd {
        let post = Post {
            job_id: entry.id().to_owned(),
            kind: PostKind::Result { is_stream },
            body: body.to_bytes(),
        };
        let delivered = tokio::select! {
            biased;
            delivered = deliver_result(&*self.source, post.clone(), &self.settings.delivery) => delivered,
            () = entry.cancellation().stopped() => {
                tracing::info!("stopped before its result was delivered");
                return JobEnd::default();
            }
        };
        // A failed job may be sent again by its client, under the same id, to be run again.
        if delivered == Delivered::AsItIs && !body.is_error() {
            self.recent.remember(post);
        }
        JobEnd { stop_worker: body.stop_pod }
    }
}

fn cut_short(reason: Option<CancelReason>) -> Failure {
    match reason {
        Some(CancelReason::TimedOut { after }) => Failure::message(format!(
            "the job was stopped after {} ms, the execution timeout of its policy",
            after.as_millis()
        )),
        Some(CancelReason::Shutdown | CancelReason::Stopped) | None => {
            Failure::message("the worker had to end before the job was done; please send it again")
        }
    }
}

async fn out_of_time(limit: Option<Duration>) {
    match limit {
        Some(limit) => sleep(limit).await,
        None => std::future::pending().await,
    }
}
