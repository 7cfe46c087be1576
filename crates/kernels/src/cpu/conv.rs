//! Convolutions over time.
//!
//! Rows that lie one after the other, each with the channels of one group, already are the matrix
//! that a convolution multiplies by its weights: its row `n` is the run of `kernel · channels` values
//! from `n · channels` on. So a group's rows are copied together once, and nothing is repeated.

#![expect(
    unsafe_code,
    reason = "tasks write to disjoint rectangles of the output"
)]

use std::ops::Range;

use super::{
    Cpu,
    check::Check,
    gemm::{Block, Division, Finish, Finished, partial_length},
    math,
    panels::Panels,
    shared::SharedMatrix,
    simd::{Kernel, Vectors},
    tensor::Tensor,
};
use crate::{
    ConvShape, ConvTail, Items, Result,
    operands::{self, ConvOperands, taps_first},
};

/// The weights of a convolution, packed.
#[derive(Debug)]
pub struct Conv {
    shape: ConvShape,
    weights: Weights,
    bias: Vec<f32>,
}

#[derive(Debug)]
enum Weights {
    /// One matrix a group, its depth the taps times the group's input channels.
    Groups(Vec<Panels>),
    /// One row of channels a tap, where every channel is a group.
    Channels(Vec<f32>),
}

/// [`crate::Backend::load_conv`]
pub(super) fn load(cpu: &Cpu, weight: &[f32], bias: &[f32], shape: ConvShape) -> Result<Conv> {
    operands::conv_weights(weight, bias, shape)?;
    let ConvShape { inputs, outputs, kernel, groups } = shape;
    let weights = if groups == inputs && groups == outputs {
        Weights::Channels(taps_first(weight, kernel))
    } else {
        let width = cpu.level().panel();
        let depth = inputs / groups * kernel;
        let pack = |group: &[f32]| {
            let rows = group.chunks_exact(depth);
            let rows: Vec<f32> = rows.flat_map(|row| taps_first(row, kernel)).collect();
            Panels::pack(&rows, depth, width)
        };
        let groups = weight.chunks(depth * (outputs / groups)).map(pack);
        Weights::Groups(cpu.install(|| groups.collect::<Result<_>>())?)
    };
    Ok(Conv { shape, weights, bias: bias.to_vec() })
}

/// [`crate::Backend::conv`]
pub(super) fn conv(cpu: &Cpu, operands: ConvOperands<'_, Tensor>, layer: &Conv) -> Result<()> {
    let shape = layer.shape;
    operands.check(shape)?;
    let ConvOperands { input, items, tail, out } = operands;

    let division = Division::new(items.rows(), 1, cpu.level().rows(), cpu.threads());
    let rows: Vec<Rows> = Rows::divide(items, division.rows).collect();
    let write = Write {
        bias: &layer.bias,
        tail,
        out: SharedMatrix::new(out.values_mut(), shape.outputs),
    };
    match &layer.weights {
        Weights::Channels(taps) => cpu.for_each_task(rows.len(), |task| {
            cpu.level()
                .run(Depthwise { input, rows: &rows[task], taps, write });
            Ok(())
        }),
        Weights::Groups(groups) => {
            let packed = groups.first().map(Panels::width);
            Check("conv").equal(
                "weights packed for panels of",
                packed,
                Some(cpu.level().panel()),
            )?;
            cpu.for_each_task(rows.len() * groups.len(), |task| {
                let (rows, group) = (&rows[task / groups.len()], task % groups.len());
                let group = Group { shape, index: group, weights: &groups[group] };
                group.convolve(cpu, input, rows, write)
            })
        }
    }
}

/// Rows of one item that one task computes.
#[derive(Clone, Debug)]
struct Rows {
    item: Range<usize>,
    rows: Range<usize>,
}

impl Rows {
    fn divide(items: &Items, most: usize) -> impl Iterator<Item = Self> {
        items.iter().flat_map(move |item| {
            let end = item.end;
            item.clone()
                .step_by(most)
                .map(move |start| Self { item: item.clone(), rows: start..end.min(start + most) })
        })
    }

    /// The input row under a tap at an output row, if it lies in the item. Taps beyond the kernel
    /// belong to the rows that follow.
    #[inline(always)]
    fn tap(&self, row: usize, tap: usize, kernel: usize) -> Option<usize> {
        let input = (row + tap).checked_sub(kernel / 2)?;
        self.item.contains(&input).then_some(input)
    }
}

