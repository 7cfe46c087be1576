//! Functions of vectors. None hides a value that is not a number.

use super::simd::Vectors;

/// `e^x` to about one unit in the last place; below −87.3 about 10⁻³⁸ instead of less.
#[inline(always)]
pub(crate) fn exp<S: Vectors>(simd: S, x: S::V) -> S::V {
    // Cody and Waite's two parts of ln 2: the first has so few bits that its product with n is exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    // Cephes' `expf`.
    const COEFFICIENTS: [f32; 5] = [
        1.398_199_9e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        0.166_666_66,
        0.5,
    ];

    let x = simd.max(simd.splat(-87.3), simd.min(simd.splat(88.0), x));
    let n = simd.round(simd.mul(x, simd.splat(std::f32::consts::LOG2_E)));
    let r = simd.subtract_product(n, simd.splat(LN_2_HIGH), x);
    let r = simd.subtract_product(n, simd.splat(LN_2_LOW), r);
    let mut series = simd.splat(1.987_569_1e-4);
    for coefficient in COEFFICIENTS {
        series = simd.fma(series, r, simd.splat(coefficient));
    }
    let fraction = simd.fma(series, simd.mul(r, r), r);
    let power = simd.power_of_two(n);
    simd.fma(fraction, power, power)
}

/// GELU by the tanh approximation: `x / (1 + e^(−2u))`, `u = √(2/π)·(x + 0.044715·x³)`.
#[inline(always)]
pub(crate) fn gelu_tanh<S: Vectors>(simd: S, x: S::V) -> S::V {
    const LINEAR: f32 = -1.595_769;
    const CUBIC: f32 = LINEAR * 0.044_715;

    let square = simd.mul(x, x);
    let minus_2u = simd.mul(x, simd.fma(square, simd.splat(CUBIC), simd.splat(LINEAR)));
    simd.div(x, simd.add(simd.splat(1.0), exp(simd, minus_2u)))
}

/// Exact GELU, `max(x, 0) − |x|·Q(|x|)`, where `Q` is the upper tail of the normal distribution.
///
/// In this form nothing cancels on the negative side, where GELU fades to zero.
#[inline(always)]
pub(crate) fn gelu_erf<S: Vectors>(simd: S, x: S::V) -> S::V {
    let zero = simd.zero();
    let positive = simd.max(zero, x);
    let size = simd.max(simd.sub(zero, x), x);
    simd.subtract_product(size, normal_tail(simd, size), positive)
}

/// `x·tanh(ln(1 + e^x))`
#[inline(always)]
pub(crate) fn mish<S: Vectors>(simd: S, x: S::V) -> S::V {
    // With n = e^x: tanh(ln(1 + n)) = w / (w + 2), w = n·(n + 2). From 20 on that is 1.
    let n = exp(simd, simd.min(simd.splat(20.0), x));
    let two = simd.splat(2.0);
    let w = simd.mul(n, simd.add(n, two));
    simd.mul(x, simd.div(w, simd.add(w, two)))
}

