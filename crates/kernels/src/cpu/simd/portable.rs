#![expect(unsafe_code, reason = "loads and stores by address")]

use super::{Kernel, Vectors};

/// Arrays of four that the compiler may turn into vectors; right on any processor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Portable;

const LANES: usize = 4;

#[inline(always)]
fn map(a: [f32; LANES], f: impl Fn(f32) -> f32) -> [f32; LANES] {
    a.map(f)
}

#[inline(always)]
fn zip(a: [f32; LANES], b: [f32; LANES], f: impl Fn(f32, f32) -> f32) -> [f32; LANES] {
    std::array::from_fn(|lane| f(a[lane], b[lane]))
}

/// Without the instruction, `f32::mul_add` is a slow library call.
const FUSED: bool = cfg!(any(target_feature = "fma", target_arch = "aarch64"));

#[inline(always)]
fn multiply_add(a: f32, b: f32, c: f32) -> f32 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

impl Vectors for Portable {
    type V = [f32; LANES];
    const LANES: usize = LANES;
    const ROWS: usize = 6;

    #[inline]
    fn vectorize<K: Kernel>(self, kernel: K) -> K::Output {
        kernel.run(self)
    }

    #[inline(always)]
    fn splat(self, value: f32) -> Self::V {
        [value; LANES]
    }

    #[inline(always)]
    fn load(self, from: &[f32]) -> Self::V {
        from[..LANES]
            .try_into()
            .expect("the slice is as long as the array")
    }

    #[inline(always)]
    fn store(self, value: Self::V, to: &mut [f32]) {
        to[..LANES].copy_from_slice(&value);
    }

    #[inline(always)]
    unsafe fn load_at(self, from: *const f32) -> Self::V {
        // SAFETY: the caller vouches for all lanes; an array needs no more alignment than its elements.
        unsafe { from.cast::<Self::V>().read() }
    }

    #[inline(always)]
    unsafe fn store_at(self, value: Self::V, to: *mut f32) {
        // SAFETY: the caller vouches for all lanes; an array needs no more alignment than its elements.
        unsafe { to.cast::<Self::V>().write(value) }
    }

    #[inline(always)]
    fn prefetch(self, _: *const f32) {}

    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        zip(a, b, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        zip(a, b, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        zip(a, b, |a, b| a * b)
    }

    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        zip(a, b, |a, b| a / b)
    }

    #[inline(always)]
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        std::array::from_fn(|lane| multiply_add(a[lane], b[lane], c[lane]))
    }

    #[inline(always)]
    fn subtract_product(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        std::array::from_fn(|lane| multiply_add(-a[lane], b[lane], c[lane]))
    }

    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        zip(a, b, |a, b| if a < b { a } else { b })
    }

    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        zip(a, b, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    fn round(self, a: Self::V) -> Self::V {
        // Adding 1.5 · 2²³ leaves no bits for a fraction; `round_ties_even` would be a library call.
        const SHIFT: f32 = 12_582_912.0;
        map(a, |a| {
            if a.abs() < 4_194_304.0 {
                (a + SHIFT) - SHIFT
            } else {
                a
            }
        })
    }

    #[inline(always)]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the exponent and its bias lie in 1 ..= 254"
    )]
    fn power_of_two(self, n: Self::V) -> Self::V {
        map(n, |n| f32::from_bits(((n as i32 + 127) as u32) << 23))
    }

    #[inline(always)]
    fn reduce_add(self, a: Self::V) -> f32 {
        (a[0] + a[2]) + (a[1] + a[3])
    }

    #[inline(always)]
    fn rotate_pairs(self, pairs: Self::V, angles: Self::V) -> Self::V {
        let ([a, b, c, d], [cos0, sin0, cos1, sin1]) = (pairs, angles);
        [
            a * cos0 - b * sin0,
            b * cos0 + a * sin0,
            c * cos1 - d * sin1,
            d * cos1 + c * sin1,
        ]
    }
}
