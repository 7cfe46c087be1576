//! The matrix product of a block of rows with packed weights.

use std::ops::Range;

use super::{
    panels::Panels,
    product::Product,
    simd::{Kernel, Vectors},
};

/// Takes finished sums and does with them what the operation wants.
pub(crate) trait Finish: Sync {
    /// Takes the sums of one panel.
    fn finish<S: Vectors>(&self, simd: S, finished: &Finished<'_>);
}

/// Finished sums of all rows of a block and the columns of a panel.
#[derive(Debug)]
pub(crate) struct Finished<'a> {
    /// The columns, without the filling of the last panel.
    pub(crate) columns: Range<usize>,
    /// The sums, each row [`Vectors::PANEL`] long.
    pub(crate) sums: &'a [f32],
}

/// The product of some rows with some panels.
#[derive(Debug)]
pub(crate) struct Block<'a, F> {
    /// The rows, `a_stride` apart.
    pub(crate) a: &'a [f32],
    pub(crate) a_stride: usize,
    pub(crate) rows: usize,
    pub(crate) weights: &'a Panels,
    /// Which panels.
    pub(crate) panels: Range<usize>,
    /// Room for [`partial_length`] values.
    pub(crate) partial: &'a mut [f32],
    pub(crate) finish: &'a F,
}

/// Panels whose sums are kept between two parts of the depth.
const GROUP: usize = 16;

/// How much room a [`Block`] needs for sums.
pub(crate) fn partial_length(rows: usize, weights: &Panels) -> usize {
    GROUP.min(weights.count()) * rows * weights.width()
}

impl<F: Finish> Kernel for Block<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Vectors>(mut self, simd: S) {
        let depth = self.weights.depth();
        assert_eq!(self.weights.width(), S::PANEL, "weights packed for other instructions");
        for first in self.panels.clone().step_by(GROUP) {
            let group = first..self.panels.end.min(first + GROUP);
            for start in (0..depth.max(1)).step_by(S::DEPTH) {
                let depths = start..depth.min(start + S::DEPTH);
                for panel in group.clone() {
                    self.multiply(simd, &group, panel, depths.clone());
                }
            }
        }
    }
}

impl<F: Finish> Block<'_, F> {
    /// Adds a part of the depth to the sums of a panel of a group; after the last part, hands them on.
    #[inline(always)]
    fn multiply<S: Vectors>(
        &mut self,
        simd: S,
        group: &Range<usize>,
        panel: usize,
        depths: Range<usize>,
    ) {
        let (weights, length) = (self.weights, self.rows * S::PANEL);
        let sums = &mut self.partial[(panel - group.start) * length..][..length];
        let following = if panel + 1 < group.end {
            weights.part(panel + 1, depths.clone())
        } else {
            weights.part(group.start, depths.end..weights.depth().min(depths.end + S::DEPTH))
        };
        let product = Product {
            a: &self.a[depths.start..],
            a_stride: self.a_stride,
            b: weights.part(panel, depths.clone()),
            depth: depths.len(),
            c: sums,
            c_stride: S::PANEL,
            accumulate: depths.start > 0,
            next: following,
        };
        product.compute(simd, self.rows);
        if depths.end == weights.depth() {
            let columns = panel * S::PANEL..weights.columns().min((panel + 1) * S::PANEL);
            self.finish.finish(simd, &Finished { columns, sums });
        }
    }
}

/// How the rows and panels of a product are divided among threads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Division {
    /// Rows of a block.
    pub(crate) rows: usize,
    /// Panels of a block.
    pub(crate) panels: usize,
}

/// Rows of a block at most: its left operand has to stay in the second-level cache.
const MOST_ROWS: usize = 96;

impl Division {
    /// Divides `rows` into blocks of about the same number of whole tiles, as many for each thread;
    /// where there are fewer rows than that, divides the panels too.
    pub(crate) fn new(rows: usize, panels: usize, tile_rows: usize, threads: usize) -> Self {
        let blocks = rows
            .div_ceil(MOST_ROWS)
            .next_multiple_of(threads)
            .min(rows.div_ceil(tile_rows))
            .max(1);
        let block_rows = rows
            .div_ceil(blocks)
            .next_multiple_of(tile_rows)
            .max(tile_rows);
        let parts = threads.div_ceil(rows.div_ceil(block_rows).max(1));
        Self { rows: block_rows, panels: panels.div_ceil(parts).max(1) }
    }
}
