//! PCM as pydub sees it: positions in whole milliseconds, levels in whole sample units.
//!
//! The official preprocessing is written in terms of pydub, so its roundings are part of the result.
//! <https://github.com/jiaaro/pydub/blob/v0.25.1/pydub/audio_segment.py>

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "times and levels are not negative; samples keep the range of their width"
)]

use std::ops::Range;

use super::recording::{PcmFormat, Recording};

/// pydub's `AudioSegment.silent` makes silence of this rate, whatever it is joined to.
const SILENCE: PcmFormat = PcmFormat { bits_per_sample: 16, channels: 1, sample_rate_hz: 11_025 };

/// A stretch of PCM of 8, 16 or 32 bits.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    samples: Vec<i32>,
    format: PcmFormat,
}

impl Segment {
    /// A copy of a recording, in the width that pydub gives it.
    pub(super) fn from_recording(recording: &Recording) -> Self {
        let mut format = recording.format();
        let mut samples = recording.samples().to_vec();
        if format.bits_per_sample == 24 {
            format.bits_per_sample = 32;
            // pydub fills the new low byte with the sign, so that -1 stays -1.
            for sample in &mut samples {
                *sample = (*sample << 8) | ((*sample >> 31) & 0xff);
            }
        }
        Self { samples, format }
    }

    /// Mono PCM of 16 bits.
    pub(super) fn mono16(samples: Vec<i32>, sample_rate_hz: u32) -> Self {
        Self { samples, format: PcmFormat { sample_rate_hz, ..SILENCE } }
    }

    /// Digital silence in pydub's own format.
    pub(super) fn silence(duration_ms: usize) -> Self {
        let frames = (f64::from(SILENCE.sample_rate_hz) * (duration_ms as f64 / 1000.0)) as usize;
        Self { samples: vec![0; frames], format: SILENCE }
    }

    pub(super) fn into_recording(self) -> Recording {
        Recording::new(self.samples, self.format)
            .expect("every operation keeps whole frames and the range of the width")
    }

    pub(super) fn format(&self) -> PcmFormat {
        self.format
    }

    pub(super) fn frames(&self) -> usize {
        self.samples.len() / self.format.channels
    }

    pub(super) fn duration_ms(&self) -> usize {
        let seconds = self.frames() as f64 / f64::from(self.format.sample_rate_hz);
        (1000.0 * seconds).round_ties_even() as usize
    }

    /// The frame at a time, counted from the start. May lie past the end by half a millisecond.
    pub(super) fn frame_at(&self, ms: usize) -> usize {
        (ms as f64 * (f64::from(self.format.sample_rate_hz) / 1000.0)) as usize
    }

    /// Cuts out a range of milliseconds; what the rounding asks for past the end is zero.
    pub(super) fn slice(&self, range_ms: Range<usize>) -> Self {
        let frames = self.clamped(range_ms);
        let channels = self.format.channels;
        let there = frames.start.min(self.frames())..frames.end.min(self.frames());
        let mut samples = self.samples[there.start * channels..there.end * channels].to_vec();
        if !samples.is_empty() {
            samples.resize(frames.len() * channels, 0);
        }
        Self { samples, format: self.format }
    }

    /// Appends a segment after bringing both to the higher of their rates and widths.
    ///
    /// One of them must be silence, or both of one format, as all joins here are.
    pub(super) fn append(self, other: Self) -> Self {
        let (a, b) = (self.format, other.format);
        let format = PcmFormat {
            bits_per_sample: a.bits_per_sample.max(b.bits_per_sample),
            channels: a.channels.max(b.channels),
            sample_rate_hz: a.sample_rate_hz.max(b.sample_rate_hz),
        };
        let mut joined = self.converted(format);
        joined.samples.extend(other.converted(format).samples);
        joined
    }

    pub(super) fn reversed(&self) -> Self {
        // Sample by sample, as audioop does: this swaps the channels, which no level notices.
        Self {
            samples: self.samples.iter().rev().copied().collect(),
            format: self.format,
        }
    }

