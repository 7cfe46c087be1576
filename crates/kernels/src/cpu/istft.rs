//! The inverse short-time Fourier transform of a Vocos head.

use std::{ops::Range, sync::Arc};

use rayon::prelude::*;
use realfft::{ComplexToReal, RealFftPlanner, num_complex::Complex};

use super::{Cpu, buffer::Buffer, tensor::Tensor};
use crate::{Istft, Items, Result, operands};

/// [`crate::Backend::istft`]
pub(super) fn istft(
    cpu: &Cpu,
    head: &Tensor,
    items: &Items,
    window: &[f32],
    istft: Istft,
) -> Result<Vec<Vec<f32>>> {
    operands::istft(head, items, window, istft)?;
    let n_fft = istft.n_fft;

    let inverse = RealFftPlanner::<f32>::new().plan_fft_inverse(n_fft);
    let mut frames = Buffer::zeros(head.rows() * n_fft)?;
    cpu.install(|| {
        frames.par_chunks_mut(n_fft).enumerate().for_each_init(
            || Transform::new(&inverse),
            |transform, (row, frame)| transform.frame(head.row(row), window, frame),
        );
        let overlap = |item: Range<usize>| {
            let frames = &frames[item.start * n_fft..item.end * n_fft];
            Overlap { frames, count: item.len(), window, istft }.wave()
        };
        Ok(items.iter().map(overlap).collect())
    })
}

/// The inverse transform with its working memory.
struct Transform {
    inverse: Arc<dyn ComplexToReal<f32>>,
    spectrum: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
}

impl Transform {
    fn new(inverse: &Arc<dyn ComplexToReal<f32>>) -> Self {
        Self {
            inverse: Arc::clone(inverse),
            spectrum: inverse.make_input_vec(),
            scratch: inverse.make_scratch_vec(),
        }
    }

    /// Turns a row of log-magnitudes and phases into a windowed frame of samples.
    fn frame(&mut self, row: &[f32], window: &[f32], frame: &mut [f32]) {
        /// Vocos' limit, against overflow.
        const LARGEST_MAGNITUDE: f32 = 100.0;

        let (magnitudes, phases) = row.split_at(self.spectrum.len());
        for ((bin, magnitude), phase) in self.spectrum.iter_mut().zip(magnitudes).zip(phases) {
            let magnitude = magnitude.exp();
            // Not `min`, which would hide what is not a number.
            let limited = if magnitude > LARGEST_MAGNITUDE {
                LARGEST_MAGNITUDE
            } else {
                magnitude
            };
            *bin = Complex::from_polar(limited, *phase);
        }
        // These bins are real in any real signal; the network does not know.
        self.spectrum[0].im = 0.0;
        if frame.len().is_multiple_of(2) {
            self.spectrum[frame.len() / 2].im = 0.0;
        }
        self.inverse
            .process_with_scratch(&mut self.spectrum, frame, &mut self.scratch)
            .expect("the plan made the buffers, and the outer bins are real");
        let scale = 1.0 / frame.len() as f32;
        for (sample, window) in frame.iter_mut().zip(window) {
            *sample *= scale * window;
        }
    }
}

/// The frames of one item, to be laid over each other.
struct Overlap<'a> {
    frames: &'a [f32],
    count: usize,
    window: &'a [f32],
    istft: Istft,
}

impl Overlap<'_> {
    fn wave(&self) -> Vec<f32> {
        let (cut, hop_length) = (self.istft.cut(), self.istft.hop_length);
        let mut wave = vec![0.0; self.istft.samples(self.count)];
        let hops = wave.par_chunks_mut(hop_length).enumerate();
        hops.for_each(|(hop, samples)| {
            for (sample, place) in samples.iter_mut().zip(hop * hop_length + cut..) {
                *sample = self.sample(place);
            }
        });
        wave
    }

    /// The sum of all frames at a place, divided by the sum of squared windows there.
    fn sample(&self, place: usize) -> f32 {
        /// Where the windows leave nothing, as before the first frame, nothing can be restored.
        const LEAST_WINDOW: f32 = 1e-11;

        let Istft { n_fft, hop_length, .. } = self.istft;
        let first = (place + 1).saturating_sub(n_fft).div_ceil(hop_length);
        let end = self.count.min(place / hop_length + 1);
        let (mut sum, mut squares) = (0.0, 0.0);
        for frame in first..end {
            let at = place - frame * hop_length;
            sum += self.frames[frame * n_fft + at];
            squares += self.window[at] * self.window[at];
        }
        if squares > LEAST_WINDOW {
            sum / squares
        } else {
            0.0
        }
    }
}
