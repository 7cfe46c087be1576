//! A voice: a short recording and what is said in it, prepared once.

use std::{ops::RangeInclusive, sync::Arc};

use crate::{
    HOP_LENGTH, SAMPLE_RATE_HZ,
    audio::{self, DecodeLimits, Mel, Recording},
    error::VoiceError,
    text::reference::ReferenceText,
    warning::Warning,
};

/// Quieter references are raised to this level, and the speech is lowered by as much.
const TARGET_RMS: f32 = 0.1;
/// From this share of samples at full scale on, a recording counts as overdriven.
const OVERDRIVEN_SHARE: f32 = 0.001;
/// Characters a second that speech has, from slow English to fast; Chinese has fewer.
const LIKELY_PACE: RangeInclusive<f64> = 2.5..=30.0;

/// A recording, trimmed and analysed, with its transcript.
///
/// It does not depend on a model and is cheap to clone. What the official code does in every call
/// (`preprocess_ref_audio_text` and the first half of `infer_batch_process`) is done once, here.
#[derive(Clone, Debug)]
pub struct Voice {
    prepared: Arc<Prepared>,
}

#[derive(Debug)]
struct Prepared {
    transcript: ReferenceText,
    mel: Mel,
    samples: usize,
    seconds: f64,
    rms: f32,
    warnings: Vec<Warning>,
}

impl Voice {
    /// Prepares a recording in which `transcript` is said.
    ///
    /// # Errors
    /// An empty transcript, or a recording of which too little is left without its silence.
    pub fn from_audio(recording: &Recording, transcript: &str) -> Result<Self, VoiceError> {
        let mut voice = Self::prepare(&audio::trim_reference(recording), transcript)?;
        voice.warnings.splice(..0, recording_warnings(recording));
        Ok(Self { prepared: Arc::new(voice) })
    }

    /// Takes a recording as it is, untrimmed.
    ///
    /// # Errors
    /// As [`Voice::from_audio`].
    pub fn from_trimmed(recording: &Recording, transcript: &str) -> Result<Self, VoiceError> {
        Ok(Self { prepared: Arc::new(Self::prepare(recording, transcript)?) })
    }

    fn prepare(trimmed: &Recording, transcript: &str) -> Result<Prepared, VoiceError> {
        let text = ReferenceText::new(transcript).ok_or(VoiceError::NoTranscript)?;
        let mut samples = trimmed.to_mono();
        let rms = audio::rms(&samples);
        if rms < TARGET_RMS {
            samples
                .iter_mut()
                .for_each(|sample| *sample *= TARGET_RMS / rms);
        }
        let samples = audio::resample(&samples, trimmed.format().sample_rate_hz, SAMPLE_RATE_HZ);
        if rms == 0.0 || samples.len() < SHORTEST_SAMPLES {
            return Err(VoiceError::NoSpeech { seconds: trimmed.duration().as_secs_f64() });
        }
        // The official quotient: rounded to nanoseconds it could make a chunk a byte shorter.
        let seconds = trimmed.frames() as f64 / f64::from(trimmed.format().sample_rate_hz);
        let mut warnings: Vec<Warning> = trimmed
            .warnings()
            .iter()
            .cloned()
            .map(Warning::Recording)
            .collect();
        warnings.extend(transcript_warnings(&text, seconds));
        Ok(Prepared {
            transcript: text,
            mel: audio::log_mel(&samples)?,
            samples: samples.len(),
            seconds,
            rms,
            warnings,
        })
    }

    /// Decodes a recording, whatever its format, and prepares it.
    ///
    /// # Errors
    /// What [`audio::decode`] and [`Voice::from_audio`] refuse.
    pub fn from_bytes(bytes: &[u8], transcript: &str) -> Result<Self, VoiceError> {
        Self::from_audio(&audio::decode(bytes, &DecodeLimits::default())?, transcript)
    }

    /// What is said in the recording, with the ending that the model was trained with.
    pub fn transcript(&self) -> &ReferenceText {
        &self.prepared.transcript
    }

    /// The log-mel spectrogram: ([`Voice::mel_frames`], 100).
    pub fn mel(&self) -> &[f32] {
        &self.prepared.mel.values
    }

    /// Frames of the mel: one more than [`Voice::frames`].
    pub fn mel_frames(&self) -> usize {
        self.prepared.mel.frames
    }

    /// Whole hops of 256 samples.
    pub fn frames(&self) -> usize {
        self.prepared.samples / HOP_LENGTH
    }

    /// Samples at 24 kHz.
    pub fn samples(&self) -> usize {
        self.prepared.samples
    }

    /// The length that is left after trimming.
    pub fn seconds(&self) -> f64 {
        self.prepared.seconds
    }

    /// What spoils this voice.
    pub fn warnings(&self) -> &[Warning] {
        &self.prepared.warnings
    }

    /// The factor, at most 1, that brings speech back to the recording's level.
    pub(crate) fn output_gain(&self) -> f32 {
        (self.prepared.rms / TARGET_RMS).min(1.0)
    }
}

/// A quarter of a second; less is a click and no voice.
const SHORTEST_SAMPLES: usize = SAMPLE_RATE_HZ as usize / 4;

/// What spoils a recording, as it was given: part of [`Voice::warnings`].
pub fn recording_warnings(recording: &Recording) -> Vec<Warning> {
    let inspection = audio::inspect(&recording.to_mono(), recording.format().sample_rate_hz);
    let overdriven = (inspection.clipped_share > OVERDRIVEN_SHARE)
        .then_some(Warning::ReferenceOverdriven { clipped_share: inspection.clipped_share });
    let abrupt = inspection
        .ends_abruptly()
        .then_some(Warning::ReferenceEndsAbruptly);
    overdriven.into_iter().chain(abrupt).collect()
}

/// What makes a transcript unlikely for a trimmed recording: part of [`Voice::warnings`].
pub fn transcript_warnings(transcript: &ReferenceText, seconds: f64) -> Vec<Warning> {
    let unfinished = (!transcript.was_punctuated()).then_some(Warning::TranscriptWithoutFullStop);
    let characters_per_second = transcript.spoken().chars().count() as f64 / seconds;
    let pace = (!LIKELY_PACE.contains(&characters_per_second))
        .then_some(Warning::UnlikelyPace { characters_per_second });
    unfinished.into_iter().chain(pace).collect()
}
