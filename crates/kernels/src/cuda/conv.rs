//! Convolutions over time.

use super::{
    Cuda,
    arguments::{ConvWeights, Depthwise, Finish, Mode, Spread},
    device::{Product, int},
    launch::{Kernel, Launch},
    linear::{ALIGNMENT, Groups},
    pool::Block,
    rows::Rows,
    tensor::{Precision, Tensor},
};
use crate::{
    ConvShape, ConvTail, Items, Result,
    operands::{self, ConvOperands, taps_first},
};

/// The weights of a convolution.
#[derive(Debug)]
pub struct Conv {
    shape: ConvShape,
    weights: Weights,
    bias: Block,
}

#[derive(Debug)]
enum Weights {
    /// (outputs, kernel · padded channels of a group) in half precision.
    Groups(Tensor),
    /// (kernel, channels), where every channel is a group.
    Channels(Block),
}

/// [`crate::Backend::load_conv`]
pub(super) fn load(cuda: &Cuda, weight: &[f32], bias: &[f32], shape: ConvShape) -> Result<Conv> {
    operands::conv_weights(weight, bias, shape)?;
    let ConvShape { inputs, outputs, kernel, groups } = shape;
    let weights = if groups == inputs && groups == outputs {
        Weights::Channels(cuda.uploaded(&taps_first(weight, kernel))?)
    } else {
        Weights::Groups(arranged(cuda, weight, shape)?)
    };
    Ok(Conv { shape, weights, bias: cuda.uploaded(bias)? })
}

/// Brings weights into the order of the spread rows.
fn arranged(cuda: &Cuda, weight: &[f32], shape: ConvShape) -> Result<Tensor> {
    let padded = shape.padded_channels();
    let depth = shape.kernel * padded;
    let out = cuda.matrix(shape.outputs, depth, Precision::Half)?;
    let source = cuda.uploaded(weight)?;
    let arguments = ConvWeights {
        weight: source.address(),
        out: out.row_address(0),
        channels: int(shape.inputs / shape.groups)?,
        padded_channels: int(padded)?,
        kernel: int(shape.kernel)?,
        padding: 0,
    };
    cuda.launch(&Launch::cells(Kernel::ConvWeights, shape.outputs, depth, &arguments))?;
    Ok(out)
}

impl ConvShape {
    /// Input channels of a group, with as many zeros as let them be copied quickly.
    fn padded_channels(self) -> usize {
        (self.inputs / self.groups).next_multiple_of(ALIGNMENT)
    }
}

/// [`crate::Backend::conv`]
pub(super) fn conv(cuda: &Cuda, operands: ConvOperands<'_, Tensor>, layer: &Conv) -> Result<()> {
    let shape = layer.shape;
    operands.check(shape)?;
    let ConvOperands { input, items, tail, out } = operands;
    if input.rows() == 0 {
        return Ok(());
    }
    let rows = cuda.rows(items)?;
    let mut finish = Finish::store(out.matrix()?);
    finish.bias = layer.bias.address();
    finish.mode = match tail {
        ConvTail::Store => Mode::Store,
        ConvTail::Mish => Mode::Mish,
        ConvTail::MishResidual => Mode::MishResidual,
    };
    match &layer.weights {
        Weights::Channels(taps) => {
            let arguments = Depthwise {
                x: input.matrix()?,
                taps: taps.address(),
                finish,
                row_item: rows.row_item(),
                starts: rows.starts(),
                rows: int(input.rows())?,
                kernel: int(shape.kernel)?,
            };
            let launch = Launch::cells(Kernel::Depthwise, input.rows(), shape.inputs, &arguments);
            cuda.launch(&launch)
        }
        Weights::Groups(weight) => {
            grouped(cuda, Spreading { input, items, rows: &rows, shape }, weight, finish)
        }
    }
}

/// A convolution as a product of overlapping rows.
fn grouped(cuda: &Cuda, spreading: Spreading<'_>, weight: &Tensor, finish: Finish) -> Result<()> {
    let Spreading { input, rows, shape, .. } = spreading;
    let spread = spreading.spread(cuda)?;
    let (padded, gap) = (shape.padded_channels(), shape.kernel - 1);
    let groups = Groups {
        count: shape.groups,
        a_group: spreading.spread_rows() * padded,
        gap,
    };
    let product = Product {
        a: spread.address(),
        a_stride: padded,
        weight: weight.row_address(0),
        half_bias: None,
        rows: input.rows(),
        columns: shape.outputs / shape.groups,
        depth: weight.columns(),
        finish,
    };
    groups.multiply(cuda, &product, rows.row_item())
}

/// Rows that are to be copied group by group, with zeros between the items.
#[derive(Clone, Copy)]
struct Spreading<'a> {
    input: &'a Tensor,
    items: &'a Items,
    rows: &'a Rows,
    shape: ConvShape,
}

impl Spreading<'_> {
    /// The rows of one group's copy.
    fn spread_rows(self) -> usize {
        self.input.rows() + self.items.len() * (self.shape.kernel - 1)
    }

    fn spread(self, cuda: &Cuda) -> Result<Block> {
        let (rows, padded) = (self.spread_rows(), self.shape.padded_channels());
        let halves = rows
            .checked_mul(padded)
            .and_then(|halves| halves.checked_mul(self.shape.groups));
        let out = cuda.scratch(halves.and_then(|halves| halves.checked_mul(2)))?;
        let arguments = Spread {
            x: self.input.matrix()?,
            out: out.address(),
            starts: self.rows.starts(),
            items: int(self.items.len())?,
            rows: int(rows)?,
            channels: int(self.shape.inputs / self.shape.groups)?,
            padded_channels: int(padded)?,
            gap: int(self.shape.kernel - 1)?,
            padding: 0,
        };
        let columns = padded.div_ceil(Kernel::Spread.threads() as usize);
        let blocks = [rows, columns, self.shape.groups];
        cuda.launch(&Launch::new(Kernel::Spread, blocks, &arguments))?;
        Ok(out)
    }
}
