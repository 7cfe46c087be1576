//! Checks a recording before it becomes a voice: a bad one is refused with reasons, not heard later.
//!
//! Everything is measured on the recording as it was given, and what the engine would do with it and
//! say about it is asked of the engine itself.

mod fit;
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

pub use fit::TranscriptFit;
pub use report::{Finding, Measurements, Transcribed, Transcript, VoiceReport};

use crate::{
    storage::hexadecimal,
    transcription::{Absence, Heard},
};

/// What is known of what is said in a recording.
#[derive(Clone, Debug)]
pub enum Said<'a> {
    /// Its owner says so.
    Given(&'a str),
    /// A recogniser heard it.
    Heard {
        /// What it heard.
        heard: &'a Heard,
        /// Its model.
        model: &'a str,
    },
    /// Nothing yet: this model will hear it when the voice is first used, or nobody will.
    Unknown(Result<&'a str, Absence>),
}

impl<'a> Said<'a> {
    fn text(&self) -> Option<&'a str> {
        match *self {
            Self::Given(text) => Some(text),
            Self::Heard { heard, .. } => Some(&heard.text),
            Self::Unknown(_) => None,
        }
    }
}

impl VoiceReport {
    /// Checks the bytes of an audio file and, if it is known, what is said in it.
    ///
    /// Takes about 2 ms for each second of the recording, of which a minute is analysed, and another 12 ms for each
    /// second of the reference in which the transcript is looked for.
    pub fn of(name: &str, bytes: &[u8], said: &Said<'_>) -> Self {
        let text = said.text().and_then(ReferenceText::new);
        let state = match (said, &text) {
            (Said::Given(_), Some(_)) => Transcript::Given,
            (Said::Heard { .. }, Some(_)) => Transcript::Transcribed,
            (Said::Unknown(_), _) | (_, None) => Transcript::Missing,
        };
        let mut report = Self::new(name, version(bytes), state);
        if let (Said::Heard { heard, model }, Some(_)) = (said, &text) {
            report.transcription = Some(Transcribed::new(heard, model));
        }
        match audio::decode(bytes, &DecodeLimits::default()) {
            Ok(recording) => report.add(bytes, &recording, text.as_ref(), said),
            Err(error) => report.errors.push(judge::undecodable(&error)),
        }
        report
    }

    fn add(
        &mut self,
        bytes: &[u8],
        recording: &Recording,
        text: Option<&ReferenceText>,
        said: &Said<'_>,
    ) {
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
            if let Some(text) = said.text() {
                let fit = TranscriptFit::of(&trimmed, text);
                self.warnings.extend(judge::misfit(&fit, self.transcript));
                self.transcript_fit = Some(fit);
            }
            judge::advice(self, &measured, said);
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
