#![expect(
    clippy::cast_possible_truncation,
    reason = "tables in double precision, results in single"
)]

use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex};

/// Mel bands of every model this crate knows.
const BANDS: usize = 100;
const WINDOW: usize = 1024;
const HOP: usize = 256;
const BINS: usize = WINDOW / 2 + 1;
const HIGHEST_HZ: f32 = 12_000.0;
/// Keeps the logarithm finite.
const FLOOR: f32 = 1e-5;

/// A mel spectrogram.
#[derive(Clone, Debug, PartialEq)]
pub struct Mel {
    /// Frames of 256 samples each at 24 kHz.
    pub frames: usize,
    /// `[frames, 100]`, row-major: natural logarithms of magnitudes.
    pub values: Vec<f32>,
}

/// Audio of which no spectrogram can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{samples} samples are too few for a spectrogram, at least {} are needed", WINDOW / 2 + 1)]
pub struct TooShort {
    samples: usize,
}

/// Computes the logarithmic mel spectrogram of 24 kHz audio, of the kind that Vocos reads.
///
/// There are 1 + samples / 256 frames: both ends are mirrored by half a window.
///
/// # Errors
///
/// If there are too few samples to mirror.
pub fn log_mel(samples: &[f32]) -> Result<Mel, TooShort> {
    let padded = mirrored(samples)?;
    let filters = filterbank();
    let mut spectrum = Spectrum::new();
    let frames = 1 + samples.len() / HOP;
    let mut values = Vec::with_capacity(frames * BANDS);
    for frame in padded.windows(WINDOW).step_by(HOP) {
        let magnitudes = spectrum.magnitudes(frame);
        values.extend(
            filters
                .iter()
                .map(|filter| filter.sum(magnitudes).max(FLOOR).ln()),
        );
    }
    Ok(Mel { frames, values })
}

/// The samples with half a window before and after, mirrored without repeating the edge.
fn mirrored(samples: &[f32]) -> Result<Vec<f32>, TooShort> {
    const HALF: usize = WINDOW / 2;
    if samples.len() <= HALF {
        return Err(TooShort { samples: samples.len() });
    }
    let before = samples[1..=HALF].iter().rev();
    let after = samples[samples.len() - 1 - HALF..samples.len() - 1]
        .iter()
        .rev();
    Ok(before.chain(samples).chain(after).copied().collect())
}

/// Magnitudes of windowed frames, with the buffers for them.
struct Spectrum {
    transform: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    frame: Vec<f32>,
    bins: Vec<realfft::num_complex::Complex<f32>>,
    magnitudes: Vec<f32>,
}

impl Spectrum {
    fn new() -> Self {
        let transform = RealFftPlanner::new().plan_fft_forward(WINDOW);
        Self {
            window: hann(),
            frame: transform.make_input_vec(),
            bins: transform.make_output_vec(),
            magnitudes: vec![0.0; BINS],
            transform,
        }
    }

    fn magnitudes(&mut self, samples: &[f32]) -> &[f32] {
        for ((value, sample), weight) in self.frame.iter_mut().zip(samples).zip(&self.window) {
            *value = sample * weight;
        }
        self.transform
            .process(&mut self.frame, &mut self.bins)
            .expect("the buffers come from the transform itself");
        for (magnitude, bin) in self.magnitudes.iter_mut().zip(&self.bins) {
            *magnitude = bin.norm();
        }
        &self.magnitudes
    }
}

/// The periodic Hann window.
fn hann() -> Vec<f32> {
    let turn = |index: usize| std::f64::consts::TAU * index as f64 / WINDOW as f64;
    (0..WINDOW)
        .map(|index| (0.5 - 0.5 * turn(index).cos()) as f32)
        .collect()
}

/// A triangle over neighbouring bins.
struct Filter {
    first_bin: usize,
    weights: Vec<f32>,
}

impl Filter {
    fn sum(&self, magnitudes: &[f32]) -> f32 {
        let bins = magnitudes[self.first_bin..].iter().zip(&self.weights);
        bins.map(|(magnitude, weight)| magnitude * weight).sum()
    }
}

/// Triangles of height one, equally spaced on the HTK mel scale.
fn filterbank() -> Vec<Filter> {
    let top_mel = 2595.0 * (1.0 + f64::from(HIGHEST_HZ) / 700.0).log10();
    let corner_hz = |index: usize| {
        let mel = top_mel * index as f64 / (BANDS + 1) as f64;
        (700.0 * (10_f64.powf(f64::from(mel as f32) / 2595.0) - 1.0)) as f32
    };
    let corners: Vec<f32> = (0..BANDS + 2).map(corner_hz).collect();
    let triangles = corners.windows(3);
    triangles
        .map(|corner| {
            let weight = |bin: usize| {
                let hz = HIGHEST_HZ * bin as f32 / (BINS - 1) as f32;
                let rising = (hz - corner[0]) / (corner[1] - corner[0]);
                let falling = (corner[2] - hz) / (corner[2] - corner[1]);
                rising.min(falling)
            };
            let mut bins = (0..BINS).skip_while(|&bin| weight(bin) <= 0.0).peekable();
            let first_bin = bins.peek().copied().unwrap_or(0);
            let weights = bins
                .map(weight)
                .take_while(|&weight| weight > 0.0)
                .collect();
            Filter { first_bin, weights }
        })
        .collect()
}
