//! Joins the waves of chunks to one.

use crate::{SAMPLE_RATE_HZ, duration::OutOfRange};

/// How long neighbouring chunks overlap, in seconds.
///
/// Invariant: within [`CrossFade::RANGE_SECONDS`].
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct CrossFade(f64);

impl CrossFade {
    /// The least and the largest overlap.
    pub const RANGE_SECONDS: (f64, f64) = (0.0, 1.0);
    /// The original's default.
    pub const DEFAULT: Self = Self(0.15);
    /// Chunks follow each other without overlap.
    pub const NONE: Self = Self(0.0);

    /// The overlap in seconds.
    pub const fn seconds(self) -> f64 {
        self.0
    }

    /// The overlap in samples of the engine's rate.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "truncation is what the original does"
    )]
    #[expect(clippy::cast_sign_loss, reason = "never below zero")]
    pub fn samples(self) -> usize {
        (self.0 * f64::from(SAMPLE_RATE_HZ)) as usize
    }
}

impl Default for CrossFade {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl TryFrom<f64> for CrossFade {
    type Error = OutOfRange;

    fn try_from(seconds: f64) -> Result<Self, OutOfRange> {
        OutOfRange::check("cross_fade_duration", seconds, Self::RANGE_SECONDS).map(Self)
    }
}

/// A wave, and where its parts begin in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Joined {
    /// Mono samples.
    pub samples: Vec<f32>,
    /// For each part, the place of its first sample in `samples`.
    pub starts: Vec<usize>,
}

/// Joins the chunks of one voice: the end of each fades into the beginning of the next.
///
/// The overlap is never longer than what is joined, so a short chunk may vanish in it.
pub fn cross_fade<W: AsRef<[f32]>>(chunks: &[W], overlap: CrossFade) -> Joined {
    let mut joined = Joined::default();
    for chunk in chunks {
        let chunk = chunk.as_ref();
        let overlap = match joined.starts.as_slice() {
            [] => 0,
            [..] => overlap.samples().min(joined.samples.len()).min(chunk.len()),
        };
        let start = joined.samples.len() - overlap;
        let (over, rest) = chunk.split_at(overlap);
        fade(&mut joined.samples[start..], over);
        joined.samples.extend_from_slice(rest);
        joined.starts.push(start);
    }
    joined
}

/// Joins what several voices say one after the other, without overlap.
pub fn concatenate(pieces: impl IntoIterator<Item = Joined>) -> Joined {
    let mut joined = Joined::default();
    for piece in pieces {
        let offset = joined.samples.len();
        joined.samples.extend_from_slice(&piece.samples);
        joined
            .starts
            .extend(piece.starts.iter().map(|start| start + offset));
    }
    joined
}

/// Both ramps reach 0 and 1 within the overlap, and both are taken in `f64`, as `numpy.linspace` gives them.
#[expect(clippy::cast_possible_truncation, reason = "samples are f32")]
#[expect(
    clippy::cast_precision_loss,
    reason = "an overlap has at most 24 000 samples"
)]
fn fade(before: &mut [f32], after: &[f32]) {
    let last = before.len().saturating_sub(1);
    let step = 1.0 / last as f64;
    for (index, (before, &after)) in before.iter_mut().zip(after).enumerate() {
        let (fade_out, fade_in) = match index {
            0 => (1.0, 0.0),
            _ if index == last => (0.0, 1.0),
            _ => (index as f64 * -step + 1.0, index as f64 * step),
        };
        *before = (f64::from(*before) * fade_out + f64::from(after) * fade_in) as f32;
    }
}
