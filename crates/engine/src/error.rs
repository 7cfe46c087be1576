//! What can go wrong in the engine.

use crate::{
    audio::{DecodeError, TooShort},
    checkpoint::{CheckpointError, WeightsError},
    stop::Stopped,
    text::{plan::PlanError, vocab::VocabError},
};

/// A model that cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A file cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A tensor is not what the configuration says.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The vocabulary does not fit the text embedding.
    #[error(transparent)]
    Vocab(#[from] VocabError),
    /// The device refused.
    #[error(transparent)]
    Kernel(#[from] f5tts_kernels::Error),
}

/// A recording or transcript that makes no voice.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VoiceError {
    /// The recording cannot be decoded.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Nothing is said to be said.
    #[error("the reference has no transcript: give the text that is spoken in it")]
    NoTranscript,
    /// Without its silence, next to nothing is left.
    #[error(
        "no speech was found in the reference of {seconds:.1} s: give a recording of 3 to 12 s"
    )]
    NoSpeech {
        /// The length of the recording.
        seconds: f64,
    },
    /// The recording is shorter than an analysis window.
    #[error(transparent)]
    TooShort(#[from] TooShort),
}

/// A sampling that came to no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SampleError {
    /// Somebody asked to stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The network gave infinite values, or none at all.
    #[error(
        "the model gave values that are not finite at evaluation {evaluation}: its weights are damaged or do not fit its configuration"
    )]
    NotFinite {
        /// Counted from 1.
        evaluation: usize,
    },
    /// The vocoder gave infinite samples, or none at all.
    #[error(
        "the vocoder gave samples that are not finite: its weights are damaged or do not fit its configuration"
    )]
    NotFiniteWave,
    /// The parts of a request do not belong together.
    #[error("the request has {values} values of {what}, expected {expected}")]
    Request {
        /// Which part.
        what: &'static str,
        /// What it has.
        values: usize,
        /// What it must have.
        expected: usize,
    },
    /// The mapped weights could not be read again.
    #[error(transparent)]
    Weights(#[from] LoadError),
    /// The device refused.
    #[error(transparent)]
    Kernel(#[from] f5tts_kernels::Error),
}

/// A text that could not be spoken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpeakError {
    /// The text has nothing that can be spoken.
    #[error("there is nothing to speak: the text is empty")]
    NothingToSpeak,
    /// Text, voice and length do not fit the model.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The network came to no result.
    #[error(transparent)]
    Sample(#[from] SampleError),
}
