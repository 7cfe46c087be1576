use std::ops::Range;

use rayon::prelude::*;

use super::buffer::{Buffer, LINE};
use crate::Result;

/// The right operand of a matrix product, laid out as the micro-kernel reads it.
///
/// Its columns are cut into panels of equal width, the last filled up with zeros; within a panel, all
/// values of one depth lie next to each other.
#[derive(Debug)]
pub(crate) struct Panels {
    values: Buffer,
    depth: usize,
    columns: usize,
    width: usize,
}

impl Panels {
    /// Packs `weight`, row-major (columns, depth): the transposed right operand, as layers store it.
    pub(crate) fn pack(weight: &[f32], depth: usize, width: usize) -> Result<Self> {
        let columns = weight.len().checked_div(depth).unwrap_or_default();
        let count = columns.div_ceil(width);
        let mut values = Buffer::zeros(count * width * depth)?;
        if depth > 0 {
            values
                .par_chunks_mut(width * depth)
                .zip(weight.par_chunks(width * depth))
                .for_each(|(panel, rows)| transpose(rows, depth, panel, width));
        }
        Ok(Self { values, depth, columns, width })
    }

    /// The number of terms of every sum.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// Columns without the filling.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// The number of panels.
    pub(crate) fn count(&self) -> usize {
        self.columns.div_ceil(self.width)
    }

    /// Columns of a panel.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// A part of a panel.
    #[inline(always)]
    pub(crate) fn part(&self, panel: usize, depths: Range<usize>) -> &[f32] {
        let start = panel * self.depth;
        &self.values[(start + depths.start) * self.width..(start + depths.end) * self.width]
    }
}

/// Writes rows of `depth` values as columns of a panel.
fn transpose(rows: &[f32], depth: usize, panel: &mut [f32], width: usize) {
    // One cache line of every row at a time: each line is read once, and what is written stays near.
    for start in (0..depth).step_by(LINE) {
        let steps = LINE.min(depth - start);
        for (column, row) in rows.chunks_exact(depth).enumerate() {
            for (step, &value) in row[start..start + steps].iter().enumerate() {
                panel[(start + step) * width + column] = value;
            }
        }
    }
}
