//! Small dense layers whose weights are used once, as they lie in the file.

#![expect(unsafe_code, reason = "tasks write to disjoint columns of the output")]

use std::ops::Range;

use super::{
    Cpu,
    check::Check,
    shared::SharedMatrix,
    simd::{Kernel, Vectors},
};
use crate::Result;

/// [`crate::Backend::project`]
pub(super) fn project(
    cpu: &Cpu,
    weight: &[f32],
    bias: &[f32],
    inputs: &[f32],
    out: &mut [f32],
) -> Result<()> {
    let (check, outputs) = (Check("project"), bias.len());
    let depth = weight.len().checked_div(outputs).unwrap_or_default();
    check.equal("weights", weight.len(), outputs * depth)?;
    let rows = inputs.len().checked_div(depth).unwrap_or_default();
    check.equal("inputs", inputs.len(), rows * depth)?;
    check.equal("outputs", out.len(), rows * outputs)?;

    let out = SharedMatrix::new(out, outputs);
    let share = outputs.div_ceil(4 * cpu.threads()).clamp(1, 256);
    cpu.for_each_task(outputs.div_ceil(share), |task| {
        let outputs = task * share..outputs.min((task + 1) * share);
        cpu.level()
            .run(Share { weight, bias, inputs, rows, outputs, out });
        Ok(())
    })
}

/// Some outputs of all rows.
struct Share<'a> {
    weight: &'a [f32],
    bias: &'a [f32],
    inputs: &'a [f32],
    rows: usize,
    outputs: Range<usize>,
    out: SharedMatrix<'a>,
}

/// Outputs formed together.
const OUTPUTS: usize = 4;

/// Rows of inputs taken together.
const ROWS: usize = 3;

impl Kernel for Share<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Vectors>(self, simd: S) {
        let mut output = self.outputs.start;
        while output + OUTPUTS <= self.outputs.end {
            self.all_rows::<S, OUTPUTS>(simd, output);
            output += OUTPUTS;
        }
        for output in output..self.outputs.end {
            self.all_rows::<S, 1>(simd, output);
        }
    }
}

impl Share<'_> {
    #[inline(always)]
    fn all_rows<S: Vectors, const N: usize>(&self, simd: S, output: usize) {
        let mut row = 0;
        while row + ROWS <= self.rows {
            self.tile::<S, N, ROWS>(simd, output, row);
            row += ROWS;
        }
        for row in row..self.rows {
            self.tile::<S, N, 1>(simd, output, row);
        }
    }

    /// `N` outputs of `M` rows. The order of every sum is the same in all tiles.
    #[inline(always)]
    fn tile<S: Vectors, const N: usize, const M: usize>(&self, simd: S, output: usize, row: usize) {
        let depth = self.weight.len() / self.bias.len();
        let weights: [&[f32]; N] = vectors(self.weight, depth, output);
        let inputs: [&[f32]; M] = vectors(self.inputs, depth, row);
        let mut sums = [[simd.zero(); N]; M];
        for start in (0..depth).step_by(S::LANES) {
            let mut right = [simd.zero(); N];
            for (right, weight) in right.iter_mut().zip(weights) {
                *right = simd.load_partial(&weight[start..]);
            }
            for (sums, input) in sums.iter_mut().zip(inputs) {
                let left = simd.load_partial(&input[start..]);
                for (sum, right) in sums.iter_mut().zip(right) {
                    *sum = simd.fma(left, right, *sum);
                }
            }
        }
        for (row, sums) in (row..).zip(sums) {
            // SAFETY: every task has outputs of its own, and takes one tile after the other.
            let out = unsafe { self.out.row(row, output..output + N) };
            for ((out, sum), bias) in out.iter_mut().zip(sums).zip(&self.bias[output..]) {
                *out = simd.reduce_add(sum) + bias;
            }
        }
    }
}

/// `N` vectors of a row-major matrix, from `first` on.
#[inline(always)]
fn vectors<const N: usize>(matrix: &[f32], depth: usize, first: usize) -> [&[f32]; N] {
    let mut vectors = [matrix; N];
    for (index, vector) in vectors.iter_mut().enumerate() {
        *vector = &matrix[(first + index) * depth..][..depth];
    }
    vectors
}
