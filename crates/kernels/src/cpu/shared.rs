#![expect(
    unsafe_code,
    reason = "tasks write to disjoint rectangles of one matrix"
)]

use std::{marker::PhantomData, ops::Range, slice};

/// A matrix that several tasks write at once, each in places of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SharedMatrix<'a> {
    values: *mut f32,
    rows: usize,
    columns: usize,
    owner: PhantomData<&'a mut [f32]>,
}

// SAFETY: it is an exclusive borrow of `f32`, which may go to and be used from any thread; that no two
// users meet in one place is what the callers of `row` vouch for.
unsafe impl Send for SharedMatrix<'_> {}
// SAFETY: as for `Send`.
unsafe impl Sync for SharedMatrix<'_> {}

impl<'a> SharedMatrix<'a> {
    /// Shares a row-major matrix.
    pub(crate) fn new(values: &'a mut [f32], columns: usize) -> Self {
        let rows = values.len().checked_div(columns).unwrap_or_default();
        Self {
            values: values.as_mut_ptr(),
            rows,
            columns,
            owner: PhantomData,
        }
    }

    /// A part of one row.
    ///
    /// # Safety
    /// No other reference to any of these values is alive.
    #[inline(always)]
    #[expect(
        clippy::mut_from_ref,
        reason = "the caller vouches that it is the only one"
    )]
    pub(crate) unsafe fn row(&self, row: usize, columns: Range<usize>) -> &mut [f32] {
        assert!(row < self.rows && columns.start <= columns.end && columns.end <= self.columns);
        // SAFETY: the range was checked to lie in the matrix, which is borrowed for `'a`, exclusively;
        // the caller vouches that nobody else uses this part.
        unsafe {
            let start = self.values.add(row * self.columns + columns.start);
            slice::from_raw_parts_mut(start, columns.end - columns.start)
        }
    }
}
