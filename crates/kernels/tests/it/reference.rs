//! Naive versions of all operations, in double precision.

#![expect(
    clippy::cast_possible_truncation,
    reason = "the results are those of single precision"
)]

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, PI};

use f5tts_kernels::{ConvShape, IstftPadding, Items};

/// `x·Wᵀ + b` of `x` (rows, inputs) and `W` (outputs, inputs).
pub(crate) fn linear(x: &[f32], weight: &[f32], bias: &[f32], inputs: usize) -> Vec<f32> {
    let row = |x: &[f32]| {
        let output = |(w, b): (&[f32], &f32)| (dot(x, w) + f64::from(*b)) as f32;
        let outputs = weight.chunks_exact(inputs).zip(bias).map(output);
        outputs.collect::<Vec<f32>>()
    };
    x.chunks_exact(inputs).flat_map(row).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| f64::from(*a) * f64::from(*b))
        .sum()
}

/// Layer norm of one row, without weights.
pub(crate) fn normalised(row: &[f32]) -> Vec<f64> {
    let length = row.len() as f64;
    let mean = row.iter().map(|&x| f64::from(x)).sum::<f64>() / length;
    let squares = row.iter().map(|&x| (f64::from(x) - mean).powi(2));
    let deviation = (squares.sum::<f64>() / length + 1e-6).sqrt();
    row.iter()
        .map(|&x| (f64::from(x) - mean) / deviation)
        .collect()
}

/// The error function, by its series, and by its continued fraction where that converges faster.
pub(crate) fn erf(x: f64) -> f64 {
    if x < 0.0 {
        return -erf(-x);
    }
    if x < 2.5 {
        let mut term = x;
        let mut sum = x;
        for n in 1..80 {
            let n = f64::from(n);
            term *= -x * x / n;
            sum += term / (2.0 * n + 1.0);
        }
        return FRAC_2_SQRT_PI * sum;
    }
    let fraction = (1..60)
        .rev()
        .fold(x, |fraction, n| x + f64::from(n) / 2.0 / fraction);
    1.0 - (-x * x).exp() / PI.sqrt() / fraction
}

pub(crate) fn gelu_erf(x: f64) -> f64 {
    0.5 * x * (1.0 + erf(x * FRAC_1_SQRT_2))
}

pub(crate) fn gelu_tanh(x: f64) -> f64 {
    0.5 * x * (1.0 + ((2.0 / PI).sqrt() * (x + 0.044_715 * x.powi(3))).tanh())
}

pub(crate) fn mish(x: f64) -> f64 {
    x * x.exp().ln_1p().tanh()
}

/// A convolution of each item, straight from the definition.
pub(crate) fn conv(
    x: &[f32],
    items: &Items,
    weight: &[f32],
    bias: &[f32],
    shape: ConvShape,
) -> Vec<f32> {
    let ConvShape { inputs, outputs, kernel, groups } = shape;
    let (channels, group_outputs) = (inputs / groups, outputs / groups);
    let mut y = Vec::new();
    for item in items.iter() {
        for row in item.clone() {
            for output in 0..outputs {
                let mut sum = f64::from(bias[output]);
                for tap in 0..kernel {
                    let Some(input) = (row + tap).checked_sub(kernel / 2) else {
                        continue;
                    };
                    if !item.contains(&input) {
                        continue;
                    }
                    for channel in 0..channels {
                        let w = weight[(output * channels + channel) * kernel + tap];
                        let column = output / group_outputs * channels + channel;
                        sum += f64::from(w) * f64::from(x[input * inputs + column]);
                    }
                }
                y.push(sum as f32);
            }
        }
    }
    y
}

/// Global response normalisation of each item.
pub(crate) fn response_norm(x: &[f32], items: &Items, gamma: &[f32], beta: &[f32]) -> Vec<f32> {
    let columns = gamma.len();
    let mut y = Vec::new();
    for item in items.iter() {
        let rows = &x[item.start * columns..item.end * columns];
        let norm = |column: usize| {
            let squares = rows.iter().skip(column).step_by(columns);
            squares.map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt()
        };
        let norms: Vec<f64> = (0..columns).map(norm).collect();
        let mean = norms.iter().sum::<f64>() / columns as f64;
        for (at, &x) in rows.iter().enumerate() {
            let (x, column) = (f64::from(x), at % columns);
            let scaled = x * norms[column] / (mean + 1e-6);
            y.push((f64::from(gamma[column]) * scaled + f64::from(beta[column]) + x) as f32);
        }
    }
    y
}

/// What attention is told besides its input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heads<'a> {
    pub(crate) heads: usize,
    pub(crate) head_dim: usize,
    pub(crate) rotary: &'a [f32],
    pub(crate) rotated_heads: usize,
    pub(crate) norm: Option<(&'a [f32], &'a [f32])>,
}

