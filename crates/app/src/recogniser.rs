//! What writes down what is said in recordings without a transcript.

use f5tts_service::transcription::{Absence, Transcription};

use crate::config::TranscriptionSettings;

/// The model that stands for none.
const OFF: &str = "off";

/// What hears recordings, or why nobody does.
pub(crate) fn transcription(settings: &TranscriptionSettings) -> Transcription {
    Transcription::absent(if settings.asr_model.eq_ignore_ascii_case(OFF) {
        Absence::Forbidden
    } else {
        Absence::NotBuilt
    })
}
