//! Linear layers with what comes before and after them.

#![expect(
    unsafe_code,
    reason = "tasks write to disjoint rectangles of the output"
)]

use std::ops::Range;

use super::{
    Cpu,
    buffer::row_stride,
    check::Check,
    gemm::{Block, Division, Finish, Finished, partial_length},
    math,
    norm::NormRow,
    panels::Panels,
    shared::SharedMatrix,
    simd::{Kernel, Vectors},
    tensor::Tensor,
};
use crate::{Activation, Epilogue, LinearInput, Result, operands};

/// The weights of a linear layer, packed.
#[derive(Debug)]
pub struct Linear {
    weights: Panels,
    bias: Vec<f32>,
}

/// [`crate::Backend::load_linear`]
pub(super) fn load(
    cpu: &Cpu,
    weight: &[f32],
    bias: Option<&[f32]>,
    inputs: usize,
) -> Result<Linear> {
    let outputs = operands::linear_weights(weight, bias, inputs)?;
    let weights = cpu.install(|| Panels::pack(weight, inputs, cpu.level().panel()))?;
    let bias = bias.map_or_else(|| vec![0.0; outputs], <[f32]>::to_vec);
    Ok(Linear { weights, bias })
}

/// [`crate::Backend::linear`]
pub(super) fn linear(
    cpu: &Cpu,
    input: LinearInput<'_, Tensor>,
    layer: &Linear,
    epilogue: Epilogue<'_, Tensor>,
    out: &mut Tensor,
) -> Result<()> {
    let weights = &layer.weights;
    let (rows, columns) = (rows_of(input), weights.columns());
    Check("linear").equal("weights packed for panels of", weights.width(), cpu.level().panel())?;
    operands::linear(input, (columns, weights.depth()), epilogue, out)?;

    let division = Division::new(rows, weights.count(), cpu.level().rows(), cpu.threads());
    let parts = weights.count().div_ceil(division.panels);
    let tasks = rows.div_ceil(division.rows) * parts;
    let stride = row_stride(weights.depth());
    let out = SharedMatrix::new(out.values_mut(), columns);
    cpu.for_each_task(tasks, |task| {
        let first = task / parts * division.rows;
        let rows = division.rows.min(rows - first);
        let panels = task % parts * division.panels;
        let mut room = cpu
            .scratch()
            .lend(rows * stride + partial_length(rows, weights))?;
        let (left, partial) = room.split_at_mut(rows * stride);
        cpu.level().run(Prologue { input, first, left, stride });
        cpu.level().run(Block {
            a: left,
            a_stride: stride,
            rows,
            weights,
            panels: panels..weights.count().min(panels + division.panels),
            partial,
            finish: &LinearFinish { first, bias: &layer.bias, epilogue, out },
        });
        Ok(())
    })
}

fn rows_of(input: LinearInput<'_, Tensor>) -> usize {
    match input {
        LinearInput::Plain(x) | LinearInput::Modulated(x, _) => x.rows(),
    }
}

/// Brings the rows of a block next to each other, modulated if need be.
struct Prologue<'a> {
    input: LinearInput<'a, Tensor>,
    first: usize,
    left: &'a mut [f32],
    stride: usize,
}

impl Kernel for Prologue<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Vectors>(self, simd: S) {
        for (index, out) in self.left.chunks_exact_mut(self.stride).enumerate() {
            let row = self.first + index;
            match self.input {
                LinearInput::Plain(x) => out[..x.columns()].copy_from_slice(x.row(row)),
                LinearInput::Modulated(x, modulation) => {
                    let table = modulation.table.row(modulation.items.item_of(row));
                    let norm = NormRow {
                        x: x.row(row),
                        base: 1.0,
                        scale: &table[modulation.scale..][..x.columns()],
                        shift: &table[modulation.shift..][..x.columns()],
                        out: &mut out[..x.columns()],
                    };
                    norm.write(simd);
                }
            }
        }
    }
}

/// Adds the bias and does what the epilogue says.
struct LinearFinish<'a> {
    /// The block's first row in the output.
    first: usize,
    bias: &'a [f32],
    epilogue: Epilogue<'a, Tensor>,
    out: SharedMatrix<'a>,
}

impl Finish for LinearFinish<'_> {
    #[inline(always)]
    fn finish<S: Vectors>(&self, simd: S, finished: &Finished<'_>) {
        let columns = finished.columns.clone();
        for (index, sums) in finished.sums.chunks_exact(S::PANEL).enumerate() {
            let row = self.first + index;
            let operand = self.operand(row, columns.clone());
            // SAFETY: every task has rows or columns of its own, and takes one row after the other.
            let out = unsafe { self.out.row(row, columns.clone()) };
            for start in (0..out.len()).step_by(S::LANES) {
                let bias = simd.load_partial(&self.bias[columns.start + start..columns.end]);
                let y = simd.add(simd.load(&sums[start..]), bias);
                let operand = operand.map(|operand| &operand[start..]);
                self.apply(simd, y, operand.unwrap_or_default(), &mut out[start..]);
            }
        }
    }
}

impl<'a> LinearFinish<'a> {
    /// What the epilogue takes besides the sums and the output.
    #[inline(always)]
    fn operand(&self, row: usize, columns: Range<usize>) -> Option<&'a [f32]> {
        match self.epilogue {
            Epilogue::Store(_) | Epilogue::Residual => None,
            Epilogue::Plus(other) => Some(&other.row(row)[columns]),
            Epilogue::ScaledResidual(scale) => Some(&scale.row(0)[columns]),
            Epilogue::GatedResidual { table, items, gate } => {
                Some(&table.row(items.item_of(row))[gate..][columns])
            }
        }
    }

    #[inline(always)]
    fn apply<S: Vectors>(&self, simd: S, y: S::V, operand: &[f32], out: &mut [f32]) {
        let result = match self.epilogue {
            Epilogue::Store(Activation::None) => y,
            Epilogue::Store(Activation::GeluTanh) => math::gelu_tanh(simd, y),
            Epilogue::Store(Activation::GeluErf) => math::gelu_erf(simd, y),
            Epilogue::Plus(_) => simd.add(y, simd.load_partial(operand)),
            Epilogue::Residual => simd.add(simd.load_partial(out), y),
            Epilogue::ScaledResidual(_) | Epilogue::GatedResidual { .. } => {
                simd.fma(simd.load_partial(operand), y, simd.load_partial(out))
            }
        };
        simd.store_partial(result, out);
    }
}
