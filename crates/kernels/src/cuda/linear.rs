//! Linear layers with what comes before and after them.

use std::sync::Arc;

use super::{
    Cuda,
    arguments::{Combine, Finish, Gemm, Matrix, Mode, NONE},
    device::{Address, Product, int},
    launch::{Kernel, Launch},
    norm,
    rows::Rows,
    tensor::{Precision, Tensor},
};
use crate::{Activation, Epilogue, LinearInput, Result, operands};

/// The weights of a linear layer.
#[derive(Debug)]
pub struct Linear {
    /// In half precision, with zeros after each row up to a multiple of [`ALIGNMENT`].
    weight: Tensor,
    bias: Option<Tensor>,
    half_bias: Option<Tensor>,
    inputs: usize,
}

/// Halves that are copied together.
pub(super) const ALIGNMENT: usize = 8;

/// [`crate::Backend::load_linear`]
pub(super) fn load(
    cuda: &Cuda,
    weight: &[f32],
    bias: Option<&[f32]>,
    inputs: usize,
) -> Result<Linear> {
    let outputs = operands::linear_weights(weight, bias, inputs)?;
    let bias = bias
        .map(|bias| Tensor::upload(cuda, bias, outputs))
        .transpose()?;
    let half_bias = bias
        .as_ref()
        .map(|bias| rounded(cuda, bias, outputs))
        .transpose()?;
    let single = Tensor::upload(cuda, weight, inputs)?;
    let weight = rounded(cuda, &single, inputs.next_multiple_of(ALIGNMENT))?;
    Ok(Linear { weight, bias, half_bias, inputs })
}

/// `tensor` in half precision, with `columns` columns.
fn rounded(cuda: &Cuda, tensor: &Tensor, columns: usize) -> Result<Tensor> {
    let half = cuda.matrix(tensor.rows(), columns, Precision::Half)?;
    tensor.convert(cuda, &half)?;
    Ok(half)
}

/// [`crate::Backend::linear`]
pub(super) fn linear(
    cuda: &Cuda,
    input: LinearInput<'_, Tensor>,
    layer: &Linear,
    epilogue: Epilogue<'_, Tensor>,
    out: &mut Tensor,
) -> Result<()> {
    let (LinearInput::Plain(x) | LinearInput::Modulated(x, _)) = input;
    operands::linear(input, (layer.weight.rows(), layer.inputs), epilogue, out)?;

    let copy = prepared(cuda, input, layer)?;
    let a = copy.as_ref().unwrap_or(x);
    let (finish, _rows) = finish(cuda, layer, epilogue, out)?;
    let product = Product {
        a: a.row_address(0),
        a_stride: layer.weight.columns(),
        weight: layer.weight.row_address(0),
        half_bias: layer.half_bias.as_ref().map(|bias| bias.row_address(0)),
        rows: x.rows(),
        columns: layer.weight.rows(),
        depth: layer.weight.columns(),
        finish,
    };
    if product.rows == 0 || product.columns == 0 || multiplied(cuda, &product)? {
        return Ok(());
    }
    Groups::one().multiply(cuda, &product, NONE)
}

/// What is multiplied: rounded, modulated and with rows as long as those of the weights; `None` if the input is
/// that already.
fn prepared(cuda: &Cuda, input: LinearInput<'_, Tensor>, layer: &Linear) -> Result<Option<Tensor>> {
    let columns = layer.weight.columns();
    match input {
        LinearInput::Plain(x) => {
            let fits = x.precision() == Precision::Half && x.columns() == columns;
            (!fits).then(|| rounded(cuda, x, columns)).transpose()
        }
        LinearInput::Modulated(x, modulation) => {
            let out = cuda.matrix(x.rows(), columns, Precision::Half)?;
            norm::modulate(cuda, x, modulation, &out)?;
            Ok(Some(out))
        }
    }
}

