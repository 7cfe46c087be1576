use std::{io, path::PathBuf};

use f5tts_engine::checkpoint::{CheckpointError, WeightsError};

/// Why a recording has no transcript.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AsrError {
    /// A file of the model is not there.
    #[error("`{}` is missing; a Whisper model is {}", .0.display(), crate::REQUIRED_FILES.join(", "))]
    MissingFile(PathBuf),
    /// A file of the model cannot be read.
    #[error("could not read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of the model is larger than such a file can be.
    #[error("`{}` has {bytes} bytes, more than the {limit} that such a file may have", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// A file of the model is not the JSON that it should be.
    #[error("`{}` is not what a Whisper model has there", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        source: serde_json::Error,
    },
    /// The files are those of something else.
    #[error(
        "the model is of the type `{0}`, not `whisper`; give the name of a Whisper model such as openai/whisper-base"
    )]
    OtherModel(String),
    /// A number of the configuration cannot be right.
    #[error("`{field}` of the Whisper model is {value}, expected {expected}")]
    Config {
        /// The field.
        field: &'static str,
        /// What it says.
        value: String,
        /// What it may say.
        expected: String,
    },
    /// The file of weights is damaged.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The file of weights does not belong to the configuration.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// An operation of the network failed.
    #[error(transparent)]
    Kernel(#[from] f5tts_kernels::Error),
    /// The language is not one that the model knows.
    #[error("the model knows no language `{language}`; it knows {known}")]
    Language {
        /// What was asked for.
        language: String,
        /// Some of those that it knows.
        known: String,
    },
    /// The recording holds nothing, or values that are no numbers.
    #[error("the recording {0}")]
    Recording(&'static str),
    /// There is no sound at all.
    #[error("no speech was found in the recording; give its text, or another recording")]
    NoSpeech,
    /// The network computed values that are no numbers.
    #[error("the Whisper model computed values that are not finite; its weights may be damaged")]
    NotFinite,
    /// Somebody asked to stop.
    #[error("the transcription was stopped")]
    Stopped,
}

impl From<f5tts_engine::Stopped> for AsrError {
    fn from(_: f5tts_engine::Stopped) -> Self {
        Self::Stopped
    }
}
