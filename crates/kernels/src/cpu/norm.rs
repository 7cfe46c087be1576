//! Layer norm and global response normalisation.

use rayon::prelude::*;

use super::{
    Cpu,
    simd::{Kernel, Vectors},
    tensor::Tensor,
};
use crate::{Items, Result, operands};

pub(crate) const EPSILON: f32 = 1e-6;

/// One row: `(x − mean) / √(variance + ε) · (base + scale) + shift`.
#[derive(Debug)]
pub(crate) struct NormRow<'a> {
    pub(crate) x: &'a [f32],
    pub(crate) base: f32,
    pub(crate) scale: &'a [f32],
    pub(crate) shift: &'a [f32],
    pub(crate) out: &'a mut [f32],
}

impl NormRow<'_> {
    #[inline(always)]
    pub(crate) fn write<S: Vectors>(self, simd: S) {
        let length = self.x.len() as f32;
        let mean = sum(simd, self.x, 0.0, Power::One) / length;
        let variance = sum(simd, self.x, mean, Power::Two) / length;
        let factor = simd.splat(1.0 / (variance + EPSILON).sqrt());
        let (mean, base) = (simd.splat(mean), simd.splat(self.base));
        for start in (0..self.out.len()).step_by(S::LANES) {
            let x = simd.mul(simd.sub(simd.load_partial(&self.x[start..]), mean), factor);
            let scale = simd.add(base, simd.load_partial(&self.scale[start..]));
            let shift = simd.load_partial(&self.shift[start..]);
            simd.store_partial(simd.fma(x, scale, shift), &mut self.out[start..]);
        }
    }
}

/// What [`sum`] adds up.
#[derive(Clone, Copy)]
pub(crate) enum Power {
    One,
    Two,
}

/// `Σ (x − mean)^power`
#[inline(always)]
pub(crate) fn sum<S: Vectors>(simd: S, x: &[f32], mean: f32, power: Power) -> f32 {
    /// Independent sums, so that no addition waits for the one before.
    const CHAINS: usize = 4;

    let mut sums = [simd.zero(); CHAINS];
    let mut chunks = x.chunks_exact(S::LANES * CHAINS);
    for chunk in chunks.by_ref() {
        for (chain, sum) in sums.iter_mut().enumerate() {
            let x = simd.sub(simd.load(&chunk[chain * S::LANES..]), simd.splat(mean));
            *sum = match power {
                Power::One => simd.add(*sum, x),
                Power::Two => simd.fma(x, x, *sum),
            };
        }
    }
    let [a, b, c, d] = sums;
    let mut total = simd.reduce_add(simd.add(simd.add(a, b), simd.add(c, d)));
    for x in chunks.remainder() {
        let x = x - mean;
        total += match power {
            Power::One => x,
            Power::Two => x * x,
        };
    }
    total
}

struct NormRows<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for NormRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Vectors>(self, simd: S) {
        let columns = self.weight.len();
        for (x, out) in self
            .x
            .chunks_exact(columns)
            .zip(self.out.chunks_exact_mut(columns))
        {
            NormRow { x, base: 0.0, scale: self.weight, shift: self.bias, out }.write(simd);
        }
    }
}

/// Rows that one task normalises.
const ROWS: usize = 32;

/// [`crate::Backend::layer_norm`]
pub(super) fn layer_norm(
    cpu: &Cpu,
    input: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    out: &mut Tensor,
) -> Result<()> {
    operands::layer_norm(input, weight, bias, out)?;
    let columns = input.columns();
    if columns == 0 {
        return Ok(());
    }
    let (level, weight, bias) = (cpu.level(), weight.values(), bias.values());
    cpu.install(|| {
        input
            .values()
            .par_chunks(columns * ROWS)
            .zip(out.values_mut().par_chunks_mut(columns * ROWS))
            .for_each(|(x, out)| level.run(NormRows { x, weight, bias, out }));
    });
    Ok(())
}

/// [`crate::Backend::global_response_norm`]
pub(super) fn global_response_norm(
    cpu: &Cpu,
    x: &mut Tensor,
    items: &Items,
    gamma: &Tensor,
    beta: &Tensor,
) -> Result<()> {
    operands::global_response_norm(x, items, gamma, beta)?;
    let columns = x.columns();
    if columns == 0 {
        return Ok(());
    }
    let (gamma, beta) = (gamma.values(), beta.values());
    cpu.install(|| {
        for item in items.iter() {
            let rows = &mut x.values_mut()[item.start * columns..item.end * columns];
            let factors = response_factors(rows, gamma);
            rows.par_chunks_mut(columns * ROWS).for_each(|rows| {
                for row in rows.chunks_exact_mut(columns) {
                    for ((x, factor), beta) in row.iter_mut().zip(&factors).zip(beta) {
                        *x += *x * factor + beta;
                    }
                }
            });
        }
    });
    Ok(())
}

/// `γ·N` of every column.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a ratio of norms, rounded to the working precision"
)]
fn response_factors(rows: &[f32], gamma: &[f32]) -> Vec<f32> {
    let columns = gamma.len();
    let mut norms = vec![0.0; columns];
    norms
        .par_chunks_mut(COLUMNS)
        .enumerate()
        .for_each(|(chunk, norms)| column_norms(rows, columns, chunk * COLUMNS, norms));
    let mean = norms.iter().sum::<f64>() / columns as f64 + f64::from(EPSILON);
    norms
        .iter()
        .zip(gamma)
        .map(|(norm, gamma)| (norm / mean) as f32 * gamma)
        .collect()
}

/// Columns whose norms one task forms.
const COLUMNS: usize = 64;

/// The 2-norms of some columns, from `first` on, summed from the first row to the last.
fn column_norms(rows: &[f32], columns: usize, first: usize, norms: &mut [f64]) {
    for row in rows.chunks_exact(columns) {
        for (norm, &x) in norms.iter_mut().zip(&row[first..]) {
            *norm += f64::from(x) * f64::from(x);
        }
    }
    for norm in norms {
        *norm = norm.sqrt();
    }
}
