//! The seam to speech recognition: a recording goes in, what is said in it comes out.
//!
//! [`Transcription`] is what voices ask: it hears each recording once, one at a time, within its time.

mod desk;

use std::{fmt::Debug, sync::Arc, time::Duration};

use f5tts_engine::Stop;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

pub use desk::Transcription;

use crate::failure::{ErrorCode, Failure};

/// What writes down what is said.
pub trait Transcriber: Debug + Send + Sync {
    /// The name of its model.
    fn model(&self) -> &str;

    /// Writes down what is said. It computes for as long as that takes, and brings its model if need be.
    ///
    /// The model is in memory for no longer than this call.
    ///
    /// # Errors
    /// The model cannot be had, or there is nothing that it understands.
    fn transcribe(&self, task: &Listening) -> Result<Heard, TranscribeError>;
}

/// A recording to be heard.
#[derive(Clone, Debug)]
pub struct Listening {
    /// Mono samples within ±1.
    pub samples: Arc<[f32]>,
    /// Samples a second.
    pub sample_rate_hz: u32,
    /// Stops it.
    pub stop: Stop,
    /// Told once the model's files are here: from then on it may take its time and no more.
    pub begun: Arc<Notify>,
}

/// What was heard, and how sure that is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Heard {
    /// What is said.
    pub text: String,
    /// In which language, as `en`; nothing where the model knows just one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The mean of the logarithms of the tokens' probabilities.
    pub mean_log_probability: f64,
    /// How likely it is that nobody speaks, from 0 to 1; nothing where the model does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_speech_probability: Option<f64>,
    /// The bytes of the text by what compression leaves of them.
    pub compression_ratio: f64,
}

/// Beyond, a text repeats itself: the limit of Whisper's own program.
const MOST_COMPRESSION: f64 = 2.4;
/// Beyond, nobody speaks, unless the model is sure of the words: the limits of Whisper's own program.
const MOST_NO_SPEECH: f64 = 0.6;
const LEAST_LOG_PROBABILITY: f64 = -1.0;

impl Heard {
    /// How sure the model is of the words: the geometric mean of the tokens' probabilities.
    pub fn confidence(&self) -> f64 {
        self.mean_log_probability.exp().clamp(0.0, 1.0)
    }

    /// The text without blanks around it, if it may be what is said.
    ///
    /// # Errors
    /// Nobody speaks, or the model lost itself in a loop.
    pub fn believable(mut self) -> Result<Self, TranscribeError> {
        let is_unsure = self.mean_log_probability < LEAST_LOG_PROBABILITY;
        let no_speech = self.no_speech_probability.unwrap_or(0.0);
        if !self.text.chars().any(char::is_alphanumeric)
            || (no_speech > MOST_NO_SPEECH && is_unsure)
        {
            return Err(TranscribeError::NoSpeech);
        }
        if self.compression_ratio > MOST_COMPRESSION {
            return Err(TranscribeError::Repeats { compression_ratio: self.compression_ratio });
        }
        self.text = self.text.trim().to_owned();
        Ok(self)
    }
}

/// There is nobody who could hear: the operator does not want it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("transcription is switched off (ASR_MODEL is `off`)")]
pub struct Absence;

/// Why a recording was not written down.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TranscribeError {
    /// There is no recogniser.
    #[error(transparent)]
    Absent(#[from] Absence),
    /// The recogniser's model cannot be had or used.
    #[error("the recogniser's model {model} cannot be used: {reason}")]
    Model {
        /// Its name.
        model: String,
        /// All that led to it, and what to do.
        reason: String,
    },
    /// The file cannot be decoded.
    #[error("the recording cannot be read: {reason}")]
    Recording {
        /// All that led to it.
        reason: String,
    },
    /// Silence, noise, music.
    #[error("no speech was heard in the recording")]
    NoSpeech,
    /// The model says the same over and over.
    #[error(
        "the recogniser repeats itself on the recording (its text can be compressed {compression_ratio:.1} times, at most {MOST_COMPRESSION} are usual), so its text was dropped"
    )]
    Repeats {
        /// How much the text can be compressed.
        compression_ratio: f64,
    },
    /// Somebody asked for it.
    #[error("the transcription was stopped")]
    Stopped,
    /// It took longer than it may.
    #[error("the transcription took longer than {} s (PROCESSING_TIMEOUT)", limit.as_secs_f64())]
    TimedOut {
        /// How long it may take.
        limit: Duration,
    },
    /// There is too little memory.
    #[error("there is too little memory for the recogniser's model {model}: {reason}")]
    OutOfMemory {
        /// Its name.
        model: String,
        /// What the system said.
        reason: String,
    },
    /// A defect.
    #[error("the transcription broke down: {reason}")]
    Broken {
        /// What it said.
        reason: String,
    },
}

impl TranscribeError {
    /// Whether the same recording leads to it again.
    const fn is_about_the_recording(&self) -> bool {
        matches!(self, Self::Recording { .. } | Self::NoSpeech | Self::Repeats { .. })
    }

    /// Why, in a word that programs compare.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Absent(_) | Self::Model { .. } | Self::NoSpeech | Self::Repeats { .. } => {
                ErrorCode::TranscriptMissing
            }
            Self::Recording { .. } => ErrorCode::VoiceRejected,
            Self::Stopped => ErrorCode::Cancelled,
            Self::TimedOut { .. } => ErrorCode::TimedOut,
            Self::OutOfMemory { .. } => ErrorCode::OutOfMemory,
            Self::Broken { .. } => ErrorCode::Internal,
        }
    }
}

impl From<TranscribeError> for Failure {
    fn from(error: TranscribeError) -> Self {
        Self::because(error.code(), &error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(text: &str, log: f64, no_speech: f64, compression_ratio: f64) -> Heard {
        Heard {
            text: text.to_owned(),
            language: None,
            mean_log_probability: log,
            no_speech_probability: Some(no_speech),
            compression_ratio,
        }
    }

    #[test]
    fn speech_is_believed_and_trimmed() {
        let believed = heard(" Hello. ", -0.1, 0.9, 1.0).believable().unwrap();
        assert_eq!(believed.text, "Hello.");
        assert!((believed.confidence() - 0.905).abs() < 1e-3);
    }

    #[test]
    fn silence_and_loops_are_not() {
        for text in ["", " ", "...", "♪♪"] {
            let error = heard(text, -0.1, 0.0, 1.0).believable().unwrap_err();
            assert_eq!(error, TranscribeError::NoSpeech, "{text:?}");
        }
        let unsure = heard("You", -1.5, 0.9, 1.0).believable();
        assert_eq!(unsure, Err(TranscribeError::NoSpeech));
        let loops = heard("la la la la la", -0.1, 0.0, 5.0)
            .believable()
            .unwrap_err();
        assert!(loops.to_string().contains("repeats itself"), "{loops}");
    }
}
