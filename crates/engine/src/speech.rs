//! What comes out.

use std::{ops::Range, time::Duration};

use crate::warning::Warning;

/// What was spoken.
#[derive(Clone, Debug)]
pub struct Speech {
    /// Mono samples, nominally within ±1.
    pub samples: Vec<f32>,
    /// 24 000.
    pub sample_rate_hz: u32,
    /// The generated log-mel of all chunks, one after the other: (frames, 100).
    pub mel: Vec<f32>,
    /// How the text was cut.
    pub chunks: Vec<Chunk>,
    /// If silence was removed: the samples of the joined chunks that are left.
    pub kept: Option<Vec<Range<usize>>>,
    /// Network evaluations made.
    pub evaluations: usize,
    /// How long it took.
    pub times: StageTimes,
    /// What spoils it, that of the voices included.
    pub warnings: Vec<Warning>,
}

impl Speech {
    /// The length in seconds.
    pub fn seconds(&self) -> f64 {
        self.samples.len() as f64 / f64::from(self.sample_rate_hz)
    }

    /// The samples in which a chunk is heard, cross-fades included.
    pub fn place(&self, chunk: &Chunk) -> Range<usize> {
        let left_before = |sample: usize| match &self.kept {
            Some(kept) => {
                let left = kept
                    .iter()
                    .map(|range| range.end.min(sample).saturating_sub(range.start));
                left.sum()
            }
            None => sample,
        };
        let end = left_before(chunk.start_sample + chunk.samples).min(self.samples.len());
        left_before(chunk.start_sample).min(end)..end
    }
}

/// A part of a text that was sampled at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// Its text.
    pub text: String,
    /// Index of the [`Part`](crate::Part) that it belongs to.
    pub part: usize,
    /// Generated frames.
    pub frames: usize,
    /// Where its first sample lies in the joined chunks, before silence was removed.
    pub start_sample: usize,
    /// Its samples, cross-fades included.
    pub samples: usize,
}

/// How long each stage took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageTimes {
    /// Chunks, tokens and durations.
    pub text: Duration,
    /// Noise, embeddings and all evaluations of the DiT.
    pub sampling: Duration,
    /// The vocoder.
    pub vocoder: Duration,
    /// Cross-fades and silence.
    pub stitch: Duration,
}

impl StageTimes {
    /// All stages together.
    pub fn total(&self) -> Duration {
        self.text + self.sampling + self.vocoder + self.stitch
    }
}
