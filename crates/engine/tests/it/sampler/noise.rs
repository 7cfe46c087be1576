use f5tts_engine::sampler::noise::NoiseGenerator;
use serde_json::Value;

use crate::golden::{floats, number, table};

/// PyTorch's vectorised functions and ours may differ by this much, in units in the last place.
const TOLERANCE_ULP: u32 = 4;

#[track_caller]
fn assert_near(actual: &[f32], expected: &Value) {
    let expected = floats(expected);
    assert_eq!(actual.len(), expected.len());
    for (actual, expected) in actual.iter().zip(expected) {
        let distance = actual.to_bits().abs_diff(expected.to_bits());
        assert!(distance <= TOLERANCE_ULP, "{actual} instead of {expected}: {distance} ulp");
    }
}

#[test]
fn noise_is_that_of_pytorch() {
    let cases = table("noise");
    let cases = cases.as_array().unwrap();
    assert_eq!(cases.len(), 28);
    for case in cases {
        let mut generator = NoiseGenerator::new(case["seed"].as_u64().unwrap());
        let numbers = generator.normal(100 * number(&case["rows"]));
        assert_near(&numbers[..8], &case["first"]);
        assert_near(&numbers[numbers.len() - 8..], &case["last"]);
        let sum: f64 = numbers.iter().map(|&number| f64::from(number)).sum();
        assert!((sum - case["sum"].as_f64().unwrap()).abs() < 1e-5, "{sum}: {case}");
        let next = generator.normal(200);
        assert_near(&next[..4], &case["next_first"]);
        assert_near(&next[198..], &case["next_last"]);
    }
}

#[test]
fn draws_of_any_length_follow_each_other_as_in_pytorch() {
    for case in table("noise_draws").as_array().unwrap() {
        let mut generator = NoiseGenerator::new(case["seed"].as_u64().unwrap());
        for draw in case["draws"].as_array().unwrap() {
            assert_near(&generator.normal(draw.as_array().unwrap().len()), draw);
        }
    }
}
