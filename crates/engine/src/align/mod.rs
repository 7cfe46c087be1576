//! When each word of a text is spoken, measured on the audio.
//!
//! [`Aligner::words`] cuts a text into words, [`Aligner::align`] finds them in a recording, and
//! [`Aligner::align_speech`] in a speech of this engine, chunk by chunk. Inside, in the order of the
//! work: `features` describes the audio, `acoustic` rates how well each sound fits each frame,
//! `pronounce` turns words into the sounds that they may stand for, `decode` searches for their
//! most likely places, and `evidence` and `confidence` judge how sure these are.

mod acoustic;
mod confidence;
mod decode;
mod evidence;
mod features;
mod found;
mod lattice;
mod phone;
mod pronounce;
mod report;
mod speech;
mod spoken;
mod timeline;
mod viterbi;
mod words;

pub use self::{
    evidence::Evidence,
    report::{METHOD, TimingReport, TimingStatus},
    timeline::SHORTEST_WORD,
};

use self::{
    acoustic::{MODEL, Scores},
    decode::Placed,
    features::{HOP, features},
    found::Found,
    pronounce::{Reader, Spelling},
    spoken::Spoken,
};
use crate::text::tokenize::Tokenizer;

/// When a word is spoken.
#[derive(Clone, Debug, PartialEq)]
pub struct WordTiming {
    /// The word as written.
    pub word: String,
    /// Where it begins, in seconds.
    pub start: f64,
    /// Where it ends, in seconds.
    pub end: f64,
    /// How sure it is that the word is there, from 0 to 1.
    pub confidence: f64,
}

/// The words of a text in audio.
#[derive(Clone, Debug, PartialEq)]
pub struct Alignment {
    /// Every word in order: times rise from 0 to the duration of the audio.
    pub words: Vec<WordTiming>,
    /// What the confidence of each word rests on; `None` for a word without sound.
    pub evidence: Vec<Option<Evidence>>,
    /// How sure it is that the audio holds the text, from 0 to 1.
    pub confidence: f64,
}

/// Why words could not be placed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AlignError {
    /// There is no audio.
    #[error("the audio has no samples")]
    NoSamples,
    /// A sample is no number.
    #[error("sample {index} of the audio is {value}, not a finite number")]
    NotFinite {
        /// Which.
        index: usize,
        /// What it is.
        value: f32,
    },
    /// The rate is out of range.
    #[error("a sample rate of {sample_rate_hz} Hz cannot be aligned, allowed are {} to {} Hz", SAMPLE_RATES_HZ.0, SAMPLE_RATES_HZ.1)]
    SampleRate {
        /// What was given.
        sample_rate_hz: u32,
    },
    /// More audio than is aligned at once.
    #[error("the audio lasts {seconds:.0} s, at most {MOST_SECONDS} s are aligned at once")]
    TooLong {
        /// Its duration.
        seconds: f64,
    },
    /// Nothing is heard.
    #[error("the audio is silent")]
    Silent,
    /// There are no words, or none that sounds.
    #[error("the text has no word that sounds")]
    NothingSpoken,
    /// There are no rules for the script, or only numbers of an unknown language.
    #[error("it is not known how any word of the text sounds")]
    UnknownSounds,
    /// Nobody speaks so fast.
    #[error("the text takes at least {least_seconds:.2} s, the audio lasts {seconds:.2} s")]
    TooShort {
        /// The duration of the audio.
        seconds: f64,
        /// What the text takes at the least.
        least_seconds: f64,
    },
    /// Something else is spoken.
    #[error(
        "the audio does not hold the text: confidence {confidence:.2}, at least {LEAST_CONFIDENCE} is needed"
    )]
    Mismatch {
        /// How sure it is that the audio holds the text.
        confidence: f64,
    },
    /// A speech was not made of this text.
    #[error("the speech was made of another text")]
    OtherText,
    /// A chunk of a speech could not be aligned.
    #[error("could not align the chunk `{text}`")]
    Chunk {
        /// Its text.
        text: String,
        /// Why.
        source: Box<Self>,
    },
}

/// The lowest and the highest rate of audio that is aligned.
pub const SAMPLE_RATES_HZ: (u32, u32) = (8_000, 192_000);
/// The most audio that is aligned at once, in seconds.
pub const MOST_SECONDS: u32 = 600;
/// With less confidence in a whole text, [`Aligner::align`] fails.
pub const LEAST_CONFIDENCE: f64 = 0.25;
/// A word with less confidence is probably not in the audio.
pub const MISSING_BELOW: f64 = 0.2;

/// Audio with a lower root mean square is silent: a tenth of the last bit of 16.
const SILENCE_RMS: f32 = 3e-6;
/// How much better, per frame, other European spelling must fit than English to be preferred: its
/// rules allow more.
const EUROPEAN_MARGIN: f32 = 0.2;

/// Finds when words are spoken.
#[derive(Clone, Copy, Debug)]
pub struct Aligner<'a> {
    tokenizer: &'a Tokenizer,
}

impl<'a> Aligner<'a> {
    /// An aligner that reads Chinese with the dictionaries of a tokenizer.
    pub const fn new(tokenizer: &'a Tokenizer) -> Self {
        Self { tokenizer }
    }

