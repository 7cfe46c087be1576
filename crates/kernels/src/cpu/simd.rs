//! Vectors of `f32` in the widest instruction set that the processor has.
//!
//! A kernel is written once, over [`Vectors`], and compiled for each instruction set. Everything between
//! [`Vectors::vectorize`] and the vector operations must be `#[inline(always)]`, and no closure may use
//! them: only code inlined there is compiled with the instruction set switched on.

#![expect(unsafe_code, reason = "loads and stores by address")]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use portable::Portable;

use super::Simd;
use crate::{Error, Result};

#[cfg(target_arch = "x86_64")]
use self::{avx2::Avx2, avx512::Avx512};

/// Proof that an instruction set is there, and its operations.
///
/// `min`, `max` return their second operand if one of the two is not a number.
pub(crate) trait Vectors: Copy + Send + Sync {
    /// Some `f32`.
    type V: Copy;
    /// How many.
    const LANES: usize;
    /// Columns of a micro-tile of the matrix product: two vectors.
    const PANEL: usize = 2 * Self::LANES;
    /// Steps of depth that a matrix product sums in registers before it goes to memory: a panel so deep
    /// stays in the first-level cache while all rows pass by. Results depend on it.
    const DEPTH: usize = 8192 / Self::PANEL;
    /// Rows of a micro-tile: as many as the registers hold.
    const ROWS: usize;

    /// Runs a kernel with the instruction set switched on.
    fn vectorize<K: Kernel>(self, kernel: K) -> K::Output;

    /// The same value in all lanes.
    fn splat(self, value: f32) -> Self::V;
    /// The first values of a slice that holds at least [`Vectors::LANES`].
    fn load(self, from: &[f32]) -> Self::V;
    /// Writes to the front of a slice that holds at least [`Vectors::LANES`].
    fn store(self, value: Self::V, to: &mut [f32]);
    /// The [`Vectors::LANES`] values from an address on.
    ///
    /// # Safety
    /// All of them are valid for reads.
    unsafe fn load_at(self, from: *const f32) -> Self::V;
    /// Writes [`Vectors::LANES`] values from an address on.
    ///
    /// # Safety
    /// All of them are valid for writes.
    unsafe fn store_at(self, value: Self::V, to: *mut f32);
    /// Asks for a cache line that will be read soon. Any address will do.
    fn prefetch(self, address: *const f32);

    /// `a + b`
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a − b`
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a · b`
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a / b`
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a · b + c`, fused where the processor can.
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `c − a · b`, fused where the processor can.
    fn subtract_product(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The smaller of two.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// The larger of two.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// The nearest integer.
    fn round(self, a: Self::V) -> Self::V;
    /// `2^n` for integers −126 ..= 127.
    fn power_of_two(self, n: Self::V) -> Self::V;
    /// The sum of all lanes.
    fn reduce_add(self, a: Self::V) -> f32;
    /// Rotates adjacent pairs `(x₀, x₁)` by `(cos θ, sin θ)` of `angles`.
    fn rotate_pairs(self, pairs: Self::V, angles: Self::V) -> Self::V;

    /// All lanes zero.
    #[inline(always)]
    fn zero(self) -> Self::V {
        self.splat(0.0)
    }

    /// The first values of a slice of any length, followed by zeros.
    #[inline(always)]
    fn load_partial(self, from: &[f32]) -> Self::V {
        if from.len() >= Self::LANES {
            return self.load(from);
        }
        let mut lanes = [0.0; MAX_LANES];
        lanes[..from.len()].copy_from_slice(from);
        self.load(&lanes)
    }

    /// Writes as many lanes as fit into a slice of any length.
    #[inline(always)]
    fn store_partial(self, value: Self::V, to: &mut [f32]) {
        if to.len() >= Self::LANES {
            return self.store(value, to);
        }
        let mut lanes = [0.0; MAX_LANES];
        self.store(value, &mut lanes);
        to.copy_from_slice(&lanes[..to.len()]);
    }
}

/// No instruction set has wider vectors.
pub(crate) const MAX_LANES: usize = 16;

/// A piece of work that is compiled for every instruction set.
pub(crate) trait Kernel {
    /// What it returns.
    type Output;

    /// Does it. Implementations must be `#[inline(always)]`.
    fn run<S: Vectors>(self, simd: S) -> Self::Output;
}

/// The instruction set of a device.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Level {
    Portable(Portable),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
}

impl Level {
    /// Finds out what the processor has.
    pub(crate) fn detect(wanted: Simd) -> Result<Self> {
        match wanted {
            Simd::Auto => Ok(Self::best()),
            Simd::Portable => Ok(Self::Portable(Portable)),
            Simd::Avx2 => Self::avx2().ok_or(Error::Instructions { instructions: "AVX2" }),
            Simd::Avx512 => Self::avx512().ok_or(Error::Instructions { instructions: "AVX-512" }),
        }
    }

    fn best() -> Self {
        Self::avx512()
            .or_else(Self::avx2)
            .unwrap_or(Self::Portable(Portable))
    }

    #[cfg(target_arch = "x86_64")]
    fn avx2() -> Option<Self> {
        Avx2::detect().map(Self::Avx2)
    }

    #[cfg(target_arch = "x86_64")]
    fn avx512() -> Option<Self> {
        Avx512::detect().map(Self::Avx512)
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn avx2() -> Option<Self> {
        None
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn avx512() -> Option<Self> {
        None
    }

    /// Runs a kernel with this instruction set.
    #[inline]
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            Self::Portable(simd) => simd.vectorize(kernel),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(simd) => simd.vectorize(kernel),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(simd) => simd.vectorize(kernel),
        }
    }

    /// The name, for people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Portable(_) => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => "avx512",
        }
    }

    /// [`Vectors::PANEL`]
    pub(crate) fn panel(self) -> usize {
        self.run(Panel)
    }

    /// [`Vectors::ROWS`]
    pub(crate) fn rows(self) -> usize {
        self.run(Rows)
    }
}

struct Panel;

impl Kernel for Panel {
    type Output = usize;

    #[inline(always)]
    fn run<S: Vectors>(self, _: S) -> usize {
        S::PANEL
    }
}

struct Rows;

impl Kernel for Rows {
    type Output = usize;

    #[inline(always)]
    fn run<S: Vectors>(self, _: S) -> usize {
        S::ROWS
    }
}
