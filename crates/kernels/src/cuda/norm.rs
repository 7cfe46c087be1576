//! Layer norm and global response normalisation.

use super::{
    Cuda,
    arguments::{ColumnNorms, Matrix, NONE, Normalise, Response, ResponseFactors},
    device::int,
    launch::{Kernel, Launch},
    tensor::Tensor,
};
use crate::{Items, Modulation, Result, operands};

/// Rows of a block.
const ROWS: usize = 8;

/// [`crate::Backend::layer_norm`]
pub(super) fn layer_norm(
    cuda: &Cuda,
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
    let arguments = Normalise {
        x: input.matrix()?,
        out: out.matrix()?,
        scale: weight.matrix()?,
        shift: bias.matrix()?,
        row_item: NONE,
        scale_column: 0,
        shift_column: 0,
        rows: int(input.rows())?,
        base: 0.0,
    };
    normalise(cuda, input.rows(), &arguments)
}

/// Writes `layer_norm(x) · (1 + scale) + shift` to `out`, whose columns beyond those of `x` become zero.
pub(super) fn modulate(
    cuda: &Cuda,
    x: &Tensor,
    modulation: Modulation<'_, Tensor>,
    out: &Tensor,
) -> Result<()> {
    let rows = cuda.rows(modulation.items)?;
    let table: Matrix = modulation.table.matrix()?;
    let arguments = Normalise {
        x: x.matrix()?,
        out: out.matrix()?,
        scale: table,
        shift: table,
        row_item: rows.row_item(),
        scale_column: int(modulation.scale)?,
        shift_column: int(modulation.shift)?,
        rows: int(x.rows())?,
        base: 1.0,
    };
    normalise(cuda, x.rows(), &arguments)
}

fn normalise(cuda: &Cuda, rows: usize, arguments: &Normalise) -> Result<()> {
    let blocks = [rows.div_ceil(ROWS), 1, 1];
    cuda.launch(&Launch::new(Kernel::Normalise, blocks, arguments))
}

/// [`crate::Backend::global_response_norm`]
pub(super) fn global_response_norm(
    cuda: &Cuda,
    x: &mut Tensor,
    items: &Items,
    gamma: &Tensor,
    beta: &Tensor,
) -> Result<()> {
    /// Columns of a block.
    const COLUMNS: usize = 32;

    operands::global_response_norm(x, items, gamma, beta)?;
    let columns = x.columns();
    if columns == 0 {
        return Ok(());
    }
    let rows = cuda.rows(items)?;
    let cells = items.len().checked_mul(columns);
    let norms = cuda.scratch(cells.and_then(|cells| cells.checked_mul(size_of::<f32>())))?;
    let arguments = ColumnNorms {
        x: x.matrix()?,
        starts: rows.starts(),
        norms: norms.address(),
    };
    let blocks = [columns.div_ceil(COLUMNS), items.len(), 1];
    cuda.launch(&Launch::new(Kernel::ColumnNorms, blocks, &arguments))?;
    let arguments = ResponseFactors { norms: norms.address(), gamma: gamma.matrix()? };
    cuda.launch(&Launch::new(Kernel::ResponseFactors, [items.len(), 1, 1], &arguments))?;
    let arguments = Response {
        x: x.matrix()?,
        factors: norms.address(),
        beta: beta.matrix()?,
        row_item: rows.row_item(),
        rows: int(x.rows())?,
        padding: 0,
    };
    cuda.launch(&Launch::cells(Kernel::ApplyResponse, x.rows(), columns, &arguments))
}
