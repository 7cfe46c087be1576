//! Checks a recording before it becomes a voice: a bad one is refused with reasons, not heard later.
//!
//! Everything is measured on the recording as it was given, and what the engine would do with it and
//! say about it is asked of the engine itself.

mod judge;
mod measure;
mod report;
mod spectrum;
mod speech;
#[cfg(test)]
mod tests;

use f5tts_engine::{
    Warning,
    audio::{self, DecodeLimits, Recording},
    recording_warnings,
    text::reference::ReferenceText,
    transcript_warnings,
};
use sha2::{Digest, Sha256};

pub use report::{Finding, Measurements, Transcript, VoiceReport};

use crate::storage::hexadecimal;

impl VoiceReport {
    /// Checks the bytes of an audio file and, if given, what is said in it.
    ///
    /// Takes about 2 ms for each second of the recording, of which a minute is analysed.
    pub fn of(name: &str, bytes: &[u8], transcript: Option<&str>) -> Self {
        let text = transcript.and_then(ReferenceText::new);
        let state = match text {
            Some(_) => Transcript::Given,
            None => Transcript::Missing,
        };
        let mut report = Self::new(name, version(bytes), state);
        match audio::decode(bytes, &DecodeLimits::default()) {
            Ok(recording) => report.add(bytes, &recording, text.as_ref()),
            Err(error) => report.errors.push(judge::undecodable(&error)),
        }
        report
    }

    fn add(&mut self, bytes: &[u8], recording: &Recording, text: Option<&ReferenceText>) {
        let trimmed = audio::trim_reference(recording);
        let mut measured = measure::measure(recording, &trimmed);
        measured.container = audio::container(bytes).unwrap_or("unknown").to_owned();
        if let Some(text) = text {
            let characters = text.spoken().chars().count() as f64;
            let per_second = characters / trimmed.duration().as_secs_f64();
            measured.characters_per_second = Some(measure::rounded(per_second, 1));
        }
        judge::errors(self, &measured);
        // A refused recording has one reason, not all that follow from it.
        if self.is_accepted() {
            judge::warnings(self, &measured, engine_warnings(recording, &trimmed, text));
            judge::advice(self, &measured);
        }
        self.measurements = Some(measured);
    }
}

/// What the engine will say whenever this voice speaks.
fn engine_warnings(
    recording: &Recording,
    trimmed: &Recording,
    text: Option<&ReferenceText>,
) -> Vec<Warning> {
    let mut warnings = recording_warnings(recording);
    warnings.extend(trimmed.warnings().iter().cloned().map(Warning::Recording));
    if let Some(text) = text {
        warnings.extend(transcript_warnings(text, trimmed.duration().as_secs_f64()));
    }
    warnings
}

/// The version of a voice with this recording: its content hash.
fn version(bytes: &[u8]) -> String {
    format!("sha256:{}", hexadecimal(&Sha256::digest(bytes)))
}
