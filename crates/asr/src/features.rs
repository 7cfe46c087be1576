//! The log-mel spectrogram that Whisper hears.

#![expect(
    clippy::cast_possible_truncation,
    reason = "tables in double precision, results in single"
)]

use std::f64::consts::TAU;

use realfft::RealFftPlanner;

const RATE_HZ: usize = 16_000;
const WINDOW: usize = 400;
const HOP: usize = 160;
const BINS: usize = WINDOW / 2 + 1;
const HIGHEST_HZ: f64 = 8_000.0;
/// Keeps the logarithm finite.
const FLOOR: f32 = 1e-10;
/// What lies further below the loudest value is as quiet as that: 80 dB.
const RANGE: f32 = 8.0;

/// Frames of every recording: it is cut to 30 s, or filled with silence.
pub(crate) const FRAMES: usize = 3_000;
/// Samples of as many frames.
pub(crate) const SAMPLES: usize = FRAMES * HOP;

/// The log-mel spectrogram of 16 kHz audio: `[3000, bands]`, row-major.
///
/// `WhisperFeatureExtractor` of transformers, `models/whisper/feature_extraction_whisper.py`
pub fn log_mel(samples: &[f32], bands: usize) -> Vec<f32> {
    const HALF: usize = WINDOW / 2;
    let sample = |at: usize| samples.get(at).copied().unwrap_or(0.0);
    // Half a window is mirrored at either end, without repeating the edge.
    let before = (1..=HALF).rev().map(sample);
    let after = (SAMPLES - 1 - HALF..SAMPLES - 1).rev().map(sample);
    let padded: Vec<f32> = before
        .chain((0..SAMPLES).map(sample))
        .chain(after)
        .collect();

    let filters = filters(bands);
    let window = hann();
    let transform = RealFftPlanner::<f32>::new().plan_fft_forward(WINDOW);
    let (mut frame, mut spectrum) = (transform.make_input_vec(), transform.make_output_vec());
    let mut values = Vec::with_capacity(FRAMES * bands);
    // The last frame, which begins at the end, is left out.
    for start in (0..SAMPLES).step_by(HOP) {
        for ((value, sample), weight) in frame.iter_mut().zip(&padded[start..]).zip(&window) {
            *value = sample * weight;
        }
        transform
            .process(&mut frame, &mut spectrum)
            .expect("the buffers come from the transform itself");
        let powers: Vec<f32> = spectrum.iter().map(|bin| bin.norm_sqr()).collect();
        values.extend(
            filters
                .iter()
                .map(|filter| filter.sum(&powers).max(FLOOR).log10()),
        );
    }
    let least = values.iter().copied().fold(f32::NEG_INFINITY, f32::max) - RANGE;
    for value in &mut values {
        *value = (value.max(least) + 4.0) / 4.0;
    }
    values
}

/// A triangle over some bins of the spectrum.
struct Filter {
    first: usize,
    weights: Vec<f32>,
}

impl Filter {
    fn sum(&self, powers: &[f32]) -> f32 {
        powers[self.first..]
            .iter()
            .zip(&self.weights)
            .map(|(power, weight)| power * weight)
            .sum()
    }
}

/// The periodic Hann window.
fn hann() -> Vec<f32> {
    let angle = |at: usize| TAU * at as f64 / WINDOW as f64;
    (0..WINDOW)
        .map(|at| (0.5 - 0.5 * angle(at).cos()) as f32)
        .collect()
}

/// Triangles of equal area on Slaney's mel scale, as librosa and transformers have them.
fn filters(bands: usize) -> Vec<Filter> {
    let highest = mel(HIGHEST_HZ);
    let edge = |at: usize| hertz(highest * at as f64 / (bands + 1) as f64);
    let bin_hz = |bin: usize| (bin * RATE_HZ) as f64 / WINDOW as f64;
    let filter = |band: usize| {
        let (low, middle, high) = (edge(band), edge(band + 1), edge(band + 2));
        let weight = |bin: usize| {
            let hz = bin_hz(bin);
            let slope = ((hz - low) / (middle - low)).min((high - hz) / (high - middle));
            (slope.max(0.0) * 2.0 / (high - low)) as f32
        };
        let weights: Vec<f32> = (0..BINS).map(weight).collect();
        let first = weights.iter().position(|&weight| weight > 0.0).unwrap_or(0);
        let end = weights
            .iter()
            .rposition(|&weight| weight > 0.0)
            .map_or(first, |last| last + 1);
        Filter { first, weights: weights[first..end].to_vec() }
    };
    (0..bands).map(filter).collect()
}

/// Slaney's scale is linear up to 1 kHz, then logarithmic.
const LINEAR_HZ: f64 = 200.0 / 3.0;
const BREAK_HZ: f64 = 1_000.0;
const BREAK_MEL: f64 = BREAK_HZ / LINEAR_HZ;

/// Mels from one factor to the next above the break: 27 to a factor of 6.4.
fn log_step() -> f64 {
    6.4_f64.ln() / 27.0
}

fn mel(hz: f64) -> f64 {
    if hz < BREAK_HZ {
        hz / LINEAR_HZ
    } else {
        BREAK_MEL + (hz / BREAK_HZ).ln() / log_step()
    }
}

fn hertz(mel: f64) -> f64 {
    if mel < BREAK_MEL {
        mel * LINEAR_HZ
    } else {
        BREAK_HZ * (log_step() * (mel - BREAK_MEL)).exp()
    }
}
