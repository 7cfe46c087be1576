//! Copies and updates of rows.

use std::ops::Range;

use rayon::prelude::*;

use super::{Cpu, check::Check, tensor::Tensor};
use crate::{Advance, Result, operands};

/// [`crate::Backend::copy_rows`]
pub(super) fn copy_rows(
    input: &Tensor,
    from: Range<usize>,
    to: usize,
    out: &mut Tensor,
) -> Result<()> {
    operands::copy_rows(input, &from, to, out)?;
    let (columns, end) = (input.columns(), to + from.len());
    let from = from.start * columns..from.end * columns;
    out.values_mut()[to * columns..end * columns].copy_from_slice(&input.values()[from]);
    Ok(())
}

/// [`crate::Backend::zero_rows`]
pub(super) fn zero_rows(rows: Range<usize>, out: &mut Tensor) -> Result<()> {
    Check("zero_rows").rows(&rows, out)?;
    let columns = out.columns();
    out.values_mut()[rows.start * columns..rows.end * columns].fill(0.0);
    Ok(())
}

/// [`crate::Backend::advance`]
pub(super) fn advance(
    state: &Tensor,
    velocity: &Tensor,
    advances: &[Advance],
    out: &mut Tensor,
) -> Result<()> {
    operands::advance(state, velocity, advances, out)?;
    let columns = state.columns();
    for advance in advances {
        let rows = |tensor, first| part(tensor, first, advance.state.len());
        let places = advance.state.start * columns..advance.state.end * columns;
        let out = out.values_mut()[places]
            .iter_mut()
            .zip(rows(state, advance.state.start))
            .zip(rows(velocity, advance.conditional));
        let (guidance, step) = (advance.guidance, advance.step);
        match advance.unconditional {
            None => out.for_each(|((out, x), v)| *out = x + step * v),
            Some(first) => out
                .zip(rows(velocity, first))
                .for_each(|(((out, x), v), u)| {
                    *out = x + step * (v + (v - u) * guidance);
                }),
        }
    }
    Ok(())
}

/// The values of `count` rows.
fn part(tensor: &Tensor, first: usize, count: usize) -> &[f32] {
    let columns = tensor.columns();
    &tensor.values()[first * columns..(first + count) * columns]
}

/// [`crate::Backend::is_finite`]
pub(super) fn is_finite(cpu: &Cpu, tensor: &Tensor) -> bool {
    /// Values that one task looks at.
    const CHUNK: usize = 1 << 16;
    let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
    cpu.install(|| tensor.values().par_chunks(CHUNK).all(finite))
}