/// What becomes of the product, and what it needs to stay alive for that.
fn finish(
    cuda: &Cuda,
    layer: &Linear,
    epilogue: Epilogue<'_, Tensor>,
    out: &Tensor,
) -> Result<(Finish, Option<Arc<Rows>>)> {
    let mut finish = Finish::store(out.matrix()?);
    if let Some(bias) = &layer.bias {
        finish.bias = bias.row_address(0);
    }
    let mut rows = None;
    (finish.mode, finish.operand) = match epilogue {
        Epilogue::Store(Activation::None) => (Mode::Store, Matrix::NONE),
        Epilogue::Store(Activation::GeluTanh) => (Mode::GeluTanh, Matrix::NONE),
        Epilogue::Store(Activation::GeluErf) => (Mode::GeluErf, Matrix::NONE),
        Epilogue::Plus(other) => (Mode::Plus, other.matrix()?),
        Epilogue::Residual => (Mode::Residual, Matrix::NONE),
        Epilogue::ScaledResidual(scale) => (Mode::ScaledResidual, scale.matrix()?),
        Epilogue::GatedResidual { table, items, gate } => {
            let placed = cuda.rows(items)?;
            finish.row_item = placed.row_item();
            finish.operand_column = int(gate)?;
            rows = Some(placed);
            (Mode::GatedResidual, table.matrix()?)
        }
    };
    Ok((finish, rows))
}

/// Multiplies with the device's library, if it has one.
fn multiplied(cuda: &Cuda, product: &Product) -> Result<bool> {
    if !cuda.device.multiplies() {
        return Ok(false);
    }
    let Finish { mode, out, .. } = product.finish;
    let half = out.half == 1;
    // What the library does itself; for the rest it makes a plain product.
    let direct = match mode {
        Mode::Store => true,
        Mode::GeluTanh => half,
        Mode::Residual => !half,
        Mode::GeluErf
        | Mode::Plus
        | Mode::ScaledResidual
        | Mode::GatedResidual
        | Mode::Mish
        | Mode::MishResidual => false,
    };
    if direct {
        return cuda.device.multiply(product);
    }
    let plain = cuda.matrix(product.rows, product.columns, Precision::Half)?;
    let stored = Product {
        finish: Finish::store(plain.matrix()?),
        half_bias: None,
        ..*product
    };
    if !cuda.device.multiply(&stored)? {
        return Ok(false);
    }
    let arguments = Combine {
        product: plain.matrix()?,
        finish: product.finish,
        rows: int(product.rows)?,
        padding: 0,
    };
    let pairs = product.columns.div_ceil(2);
    cuda.launch(&Launch::cells(Kernel::Combine, product.rows, pairs, &arguments))?;
    Ok(true)
}

/// Several products at once, with their results side by side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Groups {
    pub(super) count: usize,
    /// Halves from one group's left operand to the next.
    pub(super) a_group: usize,
    /// Rows of the left operand that are left out after each item.
    pub(super) gap: usize,
}

impl Groups {
    const fn one() -> Self {
        Self { count: 1, a_group: 0, gap: 0 }
    }

    /// Multiplies with the own kernel. `product.columns` are those of one group.
    pub(super) fn multiply(self, cuda: &Cuda, product: &Product, row_item: Address) -> Result<()> {
        let Product { rows, columns, .. } = *product;
        let arguments = Gemm {
            a: product.a,
            weight: product.weight,
            row_item,
            finish: product.finish,
            a_group: i64::from(int(self.a_group)?),
            a_stride: int(product.a_stride)?,
            rows: int(rows)?,
            columns: int(columns)?,
            depth: int(product.depth)?,
            gap: int(self.gap)?,
            padding: 0,
        };
        let blocks = |tile: usize| [columns.div_ceil(tile), rows.div_ceil(tile), self.count];
        let [x, y, z] = blocks(128);
        // Large tiles read less, but only where they occupy the whole device.
        let large = columns >= 128 && x * y * z >= cuda.device.multiprocessors();
        let (kernel, blocks) = if large {
            (Kernel::GemmLarge, [x, y, z])
        } else {
            (Kernel::GemmSmall, blocks(64))
        };
        cuda.launch(&Launch::new(kernel, blocks, &arguments))
    }
}
