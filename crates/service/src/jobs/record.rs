//! What a record of a job says. Records are only ever created; the last one counts.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::failure::{ErrorCode, Failure};

/// One change of a job's state, or a renewal of the lease on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Which process wrote it.
    pub writer: String,
    /// When, by that process's clock: for people. Ages are taken from the store's clock.
    pub written_at: String,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened to a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state")]
pub enum Event {
    /// It was accepted, or is to run again.
    #[serde(rename = "QUEUED")]
    Queued(Order),
    /// The writer works on it, for as long as the lease lasts.
    #[serde(rename = "PROCESSING")]
    Processing {
        /// How long nobody else may.
        lease_seconds: f64,
        /// How far it is, 0 to 1.
        progress: f64,
    },
    /// It has its answer.
    #[serde(rename = "COMPLETED")]
    Completed(Outcome),
    /// It has none.
    #[serde(rename = "ERROR")]
    Error {
        /// Why, in a sentence.
        error: String,
        /// Why, in a word.
        error_code: ErrorCode,
    },
}

/// What a job is to do; enough for any process to do it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The request as it came.
    pub input: Map<String, Value>,
    /// The noise's seed, drawn once, so that whoever does it gets the same.
    pub seed: u64,
}

/// What a finished job made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The answer, but what is made anew each time: URLs and audio in base64.
    pub answer: Map<String, Value>,
    /// The extension of its audio in the store.
    pub audio: String,
    /// The extensions of its timing files in the store.
    #[serde(default)]
    pub timings: Vec<String>,
}

/// The states that clients know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// Accepted.
    Queued,
    /// At work.
    Processing,
    /// Done.
    Completed,
    /// Ended without an answer.
    Error,
}

impl State {
    /// As clients read it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Processing => "PROCESSING",
            Self::Completed => "COMPLETED",
            Self::Error => "ERROR",
        }
    }
}

impl Event {
    /// The state that it leads to.
    pub const fn state(&self) -> State {
        match self {
            Self::Queued(_) => State::Queued,
            Self::Processing { .. } => State::Processing,
            Self::Completed(_) => State::Completed,
            Self::Error { .. } => State::Error,
        }
    }
}

impl From<&Failure> for Event {
    fn from(failure: &Failure) -> Self {
        Self::Error {
            error: failure.message().to_owned(),
            error_code: failure.code(),
        }
    }
}
