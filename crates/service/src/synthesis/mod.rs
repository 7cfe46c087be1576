//! The seam to the engine: a task goes in, speech comes out.

mod engine_thread;

use std::{
    error::Error,
    fmt::Debug,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use f5tts_engine::{
    SpeakError, SpeakOptions, Speech, Stop, Voice,
    align::{AlignError, Alignment},
    sampler::grid::Nfe,
};
use tokio::sync::Notify;

pub use engine_thread::{EngineThread, LoadEngine};

use crate::failure::{ErrorCode, Failure};

/// What speaks.
#[async_trait]
pub trait Synthesizer: Debug + Send + Sync {
    /// The name of its model.
    fn model(&self) -> &str;

    /// Waits until it can speak; the answer describes the device.
    async fn ready(&self) -> Result<String, SynthesisError>;

    /// Speaks. If the future is dropped, the work stops at the next evaluation.
    async fn speak(&self, task: Task) -> Result<Synthesis, SynthesisError>;

    /// Finds the words of the texts that a speech was made of. It computes for as long as that takes.
    fn align(&self, speech: &Speech, texts: &[&str]) -> Result<Alignment, AlignError>;
}

/// What is to be spoken.
#[derive(Clone, Debug)]
pub struct Task {
    /// Voices and texts, in order.
    pub parts: Vec<TaskPart>,
    /// How, but for the steps.
    pub options: SpeakOptions,
    /// The steps, if not the model's own default.
    pub nfe: Option<Nfe>,
    /// Where the share that is done is written.
    pub progress: ProgressCell,
    /// Stops it.
    pub stop: Stop,
    /// Told when its turn has come.
    pub begun: Arc<Notify>,
}

/// One stretch of text in one voice.
#[derive(Clone, Debug)]
pub struct TaskPart {
    /// Who speaks.
    pub voice: Voice,
    /// What is said.
    pub text: String,
}

/// Speech, and how long it had to wait.
#[derive(Clone, Debug)]
pub struct Synthesis {
    /// What was spoken.
    pub speech: Speech,
    /// How long the task waited for other tasks.
    pub queued: Duration,
    /// How long the task waited for the model to be loaded.
    pub loading: Duration,
}

/// Why nothing was spoken.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SynthesisError {
    /// Come back later.
    #[error("{waiting} jobs wait already, which is all that is allowed: try again later")]
    Overloaded {
        /// How many may wait.
        waiting: usize,
    },
    /// Somebody asked for it.
    #[error("the synthesis was stopped")]
    Stopped,
    /// The text, the voice or the model.
    #[error(transparent)]
    Speak(Arc<SpeakError>),
    /// The model cannot be used at all.
    #[error("the model {model} could not be loaded: {reason}")]
    Load {
        /// Its name.
        model: String,
        /// All that led to it.
        reason: String,
    },
    /// A defect.
    #[error("the synthesis broke down: {reason}")]
    Broken {
        /// What it said.
        reason: String,
    },
}

impl From<SynthesisError> for Failure {
    fn from(error: SynthesisError) -> Self {
        let code = match &error {
            SynthesisError::Overloaded { .. } => ErrorCode::Overloaded,
            SynthesisError::Stopped => ErrorCode::Cancelled,
            SynthesisError::Speak(error) if is_callers(error) => ErrorCode::InvalidInput,
            SynthesisError::Speak(error) if is_out_of_memory(&**error) => ErrorCode::OutOfMemory,
            SynthesisError::Speak(_) => ErrorCode::Internal,
            SynthesisError::Load { .. } | SynthesisError::Broken { .. } => ErrorCode::Internal,
        };
        Self::because(code, &error)
    }
}

/// Whether another text, voice or length would do.
const fn is_callers(error: &SpeakError) -> bool {
    matches!(error, SpeakError::NothingToSpeak | SpeakError::Plan(_))
}

/// Whether the device had no memory left; kernels tell it as the system does.
fn is_out_of_memory(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return error.kind() == io::ErrorKind::OutOfMemory;
        }
        cause = error.source();
    }
    false
}

/// A share from 0 to 1 that one thread writes and others read.
#[derive(Clone, Debug, Default)]
pub struct ProgressCell(Arc<AtomicU64>);

impl ProgressCell {
    /// Writes how much is done.
    pub fn set(&self, share: f64) {
        self.0
            .store(share.clamp(0.0, 1.0).to_bits(), Ordering::Relaxed);
    }

    /// How much is done.
    pub fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the kernel failed")]
    struct Kernel(#[source] io::Error);

    #[test]
    fn too_little_memory_is_told_from_other_failures() {
        assert!(is_out_of_memory(&Kernel(io::ErrorKind::OutOfMemory.into())));
        assert!(!is_out_of_memory(&Kernel(io::ErrorKind::NotFound.into())));
    }
}
