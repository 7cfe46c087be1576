//! What is said about a recording, and kept beside it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{TranscriptFit, measure::rounded};
use crate::transcription::Heard;

/// The form of reports that this program writes.
const VERSION: u32 = 1;

/// What a check found out about a recording: kept as `voices/STEM.json` and answered to an upload.
///
/// Fields that a newer program added are ignored, fields that an older one lacked are empty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VoiceReport {
    /// The form of the report.
    pub version: u32,
    /// The name under which the voice was given.
    pub name: String,
    /// The version of the voice: the hash of the recording's bytes, as `sha256:…`.
    pub sha256: String,
    /// Whether it is known what is said.
    pub transcript: Transcript,
    /// What a recogniser wrote down, where it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcription: Option<Transcribed>,
    /// How well the transcript fits what is heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript_fit: Option<TranscriptFit>,
    /// What was measured; nothing if the recording cannot be decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measurements: Option<Measurements>,
    /// Why the recording is refused: it is accepted if there are none.
    #[serde(default)]
    pub errors: Vec<Finding>,
    /// What will be heard in speech with this voice.
    #[serde(default)]
    pub warnings: Vec<Finding>,
    /// What would make it better.
    #[serde(default)]
    pub advice: Vec<Finding>,
}

impl VoiceReport {
    pub(super) fn new(name: &str, sha256: String, transcript: Transcript) -> Self {
        Self {
            version: VERSION,
            name: name.to_owned(),
            sha256,
            transcript,
            transcription: None,
            transcript_fit: None,
            measurements: None,
            errors: Vec::new(),
            warnings: Vec::new(),
            advice: Vec::new(),
        }
    }

    /// Whether the recording may be kept as a voice.
    pub fn is_accepted(&self) -> bool {
        self.errors.is_empty()
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

/// Where the transcript of a voice comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transcript {
    /// Its owner gave it.
    Given,
    /// There is none yet.
    Missing,
    /// A recogniser wrote it.
    Transcribed,
    /// A word of a newer program.
    #[serde(other)]
    Unknown,
}

/// What a recogniser wrote down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transcribed {
    /// The text.
    pub text: String,
    /// How sure the recogniser is of its words, from 0 to 1.
    pub confidence: f64,
    /// In which language, where it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The recogniser's model.
    pub model: String,
}

impl Transcribed {
    pub(crate) fn new(heard: &Heard, model: &str) -> Self {
        Self {
            text: heard.text.clone(),
            confidence: rounded(heard.confidence(), 3),
            language: heard.language.clone(),
            model: model.to_owned(),
        }
    }
}

/// Something about a recording that its owner should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// A name for programs, which stays.
    pub code: Cow<'static, str>,
    /// For people: what was measured, what is allowed or usual, what to do.
    pub message: String,
}

/// What was measured. Levels are those of all channels mixed, as the model hears them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Measurements {
    /// The kind of file, such as `WAV`.
    pub container: String,
    /// Frames a second, as given.
    pub sample_rate_hz: u32,
    /// Channels, as given.
    pub channels: usize,
    /// The length as given.
    pub duration_seconds: f64,
    /// The length that the model hears, without quiet edges and long pauses.
    pub trimmed_seconds: f64,
    /// Speech in it, pauses not counted.
    pub speech_seconds: f64,
    /// Speech from its first to its last sound, 0 to 1.
    pub speech_share: f64,
    /// Before the first sound of speech.
    pub leading_silence_seconds: f64,
    /// After the last sound of speech.
    pub trailing_silence_seconds: f64,
    /// Integrated loudness by EBU R 128; `None` for silence or less than 0.4 s.
    pub loudness_lufs: Option<f64>,
    /// The largest sample, in dB below full scale; `None` for silence.
    pub peak_dbfs: Option<f64>,
    /// Samples at full scale or on a flat top, 0 to 1.
    pub clipped_share: f64,
    /// Speech over noise, −20 to 90 dB; `None` where there is no speech.
    pub snr_db: Option<f64>,
    /// How much the level of each frequency changes: 7 dB and more for clean speech, 2 for noise.
    pub variation_db: f64,
    /// The highest frequency in speech; `None` where there is no speech.
    pub bandwidth_hz: Option<u32>,
    /// The mean of all samples; 1 is full scale.
    pub dc_offset: f64,
    /// Whether it starts in the middle of a sound.
    pub begins_abruptly: bool,
    /// Whether it stops in the middle of a sound.
    pub ends_abruptly: bool,
    /// Characters of the transcript by seconds that the model hears.
    pub characters_per_second: Option<f64>,
}