    /// The level of a range in dB below full scale.
    pub(super) fn level_dbfs(&self, range_ms: Range<usize>) -> f64 {
        let frames = self.clamped(range_ms);
        let mut energy = Energy::new(self);
        let rms = energy.rms(frames);
        if rms == 0.0 {
            return f64::NEG_INFINITY;
        }
        20.0 * ((rms / self.format.full_scale()).ln() / 10_f64.ln())
    }

    fn clamped(&self, range_ms: Range<usize>) -> Range<usize> {
        let duration_ms = self.duration_ms();
        let start = self.frame_at(range_ms.start.min(duration_ms));
        let end = self.frame_at(range_ms.end.min(duration_ms));
        start..end.max(start)
    }

    fn converted(self, format: PcmFormat) -> Self {
        let Self { samples, format: own } = self;
        // Only silence ever gains channels, and zeros are the same in each of them.
        let samples = if own.channels == format.channels {
            samples
        } else {
            vec![0; samples.len() / own.channels * format.channels]
        };
        let mut samples = match (own.sample_rate_hz, format.sample_rate_hz) {
            (from, to) if from == to => samples,
            (from, to) => {
                let width = PcmFormat { sample_rate_hz: from, channels: format.channels, ..own };
                interpolate(&samples, width, to)
            }
        };
        let shift = format.bits_per_sample - own.bits_per_sample;
        for sample in &mut samples {
            *sample <<= shift;
        }
        Self { samples, format }
    }
}

/// Levels of ranges that only move forward, in one pass over the samples.
pub(super) struct Energy<'a> {
    segment: &'a Segment,
    summed: Range<usize>,
    sum: u128,
}

impl<'a> Energy<'a> {
    pub(super) fn new(segment: &'a Segment) -> Self {
        Self { segment, summed: 0..0, sum: 0 }
    }

    /// The level of a range of frames in sample units, rounded down as audioop does.
    ///
    /// No range may begin or end before the one asked for last. Frames past the end count as zero.
    pub(super) fn rms(&mut self, frames: Range<usize>) -> f64 {
        let channels = self.segment.format.channels;
        let there = frames.start.min(self.segment.frames())..frames.end.min(self.segment.frames());
        if there.is_empty() {
            return 0.0;
        }
        self.sum += self.squares(self.summed.end.max(there.start)..there.end);
        self.sum -= self.squares(self.summed.start..there.start.min(self.summed.end));
        self.summed = there;
        let count = frames.len() * channels;
        (self.sum as f64 / count as f64).sqrt().floor()
    }

    fn squares(&self, frames: Range<usize>) -> u128 {
        let channels = self.segment.format.channels;
        let samples = &self.segment.samples[frames.start * channels..frames.end * channels];
        // A square takes at most 62 bits, so pairs are summed before the slower, wider type.
        let pairs = samples.chunks(2);
        pairs
            .map(|pair| {
                let squares = pair.iter().map(|&s| u64::from(s.unsigned_abs()).pow(2));
                u128::from(squares.sum::<u64>())
            })
            .sum()
    }
}

/// Changes the rate by straight lines between frames: `audioop.ratecv` without its filter.
/// <https://github.com/python/cpython/blob/v3.11.7/Modules/audioop.c>
fn interpolate(samples: &[i32], format: PcmFormat, to_hz: u32) -> Vec<i32> {
    let divisor = gcd(format.sample_rate_hz, to_hz);
    let input_step = i64::from(format.sample_rate_hz / divisor);
    let output_step = i64::from(to_hz / divisor);
    let shift = 32 - format.bits_per_sample;
    let mut resampled = Vec::new();
    let mut previous = vec![0_i32; format.channels];
    let mut distance = -output_step;
    for frame in samples.chunks_exact(format.channels) {
        distance += output_step;
        while distance >= 0 {
            for (&before, &now) in previous.iter().zip(frame) {
                let before = f64::from(before << shift) * distance as f64;
                let now = f64::from(now << shift) * (output_step - distance) as f64;
                resampled.push(((before + now) / output_step as f64) as i32 >> shift);
            }
            distance -= input_step;
        }
        previous.copy_from_slice(frame);
    }
    resampled
}

/// The greatest common divisor.
pub(super) fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}
