use std::cmp::Ordering;

/// How far a value may lie from the expected one: `abs + rel · max|expected|`.
///
/// The relative part refers to the largest expected value of the whole tensor, because in a sum of
/// thousands of terms the error follows the largest of them, not the result.
#[derive(Clone, Copy, Debug)]
pub struct Tolerance {
    /// The absolute part.
    pub abs: f32,
    /// The part relative to the largest expected value.
    pub rel: f32,
}

impl Tolerance {
    /// A tolerance relative to the largest expected value.
    pub const fn relative(rel: f32) -> Self {
        Self { abs: 0.0, rel }
    }
}

/// Panics, with the worst place, unless `actual` is within `tolerance` of `expected`.
#[track_caller]
#[expect(clippy::panic, reason = "an assertion")]
pub fn assert_close(what: &str, actual: &[f32], expected: &[f32], tolerance: Tolerance) {
    assert_eq!(actual.len(), expected.len(), "{what}: lengths differ");
    let largest = expected
        .iter()
        .fold(0.0_f32, |peak, value| peak.max(value.abs()));
    let allowed = tolerance.abs + tolerance.rel * largest;
    let distances = actual.iter().zip(expected).map(|(a, e)| (a - e).abs());
    let worst = distances.enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
    let Some((at, distance)) = worst else { return };
    // A NaN has no order, and so is not within.
    if !matches!(distance.partial_cmp(&allowed), Some(Ordering::Less | Ordering::Equal)) {
        panic!(
            "{what}: {actual} instead of {expected} at {at}: off by {distance:e}, allowed {allowed:e} (largest value {largest})",
            actual = actual[at],
            expected = expected[at],
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "off by")]
    fn a_nan_is_not_close() {
        assert_close("nan", &[f32::NAN, 1.0], &[0.0, 1.0], Tolerance::relative(1.0));
    }

    #[test]
    fn equal_is_close() {
        assert_close("equal", &[1.0, -2.0], &[1.0, -2.0], Tolerance::relative(0.0));
    }
}
