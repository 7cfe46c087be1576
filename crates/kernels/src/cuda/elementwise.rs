//! Copies and updates of rows.

use std::ops::Range;

use super::{
    Cuda,
    arguments::{self, Convert, Finite, Matrix},
    bytes_of_mut,
    device::int,
    launch::{Kernel, Launch},
    tensor::Tensor,
};
use crate::{Advance, Result, check::Check, operands};

/// [`crate::Backend::copy_rows`]
pub(super) fn copy_rows(
    cuda: &Cuda,
    input: &Tensor,
    from: Range<usize>,
    to: usize,
    out: &mut Tensor,
) -> Result<()> {
    operands::copy_rows(input, &from, to, out)?;
    if input.precision() == out.precision() {
        let bytes = from.len() * input.row_bytes();
        let (from, to) = (input.row_address(from.start), out.row_address(to));
        return cuda.device.copy(from, to, bytes);
    }
    let arguments = Convert {
        x: input.matrix_from(from.start)?,
        out: out.matrix_from(to)?,
        rows: int(from.len())?,
        padding: 0,
    };
    cuda.launch(&Launch::cells(Kernel::Convert, from.len(), input.columns(), &arguments))
}

/// [`crate::Backend::zero_rows`]
pub(super) fn zero_rows(cuda: &Cuda, rows: Range<usize>, out: &mut Tensor) -> Result<()> {
    Check("zero_rows").rows(&rows, out)?;
    cuda.device
        .fill(out.row_address(rows.start), 0, rows.len() * out.row_bytes())
}

/// [`crate::Backend::advance`]
pub(super) fn advance(
    cuda: &Cuda,
    state: &Tensor,
    velocity: &Tensor,
    advances: &[Advance],
    out: &mut Tensor,
) -> Result<()> {
    operands::advance(state, velocity, advances, out)?;
    let columns = state.columns();
    for advance in advances {
        let (first, rows) = (advance.state.start, advance.state.len());
        let unconditional = advance.unconditional.map(|row| velocity.matrix_from(row));
        let arguments = arguments::Advance {
            state: state.matrix_from(first)?,
            conditional: velocity.matrix_from(advance.conditional)?,
            unconditional: unconditional.transpose()?.unwrap_or(Matrix::NONE),
            out: out.matrix_from(first)?,
            rows: int(rows)?,
            guidance: advance.guidance,
            step: advance.step,
            padding: 0,
        };
        cuda.launch(&Launch::cells(Kernel::Advance, rows, columns, &arguments))?;
    }
    Ok(())
}

/// [`crate::Backend::is_finite`]
pub(super) fn is_finite(cuda: &Cuda, tensor: &Tensor) -> Result<bool> {
    let flag = cuda.scratch(Some(size_of::<i32>()))?;
    cuda.device.fill(flag.address(), 0, size_of::<i32>())?;
    let arguments = Finite {
        x: tensor.matrix()?,
        broken: flag.address(),
        rows: int(tensor.rows())?,
        padding: 0,
    };
    let (rows, columns) = tensor.shape();
    cuda.launch(&Launch::cells(Kernel::FindBroken, rows, columns, &arguments))?;
    let mut broken = [0_i32];
    cuda.device
        .download(flag.address(), bytes_of_mut(&mut broken))?;
    Ok(broken == [0])
}