/// Attention of each item, with the matrix of all scores.
pub(crate) fn attention(qkv: &[f32], items: &Items, options: Heads<'_>) -> Vec<f32> {
    let Heads { heads, head_dim, norm, .. } = options;
    let width = heads * head_dim;
    let part = |row: usize, part: usize, head: usize| {
        let start = row * 3 * width + part * width + head * head_dim;
        qkv[start..start + head_dim]
            .iter()
            .map(|&x| f64::from(x))
            .collect::<Vec<f64>>()
    };
    let mut out = vec![0.0; items.rows() * width];
    for item in items.iter() {
        for head in 0..heads {
            let ready = |row: usize, which: usize| {
                let weight = norm.map(|norm| if which == 0 { norm.0 } else { norm.1 });
                rotated(
                    rms_normalised(part(row, which, head), weight),
                    row - item.start,
                    head,
                    options,
                )
            };
            let keys: Vec<Vec<f64>> = item.clone().map(|row| ready(row, 1)).collect();
            let values: Vec<Vec<f64>> = item.clone().map(|row| part(row, 2, head)).collect();
            for row in item.clone() {
                let query = ready(row, 0);
                let weights = softmax(&query, &keys);
                for column in 0..head_dim {
                    let terms = weights.iter().zip(&values).map(|(w, v)| w * v[column]);
                    out[row * width + head * head_dim + column] = terms.sum::<f64>() as f32;
                }
            }
        }
    }
    out
}

fn softmax(query: &[f64], keys: &[Vec<f64>]) -> Vec<f64> {
    let scale = 1.0 / (query.len() as f64).sqrt();
    let score = |key: &Vec<f64>| query.iter().zip(key).map(|(q, k)| q * k).sum::<f64>() * scale;
    let scores: Vec<f64> = keys.iter().map(score).collect();
    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = scores.iter().map(|score| (score - largest).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / sum).collect()
}

fn rms_normalised(x: Vec<f64>, weight: Option<&[f32]>) -> Vec<f64> {
    let Some(weight) = weight else { return x };
    let square = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
    let factor = 1.0 / (square + 1e-6).sqrt();
    x.iter()
        .zip(weight)
        .map(|(x, &w)| x * factor * f64::from(w))
        .collect()
}

fn rotated(mut x: Vec<f64>, position: usize, head: usize, options: Heads<'_>) -> Vec<f64> {
    if head >= options.rotated_heads {
        return x;
    }
    let angles = &options.rotary[position * options.head_dim..];
    for (pair, angle) in x.chunks_exact_mut(2).zip(angles.chunks_exact(2)) {
        let (cos, sin) = (f64::from(angle[0]), f64::from(angle[1]));
        (pair[0], pair[1]) = (pair[0] * cos - pair[1] * sin, pair[1] * cos + pair[0] * sin);
    }
    x
}

/// The wave of one item, by the sum over all frequencies.
pub(crate) fn istft(
    head: &[f32],
    window: &[f32],
    hop_length: usize,
    padding: IstftPadding,
) -> Vec<f32> {
    let n_fft = window.len();
    let bins = n_fft / 2 + 1;
    let frames: Vec<&[f32]> = head.chunks_exact(2 * bins).collect();
    let length = frames.len().saturating_sub(1) * hop_length + n_fft;
    let (mut sum, mut squares) = (vec![0.0; length], vec![0.0; length]);
    for (index, frame) in frames.iter().enumerate() {
        for n in 0..n_fft {
            let at = index * hop_length + n;
            let window = f64::from(window[n]);
            sum[at] += window * inverse(frame, n_fft, n);
            squares[at] += window * window;
        }
    }
    let (cut, samples) = match padding {
        IstftPadding::Center => (n_fft / 2, frames.len().saturating_sub(1) * hop_length),
        IstftPadding::Same => ((n_fft - hop_length) / 2, frames.len() * hop_length),
    };
    (cut..cut + samples)
        .map(|at| (sum[at] / squares[at]) as f32)
        .collect()
}

/// Sample `n` of the inverse transform of log-magnitudes and phases.
fn inverse(frame: &[f32], n_fft: usize, n: usize) -> f64 {
    let bins = n_fft / 2 + 1;
    let term = |k: usize| {
        let magnitude = f64::from(frame[k]).exp().min(100.0);
        let phase = f64::from(frame[bins + k]);
        let angle = 2.0 * PI * (k * n) as f64 / n_fft as f64;
        let outer = k == 0 || 2 * k == n_fft;
        if outer {
            magnitude * phase.cos() * angle.cos()
        } else {
            2.0 * magnitude * (phase + angle).cos()
        }
    };
    (0..bins).map(term).sum::<f64>() / n_fft as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_function_has_its_known_values() {
        for (x, expected) in [
            (0.0, 0.0),
            (0.5, 0.520_499_877_813_046_5),
            (3.0, 0.999_977_909_503_001_4),
        ] {
            assert!((erf(x) - expected).abs() < 1e-14);
        }
    }
}
