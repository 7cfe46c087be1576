//! How long a text takes to speak, in mel frames.
//!
//! The model does not predict durations: the reference recording sets the pace, and the length of a
//! text is its number of UTF-8 bytes. A *duration* here always includes the frames of the reference.

use crate::{HOP_LENGTH, SAMPLE_RATE_HZ};

/// No duration is longer, whatever the text.
pub const MAX_FRAMES: usize = 65_536;

/// Texts with fewer bytes are spoken slowly whatever the speed, because their estimate is unreliable.
pub const SHORT_TEXT_BYTES: usize = 10;
const SHORT_TEXT_SPEED: f64 = 0.3;
/// Reference and speech together should stay below this, where the model was trained.
const WINDOW_SECONDS: f64 = 22.0;

/// A number outside of what is allowed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{name} is {value}, allowed is {least} to {most}")]
pub struct OutOfRange {
    /// What the number means.
    pub name: &'static str,
    /// The number that was given.
    pub value: f64,
    /// The least that is allowed.
    pub least: f64,
    /// The most that is allowed.
    pub most: f64,
}

impl OutOfRange {
    /// The value, if it lies in the range; NaN never does.
    pub(crate) fn check(name: &'static str, value: f64, range: (f64, f64)) -> Result<f64, Self> {
        let (least, most) = range;
        if (least..=most).contains(&value) {
            Ok(value)
        } else {
            Err(Self { name, value, least, most })
        }
    }
}

/// A factor on the pace of the reference: 2 is twice as fast.
///
/// Invariant: within [`Speed::RANGE`]. It is an `f64` because the estimate truncates: 0.7 as `f32`
/// gives another number of frames here and there.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Speed(f64);

impl Speed {
    /// The least and the largest factor, those of the original's own interface.
    pub const RANGE: (f64, f64) = (0.3, 2.0);
    /// As fast as the reference.
    pub const NORMAL: Self = Self(1.0);

    /// The factor.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl Default for Speed {
    fn default() -> Self {
        Self::NORMAL
    }
}

impl TryFrom<f64> for Speed {
    type Error = OutOfRange;

    fn try_from(value: f64) -> Result<Self, OutOfRange> {
        OutOfRange::check("speed", value, Self::RANGE).map(Self)
    }
}

/// The pace that a reference recording and its transcript set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Whole hops in the recording: one less than it has mel frames.
    reference_frames: usize,
    /// UTF-8 bytes of the transcript as the network reads it.
    reference_bytes: usize,
}

/// Why a reference sets no pace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PaceError {
    /// The recording does not even fill one frame.
    #[error("the reference recording has {samples} samples, at least {HOP_LENGTH} are needed")]
    Recording {
        /// Its length at 24 kHz.
        samples: usize,
    },
    /// There is no transcript.
    #[error("the transcript of the reference is empty")]
    Transcript,
}

impl Pace {
    /// The pace of `samples` (24 kHz) that speak `reference_bytes` of text.
    ///
    /// The bytes are those of [`crate::text::reference::ReferenceText::prompt`].
    pub const fn new(samples: usize, reference_bytes: usize) -> Result<Self, PaceError> {
        if samples < HOP_LENGTH {
            return Err(PaceError::Recording { samples });
        }
        if reference_bytes == 0 {
            return Err(PaceError::Transcript);
        }
        Ok(Self { reference_frames: samples / HOP_LENGTH, reference_bytes })
    }

    /// Where the speech begins in the output: frames that belong to the reference.
    ///
    /// The mel of the reference has one frame more, so the first frame behind this place still
    /// belongs to the reference. The original cuts here, too.
    pub const fn reference_frames(self) -> usize {
        self.reference_frames
    }

    /// Mel frames of the reference.
    pub const fn mel_frames(self) -> usize {
        self.reference_frames + 1
    }

