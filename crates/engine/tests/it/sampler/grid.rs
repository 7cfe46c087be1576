use f5tts_engine::sampler::grid::{Nfe, Spacing, Sway, times};
use f5tts_testkit::{Tolerance, assert_close};
use proptest::prelude::*;

use crate::golden::{floats, table};

fn steps(number: u32) -> Nfe {
    Nfe::try_from(number).unwrap()
}

#[test]
fn times_are_those_of_the_original() {
    // PyTorch's vectorised cosine is not always the nearest number, and differs between processors.
    let tolerance = Tolerance { abs: f32::EPSILON, rel: 0.0 };
    let cases = table("timesteps");
    let cases = cases.as_array().unwrap();
    assert_eq!(cases.len(), 63);
    for case in cases {
        let nfe = steps(serde_json::from_value(case["nfe"].clone()).unwrap());
        let spacing = if case["epss"].as_bool().unwrap() {
            Spacing::Pruned
        } else {
            Spacing::Equal
        };
        let sway: Option<f32> = serde_json::from_value(case["sway"].clone()).unwrap();
        let expected = floats(&case["t"]);
        if let Some(sway) = sway {
            let times = times(nfe, spacing, Sway::try_from(sway).unwrap());
            assert_close(&case.to_string(), &times, &expected, tolerance);
        } else {
            assert_eq!(times(nfe, spacing, Sway::NONE), expected, "{case}");
        }
    }
}

#[test]
fn numbers_outside_their_range_are_refused() {
    for wrong in [0, 129, u32::MAX] {
        let error = Nfe::try_from(wrong).unwrap_err();
        assert_eq!(error.to_string(), format!("nfe_step is {wrong}, allowed is 1 to 128"));
    }
    for wrong in [-1.1, 1.1, f32::NAN] {
        assert!(Sway::try_from(wrong).is_err());
    }
}

proptest! {
    #[test]
    fn times_run_from_0_to_1(number in 1_u32..=128, sway in -1.0_f32..=1.0, pruned: bool) {
        let spacing = if pruned { Spacing::Pruned } else { Spacing::Equal };
        let times = times(steps(number), spacing, Sway::try_from(sway).unwrap());
        prop_assert_eq!(times.len(), steps(number).get() + 1);
        prop_assert_eq!((times[0], times[times.len() - 1]), (0.0, 1.0));
        prop_assert!(times.is_sorted());
    }
}
