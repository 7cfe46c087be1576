//! What the acoustic model hears: cepstra and how they change.
#![expect(
    clippy::cast_precision_loss,
    reason = "indices of filters and coefficients, and counts of samples that only scale a mean"
)]

use std::f32::consts::PI;

use realfft::{RealFftPlanner, RealToComplex};

/// The rate of the audio that [`features`] reads.
pub(super) const SAMPLE_RATE_HZ: u32 = 16_000;
/// Samples from one frame to the next: 10 ms.
pub(super) const HOP: usize = 160;
/// Numbers in a frame: cepstra, their change, and the change of that.
pub(super) const DIMENSIONS: usize = 3 * CEPSTRA;

const CEPSTRA: usize = 13;
const WINDOW: usize = 410;
const FFT: usize = 512;
const BINS: usize = FFT / 2 + 1;
const FILTERS: usize = 25;
const LOWEST_HZ: f32 = 130.0;
const HIGHEST_HZ: f32 = 6800.0;
const PREEMPHASIS: f32 = 0.97;
const LIFTER: f32 = 22.0;
/// The model was trained on 16-bit samples.
const FULL_SCALE: f32 = 32_768.0;
/// Keeps the logarithm of an empty filter finite.
const POWER_FLOOR: f32 = 1e-4;
/// How far below the speech the noise lies that is mixed into it, as an amplitude: -40 dB.
///
/// Digital silence, as synthesizers and inserted pauses have it, is unlike anything recorded.
const DITHER: f32 = 0.01;

/// A frame as the model sees it.
pub(super) type Frame = [f32; DIMENSIONS];

/// Describes mono audio of 16 kHz, one frame for every 10 ms begun.
///
/// Frame `t` stands for the samples from `t` · [`HOP`] on; its window is centred on them. The mean
/// of all frames is taken away, so neither gain nor a fixed filter matters.
pub(super) fn features(samples: &[f32]) -> Vec<Frame> {
    let mut cepstra = Analysis::new().cepstra(&prepared(samples));
    subtract_mean(&mut cepstra);
    with_changes(&cepstra)
}

/// Samples at 16-bit scale, dithered and with high frequencies raised; padded so that a window
/// around every frame can be read.
fn prepared(samples: &[f32]) -> Vec<f32> {
    let before = (WINDOW - HOP) / 2;
    let mut prepared = vec![0.0; before];
    let mut noise = Noise(0x9E37_79B9_7F4A_7C15);
    let level = DITHER * crate::audio::rms(samples);
    let mut previous = 0.0;
    prepared.extend(samples.iter().map(|sample| {
        let dithered = (sample + level * noise.next()) * FULL_SCALE;
        let raised = dithered - PREEMPHASIS * previous;
        previous = dithered;
        raised
    }));
    let frames = samples.len().div_ceil(HOP);
    prepared.resize(frames * HOP + WINDOW, 0.0);
    prepared
}

/// White noise of about unit power, the same on every run.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f32 {
        // The sum of four uniform numbers is close to normal; its variance is 4/12.
        let sum: f32 = (0..4).map(|_| self.uniform() - 0.5).sum();
        sum * 3.0_f32.sqrt()
    }

    fn uniform(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1_u64 << 24) as f32
    }
}

/// From windows of samples to cepstra.
struct Analysis {
    window: Vec<f32>,
    /// For each mel filter, the first bin and the weights from there on.
    filters: Vec<(usize, Vec<f32>)>,
    /// (cepstra, filters): the cosine transform with the liftering in it.
    transform: Vec<[f32; FILTERS]>,
    fft: std::sync::Arc<dyn RealToComplex<f32>>,
}

impl Analysis {
    fn new() -> Self {
        let angle = 2.0 * PI / (WINDOW - 1) as f32;
        Self {
            window: (0..WINDOW)
                .map(|index| 0.54 - 0.46 * (angle * index as f32).cos())
                .collect(),
            filters: mel_filters(),
            transform: (0..CEPSTRA).map(cosine_row).collect(),
            fft: RealFftPlanner::new().plan_fft_forward(FFT),
        }
    }