/// `½·erfc(z / √2)` for `z ≥ 0`; its product with `z` is right to 6·10⁻⁹ before rounding.
#[inline(always)]
fn normal_tail<S: Vectors>(simd: S, z: S::V) -> S::V {
    // The form of Abramowitz and Stegun 7.1.26, one power longer and fitted anew, by least squares
    // reweighted towards the smallest largest error: t·P(t)·e^(−z²/2), t = 1 / (1 + 0.28·z).
    const COEFFICIENTS: [f32; 5] = [
        0.394_925_77,
        -0.245_278_46,
        0.275_658_3,
        0.064_767_72,
        0.116_959_05,
    ];

    let one = simd.splat(1.0);
    let t = simd.div(one, simd.fma(simd.splat(0.28), z, one));
    let mut series = simd.splat(-0.107_032_41);
    for coefficient in COEFFICIENTS {
        series = simd.fma(series, t, simd.splat(coefficient));
    }
    let minus_half_square = simd.mul(simd.mul(z, simd.splat(-0.5)), z);
    simd.mul(simd.mul(series, t), exp(simd, minus_half_square))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::{
        Simd,
        simd::{Kernel, Level},
    };

    #[derive(Clone, Copy)]
    enum Function {
        Exp,
        GeluTanh,
        GeluErf,
        Mish,
    }

    struct Map<'a>(Function, &'a mut [f32]);

    impl Kernel for Map<'_> {
        type Output = ();

        #[inline(always)]
        fn run<S: Vectors>(self, simd: S) {
            for values in self.1.chunks_mut(S::LANES) {
                let x = simd.load_partial(values);
                let y = match self.0 {
                    Function::Exp => exp(simd, x),
                    Function::GeluTanh => gelu_tanh(simd, x),
                    Function::GeluErf => gelu_erf(simd, x),
                    Function::Mish => mish(simd, x),
                };
                simd.store_partial(y, values);
            }
        }
    }

    /// The function of the numbers, with every instruction set of this machine.
    fn map(function: Function, x: &[f32]) -> Vec<Vec<f32>> {
        let all = [Simd::Portable, Simd::Avx2, Simd::Avx512];
        let levels = all.iter().filter_map(|&simd| Level::detect(simd).ok());
        levels
            .map(|level| {
                let mut values = x.to_vec();
                level.run(Map(function, &mut values));
                values
            })
            .collect()
    }

    /// Numbers from `−limit` to `limit`, close to each other.
    fn grid(limit: f32) -> Vec<f32> {
        const STEPS: i16 = 30_000;
        (-STEPS..=STEPS)
            .map(|step| limit * f32::from(step) / f32::from(STEPS))
            .collect()
    }

    fn gelu_tanh_exact(x: f64) -> f64 {
        let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
        0.5 * x * (1.0 + u.tanh())
    }

    fn mish_exact(x: f64) -> f64 {
        x * x.exp().ln_1p().tanh()
    }

    #[test]
    fn exponentials_are_right_to_the_last_places() {
        let x = grid(87.3);
        for values in map(Function::Exp, &x) {
            for (&x, y) in x.iter().zip(values) {
                let expected = f64::from(x).exp();
                let error = (f64::from(y) - expected).abs() / expected;
                // Two units in the last place, without a fused multiply-add as well.
                assert!(error < 2.0 * f64::from(f32::EPSILON), "{x}: {error:e}");
            }
        }
    }

    #[test]
    fn exponentials_have_ends() {
        let x = [f32::NEG_INFINITY, -1e30, -100.0, 0.0, 1e30, f32::INFINITY];
        for values in map(Function::Exp, &x) {
            assert!(values[..3].iter().all(|&y| (0.0..2e-38).contains(&y)));
            assert_eq!(values[3].to_bits(), 1.0_f32.to_bits());
            assert!(values[4..].iter().all(|&y| y > 1e38));
        }
    }

    /// Compares a function with its exact version, near zero and far from it.
    fn check(function: Function, exact: fn(f64) -> f64) {
        for limit in [1e-3, 6.0, 80.0] {
            let x = grid(limit);
            for values in map(function, &x) {
                for (&x, y) in x.iter().zip(values) {
                    let error = (f64::from(y) - exact(f64::from(x))).abs();
                    // Half a unit of x itself, and as much again for each of the steps between.
                    assert!(error <= 4e-7 * f64::from(x.abs()), "{x}: {y}, off by {error:e}");
                }
            }
        }
    }

    #[test]
    fn activations_are_right() {
        check(Function::GeluTanh, gelu_tanh_exact);
        check(Function::Mish, mish_exact);
    }

    #[test]
    fn gelu_has_its_known_values() {
        // x·Φ(x), from tables of the normal distribution.
        let x = [-6.0, -4.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 4.0, 30.0];
        let expected = [
            -5.919_5e-9,
            -1.266_849_7e-4,
            -0.045_500_264,
            -0.158_655_25,
            -0.154_268_77,
            0.0,
            0.345_731_23,
            0.841_344_7,
            1.954_499_7,
            3.999_873_3,
            30.0,
        ];
        for values in map(Function::GeluErf, &x) {
            for (y, expected) in values.iter().zip(expected) {
                assert!((y - expected).abs() <= 3e-7, "{y} instead of {expected}");
            }
        }
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        for function in [
            Function::Exp,
            Function::GeluTanh,
            Function::GeluErf,
            Function::Mish,
        ] {
            for values in map(function, &[f32::NAN, 1.0]) {
                assert!(values[0].is_nan() && values[1].is_finite());
            }
        }
    }
}
