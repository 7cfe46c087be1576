//! The one thread that owns the model.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::Instant,
};

use async_trait::async_trait;
use f5tts_engine::{
    Engine, Observer, Part, Progress, SampleError, SpeakError, SpeakOptions, Speech, Stop,
    align::{AlignError, Alignment},
};
use tokio::sync::{mpsc, oneshot, watch};

use super::{ProgressCell, Synthesis, SynthesisError, Synthesizer, Task};

/// Loads a model; the error says all that led to it.
pub type LoadEngine = Box<dyn FnOnce() -> Result<Engine, String> + Send>;

/// A queue before a thread that owns the model. Dropping it ends the thread once its work is done.
#[derive(Debug)]
pub struct EngineThread {
    model: String,
    queue: mpsc::Sender<Work>,
    places: usize,
    loaded: watch::Receiver<Loading>,
}

#[derive(Debug)]
struct Work {
    task: Task,
    since: Instant,
    reply: oneshot::Sender<Result<Synthesis, SynthesisError>>,
}

#[derive(Clone, Debug)]
enum Loading {
    Running,
    Done(Arc<Engine>),
    Failed(SynthesisError),
}

impl EngineThread {
    /// Starts the thread, which loads the model first. At most `places` tasks wait.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(model: String, places: usize, load: LoadEngine) -> std::io::Result<Self> {
        let (queue, tasks) = mpsc::channel(places);
        let (state, loaded) = watch::channel(Loading::Running);
        let name = model.clone();
        thread::Builder::new()
            .name("model".to_owned())
            .spawn(move || own_model(&name, load, tasks, &state))?;
        Ok(Self { model, queue, places, loaded })
    }
}

#[async_trait]
impl Synthesizer for EngineThread {
    fn model(&self) -> &str {
        &self.model
    }

    async fn ready(&self) -> Result<String, SynthesisError> {
        let mut loaded = self.loaded.clone();
        let state = loaded
            .wait_for(|state| !matches!(state, Loading::Running))
            .await
            .map(|state| state.clone());
        match state {
            Ok(Loading::Done(engine)) => Ok(engine.device()),
            Ok(Loading::Failed(error)) => Err(error),
            Ok(Loading::Running) | Err(_) => Err(gone()),
        }
    }

    async fn speak(&self, task: Task) -> Result<Synthesis, SynthesisError> {
        let (reply, answer) = oneshot::channel();
        let caller = Caller(task.stop.clone());
        let work = Work { task, since: Instant::now(), reply };
        self.queue.try_send(work).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                SynthesisError::Overloaded { waiting: self.places }
            }
            mpsc::error::TrySendError::Closed(_) => gone(),
        })?;
        let result = answer.await.unwrap_or_else(|_| Err(gone()));
        drop(caller);
        result
    }

    fn align(&self, speech: &Speech, texts: &[&str]) -> Result<Alignment, AlignError> {
        // The words need none of the model's weights, so the model's thread goes on meanwhile.
        let Loading::Done(engine) = self.loaded.borrow().clone() else {
            return Err(AlignError::OtherText); // Nothing was spoken without a model.
        };
        engine.aligner().align_speech(speech, texts)
    }
}

/// Stops the work when whoever asked for it has left.
struct Caller(Stop);

impl Drop for Caller {
    fn drop(&mut self) {
        self.0.stop();
    }
}

fn gone() -> SynthesisError {
    SynthesisError::Broken { reason: "the model's thread is gone".to_owned() }
}

fn own_model(
    model: &str,
    load: LoadEngine,
    mut tasks: mpsc::Receiver<Work>,
    state: &watch::Sender<Loading>,
) {
    let loaded = caught(load).unwrap_or_else(Err);
    let loaded_at = Instant::now();
    match loaded {
        Ok(engine) => {
            let engine = Arc::new(engine);
            state.send_replace(Loading::Done(Arc::clone(&engine)));
            while let Some(work) = tasks.blocking_recv() {
                work.perform(&engine, loaded_at);
            }
        }
        Err(reason) => {
            let error = SynthesisError::Load { model: model.to_owned(), reason };
            tracing::error!(%error, "no model");
            state.send_replace(Loading::Failed(error.clone()));
            while let Some(work) = tasks.blocking_recv() {
                // Whoever left needs no answer.
                work.reply.send(Err(error.clone())).ok();
            }
        }
    }
}

impl Work {
    fn perform(self, engine: &Engine, loaded_at: Instant) {
        let Self { task, since, reply } = self;
        if reply.is_closed() {
            return; // The caller has left.
        }
        let loading = loaded_at.saturating_duration_since(since);
        let queued = since.elapsed().saturating_sub(loading);
        task.begun.notify_one();
        let result = caught(|| speak(engine, &task)).unwrap_or_else(|reason| {
            tracing::error!(reason, "the model's thread caught a panic");
            Err(SynthesisError::Broken { reason })
        });
        let result = result.map(|speech| Synthesis { speech, queued, loading });
        // Whoever left needs no answer.
        reply.send(result).ok();
    }
}

fn speak(engine: &Engine, task: &Task) -> Result<Speech, SynthesisError> {
    let parts: Vec<_> = task
        .parts
        .iter()
        .map(|part| Part { voice: &part.voice, text: &part.text })
        .collect();
    let nfe = task.nfe.unwrap_or_else(|| engine.config().defaults.nfe());
    let options = SpeakOptions { nfe, ..task.options.clone() };
    let mut watch = Watch(&task.progress);
    engine
        .speak(&parts, &options, &mut watch, &task.stop)
        .map_err(|error| {
            if matches!(error, SpeakError::Sample(SampleError::Stopped(_))) {
                SynthesisError::Stopped
            } else {
                SynthesisError::Speak(Arc::new(error))
            }
        })
}

struct Watch<'a>(&'a ProgressCell);

impl Observer for Watch<'_> {
    fn progress(&mut self, progress: Progress) {
        let Progress { evaluations_done, evaluations, .. } = progress;
        #[expect(
            clippy::cast_precision_loss,
            reason = "far fewer than 2^53 evaluations"
        )]
        let share = evaluations_done as f64 / evaluations.max(1) as f64;
        self.0.set(share);
    }
}

/// What a function gives, or what it said when it panicked.
fn caught<T>(function: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(function)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        text.unwrap_or("a panic without words").to_owned()
    })
}