/// One group of a convolution.
struct Group<'a> {
    shape: ConvShape,
    index: usize,
    weights: &'a Panels,
}

impl Group<'_> {
    fn convolve(&self, cpu: &Cpu, input: &Tensor, rows: &Rows, write: Write<'_>) -> Result<()> {
        let channels = self.shape.inputs / self.shape.groups;
        let count = rows.rows.len();
        let copied = (count + self.shape.kernel - 1) * channels;
        let mut room = cpu
            .scratch()
            .lend(copied + partial_length(count, self.weights))?;
        let (left, partial) = room.split_at_mut(copied);
        for (index, out) in left.chunks_exact_mut(channels).enumerate() {
            match rows.tap(rows.rows.start, index, self.shape.kernel) {
                Some(row) => {
                    out.copy_from_slice(&input.row(row)[self.index * channels..][..channels]);
                }
                None => out.fill(0.0),
            }
        }
        cpu.level().run(Block {
            a: left,
            a_stride: channels,
            rows: count,
            weights: self.weights,
            panels: 0..self.weights.count(),
            partial,
            finish: &GroupFinish {
                first: rows.rows.start,
                column: self.index * (self.shape.outputs / self.shape.groups),
                write,
            },
        });
        Ok(())
    }
}

/// Where results go.
#[derive(Clone, Copy, Debug)]
struct Write<'a> {
    bias: &'a [f32],
    tail: ConvTail,
    out: SharedMatrix<'a>,
}

impl Write<'_> {
    /// Writes `y`, to which the bias is already added, to at most [`Vectors::LANES`] columns.
    #[inline(always)]
    fn write<S: Vectors>(&self, simd: S, y: S::V, out: &mut [f32]) {
        let result = match self.tail {
            ConvTail::Store => y,
            ConvTail::Mish => math::mish(simd, y),
            ConvTail::MishResidual => simd.add(simd.load_partial(out), math::mish(simd, y)),
        };
        simd.store_partial(result, out);
    }
}

/// Takes the sums of one group.
struct GroupFinish<'a> {
    /// The block's first row in the output.
    first: usize,
    /// The group's first column in the output.
    column: usize,
    write: Write<'a>,
}

impl Finish for GroupFinish<'_> {
    #[inline(always)]
    fn finish<S: Vectors>(&self, simd: S, finished: &Finished<'_>) {
        let columns = self.column + finished.columns.start..self.column + finished.columns.end;
        for (index, sums) in finished.sums.chunks_exact(S::PANEL).enumerate() {
            // SAFETY: every task has rows or a group of its own, and takes one row after the other.
            let out = unsafe { self.write.out.row(self.first + index, columns.clone()) };
            let bias = &self.write.bias[columns.clone()];
            let operands = sums
                .chunks_exact(S::LANES)
                .zip(bias.chunks(S::LANES))
                .zip(out.chunks_mut(S::LANES));
            for ((sums, bias), out) in operands {
                let y = simd.add(simd.load(sums), simd.load_partial(bias));
                self.write.write(simd, y, out);
            }
        }
    }
}

/// Some rows of a convolution whose every channel is a group.
struct Depthwise<'a> {
    input: &'a Tensor,
    rows: &'a Rows,
    taps: &'a [f32],
    write: Write<'a>,
}

impl Kernel for Depthwise<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Vectors>(self, simd: S) {
        let channels = self.input.columns();
        let kernel = self.taps.len() / channels;
        for row in self.rows.rows.clone() {
            // SAFETY: every task has rows of its own, and takes one after the other.
            let out = unsafe { self.write.out.row(row, 0..channels) };
            for (chunk, out) in out.chunks_mut(S::LANES).enumerate() {
                let columns = chunk * S::LANES..chunk * S::LANES + out.len();
                let mut y = simd.load_partial(&self.write.bias[columns.clone()]);
                for tap in 0..kernel {
                    if let Some(input) = self.rows.tap(row, tap, kernel) {
                        let input = simd.load_partial(&self.input.row(input)[columns.clone()]);
                        let weight = &self.taps[tap * channels..][columns.clone()];
                        y = simd.fma(simd.load_partial(weight), input, y);
                    }
                }
                self.write.write(simd, y, out);
            }
        }
    }
}
