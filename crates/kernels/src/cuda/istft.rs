//! The inverse short-time Fourier transform of a Vocos head.

use std::f64::consts::TAU;

use super::{
    Cuda,
    arguments::{Frames, Overlap},
    bytes_of_mut,
    device::{Address, int},
    launch::{Kernel, Launch},
    tensor::Tensor,
};
use crate::{Istft, Items, Result, check::Check, operands};

/// The longest transform, whose spectrum every GPU can hold close to its cores.
const LONGEST: usize = 8192;

/// [`crate::Backend::istft`]
pub(super) fn istft(
    cuda: &Cuda,
    head: &Tensor,
    items: &Items,
    window: &[f32],
    istft: Istft,
) -> Result<Vec<Vec<f32>>> {
    operands::istft(head, items, window, istft)?;
    let n_fft = istft.n_fft;
    if n_fft > LONGEST {
        return Err(Check("istft")
            .error(format!("a transform length of at most {LONGEST}"), n_fft.to_string()));
    }

    let bytes = |values: usize| values.checked_mul(size_of::<f32>());
    let frames = cuda.scratch(head.rows().checked_mul(n_fft).and_then(bytes))?;
    let window = cuda.uploaded(window)?;
    let circle = cuda.uploaded(&circle(n_fft))?;
    let arguments = Frames {
        head: head.matrix()?,
        window: window.address(),
        circle: circle.address(),
        frames: frames.address(),
        n_fft: int(n_fft)?,
        padding: 0,
    };
    // The spectrum, and the circle that it is turned on, in pairs.
    let shared_bytes = (n_fft / 2 + 1 + n_fft) * 2 * size_of::<f32>();
    let launch = Launch::new(Kernel::Frames, [head.rows(), 1, 1], &arguments);
    cuda.launch(&launch.with_shared_bytes(shared_bytes))?;

    let lengths: Vec<usize> = items.iter().map(|item| istft.samples(item.len())).collect();
    let total: usize = lengths.iter().sum();
    let wave = cuda.scratch(bytes(total))?;
    let mut first = 0;
    for (item, &samples) in items.iter().zip(&lengths) {
        let arguments = Overlap {
            frames: frames.address() + (item.start * n_fft * size_of::<f32>()) as Address,
            window: window.address(),
            wave: wave.address() + (first * size_of::<f32>()) as Address,
            count: int(item.len())?,
            n_fft: int(n_fft)?,
            hop: int(istft.hop_length)?,
            cut: int(istft.cut())?,
            samples: int(samples)?,
            padding: 0,
        };
        let blocks = samples.div_ceil(Kernel::Overlap.threads() as usize);
        cuda.launch(&Launch::new(Kernel::Overlap, [blocks, 1, 1], &arguments))?;
        first += samples;
    }
    let mut samples = vec![0.0_f32; total];
    cuda.device
        .download(wave.address(), bytes_of_mut(&mut samples))?;
    let mut rest = samples.as_slice();
    let waves = lengths.into_iter().map(|length| {
        let (wave, after) = rest.split_at(length);
        rest = after;
        wave.to_vec()
    });
    Ok(waves.collect())
}

/// Cosine and sine of all multiples of a full turn divided by `n_fft`.
#[expect(
    clippy::cast_possible_truncation,
    reason = "rounding to single precision is meant"
)]
fn circle(n_fft: usize) -> Vec<f32> {
    (0..n_fft)
        .flat_map(|index| {
            let (sine, cosine) = (TAU * index as f64 / n_fft as f64).sin_cos();
            [cosine as f32, sine as f32]
        })
        .collect()
}
