//! Voices that are ready to speak, kept in memory.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use f5tts_engine::{
    Voice, VoiceError,
    audio::{self, DecodeLimits},
};
use sha2::{Digest, Sha256};

use super::check::TranscriptFit;
use crate::storage::hexadecimal;

/// A voice that is ready, what it is called, and which version it is.
#[derive(Clone, Debug)]
pub struct ReadyVoice {
    /// Its name as answers show it.
    pub name: String,
    /// The hash of recording and transcript: `sha256:…`
    pub version: String,
    /// The voice.
    pub voice: Voice,
    /// What its owner should know.
    pub warnings: Vec<String>,
    /// How long it took to write down what is said, or to wait for that, just now.
    pub transcription: Duration,
}

/// Whether a transcript is looked for in its recording.
#[derive(Clone, Copy, Debug)]
pub(super) enum FitCheck {
    /// Somebody gave it.
    Do,
    /// It is known to fit.
    Skip,
}

/// Decodes, trims and analyses a recording, and looks for its transcript in it.
pub(super) fn prepare(
    name: String,
    recording: &[u8],
    transcript: &str,
    check: FitCheck,
) -> Result<ReadyVoice, VoiceError> {
    let decoded = audio::decode(recording, &DecodeLimits::default())?;
    let voice = Voice::from_audio(&decoded, transcript)?;
    let misfit = match check {
        FitCheck::Skip => None,
        FitCheck::Do => TranscriptFit::of(&audio::trim_reference(&decoded), transcript).problem(),
    };
    let misfit = misfit.map(|problem| {
        format!("the transcript of the voice `{name}` does not seem to be what is said: {problem}")
    });
    Ok(ReadyVoice {
        version: version(recording, transcript),
        voice,
        warnings: misfit.into_iter().collect(),
        transcription: Duration::ZERO,
        name,
    })
}

/// Changes with the recording and with the transcript, and with nothing else.
pub(super) fn version(recording: &[u8], transcript: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(Sha256::digest(recording));
    hash.update(transcript.as_bytes());
    format!("sha256:{}", hexadecimal(&hash.finalize()))
}

/// A mel of twelve seconds has 450 kB, so this is 30 MB.
const MOST: usize = 64;

/// The voices that spoke last, the latest at the back.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    voices: Mutex<VecDeque<Entry>>,
}

#[derive(Debug)]
struct Entry {
    /// What the store said of its files when it was read.
    state: String,
    voice: ReadyVoice,
}

impl Prepared {
    pub(super) fn by_state(&self, state: &str) -> Option<ReadyVoice> {
        let mut voices = self.lock();
        let index = voices.iter().position(|entry| entry.state == state)?;
        let entry = voices.remove(index)?;
        let voice = entry.voice.clone();
        voices.push_back(entry);
        Some(voice)
    }

    pub(super) fn by_version(&self, version: &str) -> Option<ReadyVoice> {
        let voices = self.lock();
        let mut entries = voices.iter();
        entries
            .find(|entry| entry.voice.version == version)
            .map(|entry| entry.voice.clone())
    }

    pub(super) fn keep(&self, state: String, voice: ReadyVoice) {
        let mut voices = self.lock();
        voices.retain(|entry| entry.state != state);
        while voices.len() >= MOST {
            voices.pop_front();
        }
        voices.push_back(Entry { state, voice });
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        // A panic between two of these calls leaves the list whole.
        self.voices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
