//! How a job fails, as its client reads it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::storage::{Fault, StorageError};

/// Why, in a word that programs compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorCode {
    /// The request must be changed.
    InvalidInput,
    /// There is no such voice.
    VoiceNotFound,
    /// The recording cannot become a voice.
    VoiceRejected,
    /// A voice without transcript, and nothing that could hear it.
    TranscriptMissing,
    /// What a URL names cannot be had.
    FetchFailed,
    /// There is no such job.
    JobNotFound,
    /// The job is not finished.
    JobNotComplete,
    /// The job is finished and cannot be cancelled.
    JobFinished,
    /// The id or key belongs to another request.
    JobConflict,
    /// A record of the job cannot be read.
    RecordDamaged,
    /// There is no such output.
    OutputNotFound,
    /// Somebody asked to stop it.
    Cancelled,
    /// It took too long.
    TimedOut,
    /// Too many jobs wait.
    Overloaded,
    /// The answer is larger than the platform takes.
    ResultTooLarge,
    /// The store does not answer, or refuses.
    StoreUnavailable,
    /// The store's disk is full.
    StoreFull,
    /// The device has too little memory.
    OutOfMemory,
    /// A defect, ours or the model's.
    Internal,
    /// A word of a later version.
    #[serde(other)]
    Unknown,
}

impl ErrorCode {
    /// Whether the client must change something.
    pub const fn is_callers(self) -> bool {
        match self {
            Self::InvalidInput
            | Self::VoiceNotFound
            | Self::VoiceRejected
            | Self::TranscriptMissing
            | Self::FetchFailed
            | Self::JobNotFound
            | Self::JobNotComplete
            | Self::JobFinished
            | Self::JobConflict
            | Self::OutputNotFound => true,
            Self::RecordDamaged
            | Self::Cancelled
            | Self::TimedOut
            | Self::Overloaded
            | Self::ResultTooLarge
            | Self::StoreUnavailable
            | Self::StoreFull
            | Self::OutOfMemory
            | Self::Internal
            | Self::Unknown => false,
        }
    }

    /// As clients read it.
    pub fn name(self) -> String {
        match serde_json::to_value(self) {
            Ok(Value::String(name)) => name,
            _ => "unknown".to_owned(),
        }
    }
}

/// One clear sentence and a code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    code: ErrorCode,
    message: String,
    details: Option<Value>,
}

impl Failure {
    /// Fails with a sentence for the client.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: None }
    }

    /// Fails with all that led to it, in one sentence.
    pub fn because(code: ErrorCode, error: &dyn std::error::Error) -> Self {
        Self::new(code, chain(error))
    }

    /// Adds what programs may want to know, such as a voice's report.
    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }

    /// Why, in a word.
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// Why, in a sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The answer of a job that failed.
    pub fn to_json(&self) -> Value {
        let mut answer = json!({ "error": self.message, "error_code": self.code });
        if let (Some(details), Some(answer)) = (&self.details, answer.as_object_mut()) {
            answer.insert("voice".to_owned(), details.clone());
        }
        answer
    }
}

/// An error with its causes, one after the other.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        let code = if matches!(error, StorageError::Full { .. }) {
            ErrorCode::StoreFull
        } else if error.fault() == Fault::Caller && !error.is_missing() {
            ErrorCode::InvalidInput
        } else {
            ErrorCode::StoreUnavailable
        };
        let advice = error
            .advice()
            .map_or_else(String::new, |advice| format!(": {advice}"));
        Self::new(code, format!("{}{advice}", error.line()))
    }
}