    /// The words of a text, in order and as written; together they are the text without its blanks.
    ///
    /// A word is what stands between blanks; Chinese and Japanese, which have none, are segmented.
    pub fn words<'t>(&self, text: &'t str) -> Vec<&'t str> {
        words::words(text, self.tokenizer)
    }

    /// Finds when each word is spoken in mono audio.
    ///
    /// A word without sound, such as a dash, gets the gap between its neighbours.
    ///
    /// # Errors
    /// If the audio or the words cannot be aligned, and if the audio does not hold the words.
    pub fn align(
        &self,
        samples: &[f32],
        sample_rate_hz: u32,
        words: &[&str],
    ) -> Result<Alignment, AlignError> {
        self.measure(samples, sample_rate_hz, words)?.believable()
    }

    /// Finds where each word is spoken if it is, however unlikely that is.
    ///
    /// # Errors
    /// If the audio or the words cannot be aligned.
    pub fn measure(
        &self,
        samples: &[f32],
        sample_rate_hz: u32,
        words: &[&str],
    ) -> Result<Alignment, AlignError> {
        let found = self.find(samples, sample_rate_hz, words)?;
        if !found::is_heard(&found) {
            return Err(AlignError::UnknownSounds);
        }
        Ok(found::alignment(words, found, seconds_of(samples.len(), sample_rate_hz)))
    }

    /// What is found out about each word; `None` for one without sound.
    fn find(
        &self,
        samples: &[f32],
        sample_rate_hz: u32,
        words: &[&str],
    ) -> Result<Vec<Option<Found>>, AlignError> {
        let spoken = self.spoken(words, Spelling::English)?;
        check(samples, sample_rate_hz)?;
        let too_short = AlignError::TooShort {
            seconds: seconds_of(samples.len(), sample_rate_hz),
            least_seconds: frame_seconds(spoken.least_frames()),
        };
        let samples = crate::audio::resample(samples, sample_rate_hz, features::SAMPLE_RATE_HZ);
        if spoken.least_frames() > samples.len().div_ceil(HOP) {
            return Err(too_short);
        }
        let scores = MODEL.scores(&features(&samples));
        let placed = spoken.place(&scores).ok_or(too_short)?;
        let (spoken, placed) = self.best_spelling(words, &scores, (spoken, placed));
        Ok(spoken.found(&placed.places, &scores))
    }

    fn spoken(&self, words: &[&str], spelling: Spelling) -> Result<Spoken, AlignError> {
        let reader = Reader::new(words, spelling, self.tokenizer);
        Spoken::new(words.iter().map(|word| reader.pronounce(word)).collect())
            .ok_or(AlignError::NothingSpoken)
    }

    /// Reads the words in other European languages too, and keeps what fits better.
    fn best_spelling(
        &self,
        words: &[&str],
        scores: &Scores,
        (english, placed): (Spoken, Placed),
    ) -> (Spoken, Placed) {
        let margin = EUROPEAN_MARGIN * count(scores.frames());
        let other = self
            .spoken(words, Spelling::European)
            .ok()
            .filter(Spoken::knows_a_word)
            .and_then(|spoken| {
                let placed = spoken.place(scores)?;
                Some((spoken, placed))
            });
        match other {
            Some((european, other)) if other.score > placed.score + margin => (european, other),
            Some(_) | None => (english, placed),
        }
    }
}

impl Alignment {
    /// Itself, unless the audio probably holds something else.
    fn believable(self) -> Result<Self, AlignError> {
        let confidence = self.confidence;
        if confidence < LEAST_CONFIDENCE {
            return Err(AlignError::Mismatch { confidence });
        }
        Ok(self)
    }

    /// The places in the text of the words that are probably not in the audio.
    pub fn missing(&self) -> impl Iterator<Item = usize> {
        let words = self.words.iter().zip(&self.evidence).enumerate();
        words
            .filter(|(_, (word, evidence))| evidence.is_some() && word.confidence < MISSING_BELOW)
            .map(|(index, _)| index)
    }
}

fn check(samples: &[f32], sample_rate_hz: u32) -> Result<(), AlignError> {
    if samples.is_empty() {
        return Err(AlignError::NoSamples);
    }
    if !(SAMPLE_RATES_HZ.0..=SAMPLE_RATES_HZ.1).contains(&sample_rate_hz) {
        return Err(AlignError::SampleRate { sample_rate_hz });
    }
    let seconds = seconds_of(samples.len(), sample_rate_hz);
    if seconds > f64::from(MOST_SECONDS) {
        return Err(AlignError::TooLong { seconds });
    }
    if let Some(index) = samples.iter().position(|sample| !sample.is_finite()) {
        return Err(AlignError::NotFinite { index, value: samples[index] });
    }
    if crate::audio::rms(samples) < SILENCE_RMS {
        return Err(AlignError::Silent);
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "no audio has 2^52 samples")]
fn seconds_of(samples: usize, sample_rate_hz: u32) -> f64 {
    samples as f64 / f64::from(sample_rate_hz)
}

#[expect(clippy::cast_precision_loss, reason = "no audio has 2^24 frames")]
fn count(frames: usize) -> f32 {
    frames as f32
}

/// Where a frame begins.
fn frame_seconds(frame: usize) -> f64 {
    seconds_of(frame.saturating_mul(HOP), features::SAMPLE_RATE_HZ)
}
