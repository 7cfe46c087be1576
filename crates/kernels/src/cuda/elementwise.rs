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
use crate::{Advance, Result, check::Check};

/// [`crate::Backend::copy_rows`]
pub(super) fn copy_rows(
    cuda: &Cuda,
    input: &Tensor,
    from: Range<usize>,
    to: usize,
    out: &mut Tensor,
) -> Result<()> {
    let check = Check("copy_rows");
    check.equal("output columns", out.columns(), input.columns())?;
    check.rows(&from, input)?;
    check.rows(&(to..to.saturating_add(from.len())), out)?;
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
    let (check, columns) = (Check("advance"), state.columns());
    check.equal("velocity columns", velocity.columns(), columns)?;
    check.shape("an output", out, state.shape())?;
    for advance in advances {
        check.rows(&advance.state, state)?;
        for first in [Some(advance.conditional), advance.unconditional]
            .into_iter()
            .flatten()
        {
            check.rows(&(first..first.saturating_add(advance.state.len())), velocity)?;
        }
    }
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
