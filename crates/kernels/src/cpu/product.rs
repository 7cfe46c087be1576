//! The micro-kernel: rows times one panel, a few rows at a time with all their sums in registers.

#![expect(
    unsafe_code,
    reason = "bounds are checked once a tile instead of at every value"
)]

use super::{
    buffer::LINE,
    simd::{Kernel, Vectors},
};

/// `c = a · b`, or `c += a · b`, for [`Vectors::PANEL`] columns.
#[derive(Debug)]
pub(crate) struct Product<'a> {
    /// Rows of `depth` values, `a_stride` apart. They may overlap.
    pub(crate) a: &'a [f32],
    pub(crate) a_stride: usize,
    /// `depth` rows of [`Vectors::PANEL`] values.
    pub(crate) b: &'a [f32],
    pub(crate) depth: usize,
    /// Rows of [`Vectors::PANEL`] values, `c_stride` apart.
    pub(crate) c: &'a mut [f32],
    pub(crate) c_stride: usize,
    /// Whether to add to `c`.
    pub(crate) accumulate: bool,
    /// What will be read next, to be fetched meanwhile.
    pub(crate) next: &'a [f32],
}

/// Steps of depth between two prefetches.
const UNROLL: usize = 4;

impl Product<'_> {
    /// Computes the first `rows` rows.
    ///
    /// Every sum runs over the depth in order, in whatever tile its row falls: how rows are put
    /// together does not change a bit.
    #[inline(always)]
    pub(crate) fn compute<S: Vectors>(mut self, simd: S, rows: usize) {
        let mut row = 0;
        while row < rows {
            row += match (rows - row).min(S::ROWS) {
                0 | 1 => self.tile::<S, 1>(simd, row),
                2 | 3 => self.tile::<S, 2>(simd, row),
                4 | 5 => self.tile::<S, 4>(simd, row),
                6 | 7 => self.tile::<S, 6>(simd, row),
                8..=11 => self.tile::<S, 8>(simd, row),
                _ => self.tile::<S, 12>(simd, row),
            };
        }
    }

    /// Computes `ROWS` rows from `row` on, and tells how many.
    #[inline(always)]
    fn tile<S: Vectors, const ROWS: usize>(&mut self, simd: S, row: usize) -> usize {
        // Each tile fetches the lines after those of the tile before, the last ones nothing new.
        let fetched = row / S::ROWS * (self.depth / UNROLL) * LINE;
        let next = self.next.get(fetched..).unwrap_or(self.b);
        let tile = Tile::<'_, ROWS> {
            a: &self.a[row * self.a_stride..],
            a_stride: self.a_stride,
            b: self.b,
            depth: self.depth,
            c: &mut self.c[row * self.c_stride..],
            c_stride: self.c_stride,
            accumulate: self.accumulate,
            next: next.as_ptr(),
        };
        simd.vectorize(tile);
        ROWS
    }
}

/// As many rows as fit into registers; the fields are those of [`Product`].
struct Tile<'a, const ROWS: usize> {
    a: &'a [f32],
    a_stride: usize,
    b: &'a [f32],
    depth: usize,
    c: &'a mut [f32],
    c_stride: usize,
    accumulate: bool,
    next: *const f32,
}

impl<const ROWS: usize> Kernel for Tile<'_, ROWS> {
    type Output = ();

    #[inline(always)]
    fn run<S: Vectors>(self, simd: S) {
        let last = ROWS - 1;
        assert!(last * self.a_stride + self.depth <= self.a.len());
        assert!(self.depth * S::PANEL <= self.b.len());
        assert!(last * self.c_stride + S::PANEL <= self.c.len());
        let mut sums = [[simd.zero(); 2]; ROWS];
        let (mut a, mut b, mut next) = (self.a.as_ptr(), self.b.as_ptr(), self.next);
        // SAFETY: both operands hold `depth` steps for all rows, as asserted above; the loops make
        // `depth` steps together.
        unsafe {
            for _ in 0..self.depth / UNROLL {
                simd.prefetch(next);
                next = next.wrapping_add(LINE);
                for step in 0..UNROLL {
                    let (a, b) = (a.add(step), b.add(step * S::PANEL));
                    add_step(simd, &mut sums, (a, self.a_stride), b);
                }
                (a, b) = (a.add(UNROLL), b.add(UNROLL * S::PANEL));
            }
            for step in 0..self.depth % UNROLL {
                let (a, b) = (a.add(step), b.add(step * S::PANEL));
                add_step(simd, &mut sums, (a, self.a_stride), b);
            }
        }
        for (row, sums) in sums.into_iter().enumerate() {
            for (half, mut sum) in sums.into_iter().enumerate() {
                // SAFETY: `c` holds a panel's width of every row, as asserted above.
                unsafe {
                    let c = self
                        .c
                        .as_mut_ptr()
                        .add(row * self.c_stride + half * S::LANES);
                    if self.accumulate {
                        sum = simd.add(simd.load_at(c), sum);
                    }
                    simd.store_at(sum, c);
                }
            }
        }
    }
}

/// Adds the products of one step of depth to all sums.
///
/// # Safety
/// `a` is valid for reads at all rows, `b` for a panel's width.
#[inline(always)]
unsafe fn add_step<S: Vectors, const ROWS: usize>(
    simd: S,
    sums: &mut [[S::V; 2]; ROWS],
    (a, a_stride): (*const f32, usize),
    b: *const f32,
) {
    // SAFETY: as the caller vouches.
    unsafe {
        let right = [simd.load_at(b), simd.load_at(b.add(S::LANES))];
        for (row, sums) in sums.iter_mut().enumerate() {
            let left = simd.splat(*a.add(row * a_stride));
            for (sum, right) in sums.iter_mut().zip(right) {
                *sum = simd.fma(left, right, *sum);
            }
        }
    }
}
