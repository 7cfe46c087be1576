//! What runs a job.

use std::{
    any::Any,
    fmt, io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    thread,
};

use tokio::sync::oneshot;

use crate::{
    context::Context,
    job::Job,
    outcome::{Answer, Failure, Outcome},
};

/// A handler at work.
pub type HandlerFuture = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// What runs a job.
///
/// [`handler`] makes one of an async function, [`blocking`] of a function that computes.
pub trait Handler: Send + Sync + 'static {
    /// Runs one job. Whether parts are streamed is the handler's choice, job by job.
    fn handle(self: Arc<Self>, job: Job, context: Context) -> HandlerFuture;

    /// Whether a cancelled job that does not return in time may be dropped where it stands. If not, it
    /// keeps its place until it returns, unless the worker ends before.
    fn can_be_dropped(&self) -> bool {
        true
    }
}

/// Makes a handler of an async function. It must not block its thread: see [`blocking`].
///
/// ```
/// # use runpod_worker::{Context, Job, handler};
/// # use serde_json::{Value, json};
/// async fn shout(job: Job, context: Context) -> Result<Value, std::fmt::Error> {
///     context.progress("thinking");
///     let text = job.input["text"].as_str().ok_or(std::fmt::Error)?;
///     Ok(json!({ "shout": text.to_uppercase() }))
/// }
/// let handler = handler(shout);
/// ```
pub fn handler<F, R, A, E>(function: F) -> impl Handler
where
    F: Fn(Job, Context) -> R + Send + Sync + 'static,
    R: Future<Output = Result<A, E>> + Send + 'static,
    A: Into<Answer>,
    E: Into<Failure>,
{
    FromFunction {
        droppable: true,
        function: Box::new(move |job, context| {
            let running = function(job, context);
            Box::pin(async move { into_outcome(running.await) })
        }),
    }
}

/// Makes a handler of a function that blocks or computes. Each job gets a thread of its own, so that
/// polls, pings and other jobs go on. The function sees in [`Context::cancellation`] when to stop.
pub fn blocking<F, A, E>(function: F) -> impl Handler
where
    F: Fn(Job, &Context) -> Result<A, E> + Send + Sync + 'static,
    A: Into<Answer>,
    E: Into<Failure>,
{
    let function = Arc::new(function);
    FromFunction {
        droppable: false,
        function: Box::new(move |job, context| {
            let function = Arc::clone(&function);
            Box::pin(on_a_thread(move || into_outcome(function(job, &context))))
        }),
    }
}

struct FromFunction {
    droppable: bool,
    function: Box<dyn Fn(Job, Context) -> HandlerFuture + Send + Sync>,
}

impl fmt::Debug for FromFunction {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("FromFunction")
            .field("droppable", &self.droppable)
            .finish_non_exhaustive()
    }
}

impl Handler for FromFunction {
    fn handle(self: Arc<Self>, job: Job, context: Context) -> HandlerFuture {
        (self.function)(job, context)
    }

    fn can_be_dropped(&self) -> bool {
        self.droppable
    }
}

fn into_outcome<A: Into<Answer>, E: Into<Failure>>(result: Result<A, E>) -> Outcome {
    result.map(Into::into).map_err(Into::into)
}

/// Not a thread of the runtime: that would wait at its end for a job that does not return.
async fn on_a_thread(work: impl FnOnce() -> Outcome + Send + 'static) -> Outcome {
    let (sender, receiver) = oneshot::channel();
    let span = tracing::Span::current();
    let started = thread::Builder::new()
        .name("job".to_owned())
        .spawn(move || {
            let result = span.in_scope(|| catch_unwind(AssertUnwindSafe(work)));
            // Nobody listens if the worker ended in the meantime.
            drop(sender.send(result));
        });
    if let Err(error) = started {
        return Err(NoThread(error).into());
    }
    match receiver.await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(payload)) => Err(panicked(payload.as_ref())),
        Err(_) => Err(Failure::message("the thread of the job ended without a result")),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("cannot start a thread for the job")]
struct NoThread(#[source] io::Error);

/// What the client reads about a panic.
pub(crate) fn panicked(payload: &(dyn Any + Send)) -> Failure {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    Failure::report("panic", text.unwrap_or("the handler panicked"))
}