    fn cepstra(&self, prepared: &[f32]) -> Vec<[f32; CEPSTRA]> {
        let frames = (prepared.len() - WINDOW) / HOP;
        let mut input = self.fft.make_input_vec();
        let mut spectrum = self.fft.make_output_vec();
        let mut scratch = self.fft.make_scratch_vec();
        (0..frames)
            .map(|frame| {
                input.fill(0.0);
                let samples = &prepared[frame * HOP..][..WINDOW];
                for ((input, sample), weight) in input.iter_mut().zip(samples).zip(&self.window) {
                    *input = sample * weight;
                }
                self.fft
                    .process_with_scratch(&mut input, &mut spectrum, &mut scratch)
                    .expect("the buffers were made by the plan");
                let power: Vec<f32> = spectrum.iter().map(|bin| bin.norm_sqr()).collect();
                self.cepstrum(&power)
            })
            .collect()
    }

    fn cepstrum(&self, power: &[f32]) -> [f32; CEPSTRA] {
        let mut log_mel = [0.0; FILTERS];
        for (value, (first, weights)) in log_mel.iter_mut().zip(&self.filters) {
            let sum: f32 = weights
                .iter()
                .zip(&power[*first..])
                .map(|(weight, power)| weight * power)
                .sum();
            *value = (sum + POWER_FLOOR).ln();
        }
        let mut cepstrum = [0.0; CEPSTRA];
        for (value, row) in cepstrum.iter_mut().zip(&self.transform) {
            *value = row
                .iter()
                .zip(&log_mel)
                .map(|(weight, mel)| weight * mel)
                .sum();
        }
        cepstrum
    }
}

/// Triangles of unit area between points that are equally far apart in mel, each on a bin.
fn mel_filters() -> Vec<(usize, Vec<f32>)> {
    let bin_hz = SAMPLE_RATE_HZ as f32 / FFT as f32;
    let (lowest, highest) = (mel(LOWEST_HZ), mel(HIGHEST_HZ));
    let step = (highest - lowest) / (FILTERS + 1) as f32;
    let edge = |index: usize| {
        let hz = 700.0 * (10_f32.powf((lowest + step * index as f32) / 2595.0) - 1.0);
        (hz / bin_hz + 0.5).floor() * bin_hz
    };
    (0..FILTERS)
        .map(|index| {
            let (left, centre, right) = (edge(index), edge(index + 1), edge(index + 2));
            let height = 2.0 / (right - left);
            let weight = |bin: usize| {
                let hz = bin as f32 * bin_hz;
                ((hz - left) / (centre - left)).min((right - hz) / (right - centre)) * height
            };
            let first = (0..BINS).find(|&bin| weight(bin) > 0.0).unwrap_or(BINS);
            let weights = (first..BINS).map(weight).take_while(|&weight| weight > 0.0);
            (first, weights.collect())
        })
        .collect()
}

fn mel(hz: f32) -> f32 {
    2595.0 * (1.0 + hz / 700.0).log10()
}

fn cosine_row(coefficient: usize) -> [f32; FILTERS] {
    let scale = if coefficient == 0 { 1.0 } else { 2.0 };
    let lift = 1.0 + LIFTER / 2.0 * (PI * coefficient as f32 / LIFTER).sin();
    std::array::from_fn(|filter| {
        let angle = PI * coefficient as f32 * (filter as f32 + 0.5) / FILTERS as f32;
        angle.cos() * (scale / FILTERS as f32).sqrt() * lift
    })
}

fn subtract_mean(cepstra: &mut [[f32; CEPSTRA]]) {
    let mut mean = [0.0; CEPSTRA];
    for cepstrum in &*cepstra {
        for (mean, value) in mean.iter_mut().zip(cepstrum) {
            *mean += value / cepstra.len() as f32;
        }
    }
    for cepstrum in cepstra {
        for (value, mean) in cepstrum.iter_mut().zip(&mean) {
            *value -= mean;
        }
    }
}

/// Adds the change over two frames to either side, and the change of that over one.
fn with_changes(cepstra: &[[f32; CEPSTRA]]) -> Vec<Frame> {
    let last = cepstra.len().saturating_sub(1);
    (0..cepstra.len())
        .map(|frame| {
            let after = |distance: usize| &cepstra[(frame + distance).min(last)];
            let before = |distance: usize| &cepstra[frame.saturating_sub(distance)];
            let mut all = [0.0; DIMENSIONS];
            for k in 0..CEPSTRA {
                all[k] = cepstra[frame][k];
                all[CEPSTRA + k] = after(2)[k] - before(2)[k];
                all[2 * CEPSTRA + k] = (after(3)[k] - before(1)[k]) - (after(1)[k] - before(3)[k]);
            }
            all
        })
        .collect()
}
