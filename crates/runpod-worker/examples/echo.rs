//! A worker that does what its jobs ask for, for tests and measurements.
//!
//! Keys of a job's input: `sleep_ms`; `blocking` (the rest happens on a thread of its own); `fail`, `panic`;
//! `stream` and `progress` (how many); `bytes` (size of the output); `refresh_worker`. The output is the input.
//! Flags beside those of the SDK: `--concurrency N`, `--blocking`, `--post-timeout-ms N`,
//! `--poll-timeout-ms N`, `--finish-within-ms N`, `--unfit`.

use std::{process::ExitCode, sync::Arc, thread, time::Duration};

use runpod_worker::{
    Answer, Context, ControlPlane, Failure, Handler, HandlerFuture, Job, Outcome, Settings, Worker,
    blocking, handler, logs, start, stop_on_signals,
};
use serde_json::json;

/// Runs each job as it asks for.
struct Echo {
    pausing: Arc<dyn Handler>,
    blocking: Arc<dyn Handler>,
    always_block: bool,
}

impl Handler for Echo {
    fn handle(self: Arc<Self>, job: Job, context: Context) -> HandlerFuture {
        let block = self.always_block || job.input["blocking"] == true;
        let chosen = if block { &self.blocking } else { &self.pausing };
        Arc::clone(chosen).handle(job, context)
    }
}

impl Echo {
    fn new(always_block: bool) -> Self {
        Self {
            pausing: Arc::new(handler(pausing)),
            blocking: Arc::new(blocking(computing)),
            always_block,
        }
    }
}

async fn pausing(job: Job, context: Context) -> Outcome {
    let steps = Steps::of(&job);
    for step in 0..steps.parts {
        context.stream(json!({ "part": step })).await?;
        pause(steps.pause).await;
    }
    for step in 0..steps.updates {
        context.progress(json!({ "step": step }));
        pause(steps.pause).await;
    }
    pause(steps.rest).await;
    answer(job, steps.parts > 0)
}

/// The shortest sleep of tokio takes a millisecond.
async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

fn computing(job: Job, context: &Context) -> Outcome {
    let steps = Steps::of(&job);
    for step in 0..steps.parts {
        context.stream_blocking(json!({ "part": step }))?;
    }
    let slice = Duration::from_millis(10);
    let mut left = steps.rest;
    while !left.is_zero() {
        if context.cancellation().is_cancelled() {
            return Err(Failure::message("cancelled"));
        }
        thread::sleep(left.min(slice));
        left = left.saturating_sub(slice);
    }
    answer(job, steps.parts > 0)
}

/// What a job does before it answers.
struct Steps {
    parts: u64,
    updates: u64,
    pause: Duration,
    rest: Duration,
}

impl Steps {
    fn of(job: &Job) -> Self {
        let number = |name: &str| job.input[name].as_u64().unwrap_or(0);
        let (parts, updates) = (number("stream"), number("progress"));
        let total = Duration::from_millis(number("sleep_ms"));
        let pauses = u32::try_from(parts + updates).unwrap_or(u32::MAX);
        let pause = total.checked_div(pauses).unwrap_or_default();
        Self {
            parts,
            updates,
            pause,
            rest: if pauses == 0 { total } else { Duration::ZERO },
        }
    }
}

fn answer(job: Job, streamed: bool) -> Outcome {
    let asks_for = |name: &str| job.input[name] == true;
    assert!(!asks_for("panic"), "as it was asked for");
    if asks_for("fail") {
        return Err(std::io::Error::other("as it was asked for").into());
    }
    let refresh = asks_for("refresh_worker");
    let answer = match job.input["bytes"].as_u64() {
        _ if streamed => Answer::streamed(),
        Some(bytes) => "x".repeat(usize::try_from(bytes).unwrap_or(0)).into(),
        None => Answer::verbatim(job.input),
    };
    Ok(if refresh {
        answer.refresh_worker()
    } else {
        answer
    })
}

/// The value after a flag.
fn flag(name: &str) -> Option<u64> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1)?.parse().ok()
}

#[tokio::main]
async fn main() -> ExitCode {
    let has = |name: &str| std::env::args().any(|argument| argument == name);
    let echo = Echo::new(has("--blocking"));
    let mut settings = match Settings::from_env() {
        Ok(settings) if settings.urls.is_some() => settings,
        _ => return start(echo).await,
    };
    logs::init(&settings);
    let millis = |name: &str| flag(name).map(Duration::from_millis);
    if let Some(limit) = millis("--post-timeout-ms") {
        settings.timeouts.post = limit;
    }
    if let Some(limit) = millis("--poll-timeout-ms") {
        settings.timeouts.poll = limit;
    }
    if let Some(limit) = millis("--finish-within-ms") {
        settings.shutdown.finish_jobs_within = limit;
        settings.shutdown.cancel_grace = limit / 4;
    }
    match work(settings, echo, has("--unfit")).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

async fn work(
    settings: Settings,
    echo: Echo,
    unfit: bool,
) -> Result<(), runpod_worker::WorkerError> {
    let source = Arc::new(ControlPlane::new(&settings)?);
    let stop = stop_on_signals()?;
    let mut worker = Worker::new(settings, echo);
    if let Some(jobs) = flag("--concurrency") {
        worker = worker.concurrency(usize::try_from(jobs).unwrap_or(usize::MAX));
    }
    if unfit {
        worker = worker.check("model", || async { Err("the model is not there".into()) });
    }
    worker.run_with(source, stop).await
}