    /// The duration of a chunk of `bytes` at `speed`.
    pub fn frames(self, bytes: usize, speed: Speed) -> usize {
        let speed = if bytes < SHORT_TEXT_BYTES {
            SHORT_TEXT_SPEED
        } else {
            speed.get()
        };
        self.estimate(bytes, speed)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "lengths of texts and recordings are below 2^53"
    )]
    fn estimate(self, bytes: usize, speed: f64) -> usize {
        let reference = self.reference_frames as f64;
        let speech = reference / self.reference_bytes as f64 * bytes as f64 / speed;
        self.reference_frames.saturating_add(truncate(speech))
    }

    /// The durations of chunks that together last `seconds`, the reference included.
    ///
    /// Each chunk gets a share that follows its `bytes`. As neighbours overlap by `cross_fade`
    /// seconds, the shares sum up to more.
    #[expect(
        clippy::cast_precision_loss,
        reason = "lengths of texts and recordings are below 2^53"
    )]
    pub fn fixed_frames(self, seconds: f64, bytes: &[usize], cross_fade: f64) -> Vec<usize> {
        if bytes.len() < 2 {
            return bytes.iter().map(|_| seconds_to_frames(seconds)).collect();
        }
        let rate = f64::from(SAMPLE_RATE_HZ);
        let reference = (self.reference_frames * HOP_LENGTH) as f64 / rate;
        let speech = seconds - reference + cross_fade * (bytes.len() - 1) as f64;
        let total = bytes.iter().sum::<usize>() as f64;
        let share = |&bytes: &usize| seconds_to_frames(reference + speech * bytes as f64 / total);
        bytes.iter().map(share).collect()
    }

    /// The largest number of bytes that take at most `max_frames` at `speed`.
    ///
    /// Both the estimate and the tokens count, see [`clamp`]; that texts below
    /// [`SHORT_TEXT_BYTES`] are slower does not. `None` if not even one character of any script
    /// fits beside the reference.
    pub fn max_bytes(self, speed: Speed, max_frames: usize) -> Option<usize> {
        let most = self.max_token_bytes(max_frames)?;
        let fits = |bytes: usize| self.estimate(bytes, speed.get()) <= max_frames;
        let bytes = last_that(most, fits);
        (bytes >= LONGEST_CHARACTER_BYTES).then_some(bytes)
    }

    /// The largest number of bytes whose tokens, with those of the reference, fit in `max_frames`.
    ///
    /// `None` if not even one character of any script fits beside the reference.
    pub fn max_token_bytes(self, max_frames: usize) -> Option<usize> {
        if self.mel_frames() >= max_frames {
            return None;
        }
        // Two bytes become at most three tokens: two letters behind an inserted blank.
        let bytes = (max_frames - 1) * 2 / 3;
        let bytes = bytes.checked_sub(self.reference_bytes)?;
        (bytes >= LONGEST_CHARACTER_BYTES).then_some(bytes)
    }
}

const LONGEST_CHARACTER_BYTES: usize = 4;

/// The last number up to `last` for which `fits` holds, if it holds for a first part of them.
fn last_that(last: usize, fits: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, last);
    while low < high {
        let middle = high - (high - low) / 2;
        if fits(middle) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    low
}

/// The length of a chunk of text from which on a new one is begun, in UTF-8 bytes.
///
/// Taken such that reference and chunk together last about 22 seconds. `reference_bytes` are those
/// of [`crate::text::reference::ReferenceText::as_str`], `seconds` the length of the reference
/// recording. Zero and below, for references of 22 seconds and more: one sentence a chunk.
#[expect(
    clippy::cast_precision_loss,
    reason = "lengths of texts are below 2^53"
)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "truncation is what the original does"
)]
pub fn chunk_bytes(reference_bytes: usize, seconds: f64, speed: Speed) -> i64 {
    let pace = reference_bytes as f64 / seconds;
    (pace * (WINDOW_SECONDS - seconds) * speed.get()) as i64
}

/// The duration that is sampled: room for every token and for more than the reference.
pub fn clamp(frames: usize, tokens: usize, mel_frames: usize, max_frames: usize) -> usize {
    frames.max(tokens.max(mel_frames) + 1).min(max_frames)
}

fn seconds_to_frames(seconds: f64) -> usize {
    #[expect(clippy::cast_precision_loss, reason = "256")]
    let hop = HOP_LENGTH as f64;
    truncate(seconds * f64::from(SAMPLE_RATE_HZ) / hop)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "truncation is what the original does"
)]
#[expect(
    clippy::cast_sign_loss,
    reason = "below zero saturates, and `clamp` lifts it"
)]
const fn truncate(frames: f64) -> usize {
    frames as usize
}
