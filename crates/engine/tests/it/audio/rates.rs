//! The quality of rate changes for the listener, with tones as probes.

use std::f64::consts::TAU;

use f5tts_engine::audio::{resample, resample_output};
use proptest::prelude::*;

const MODEL_HZ: u32 = 24_000;
const OUTPUT_HZ: &[u32] = &[
    8_000, 11_025, 12_000, 16_000, 22_050, 32_000, 44_100, 48_000,
];

/// A second of a tone of amplitude 0.5.
fn tone(frequency_hz: f64, rate_hz: u32) -> Vec<f32> {
    let phase = |index: u32| TAU * frequency_hz * f64::from(index) / f64::from(rate_hz);
    (0..rate_hz)
        .map(|index| (0.5 * phase(index).sin()) as f32)
        .collect()
}

/// The level in dB against the probe, without the ends, where the tone is switched on and off.
fn level_db(samples: impl ExactSizeIterator<Item = f32>) -> f64 {
    let margin = samples.len() / 10;
    let inner = samples.len() - 2 * margin;
    let energy: f64 = samples
        .skip(margin)
        .take(inner)
        .map(|s| f64::from(s).powi(2))
        .sum();
    10.0 * (energy / inner as f64 / 0.125).log10()
}

/// How far a resampled tone is from the same tone made at the new rate, in dB.
fn error_db(frequency_hz: f64, to_hz: u32) -> f64 {
    let resampled = resample_output(&tone(frequency_hz, MODEL_HZ), MODEL_HZ, to_hz);
    let ideal = tone(frequency_hz, to_hz);
    level_db(
        resampled
            .iter()
            .zip(&ideal)
            .map(|(a, b)| a - b)
            .collect::<Vec<_>>()
            .into_iter(),
    )
}

#[test]
fn tones_pass_unchanged() {
    for &to_hz in OUTPUT_HZ {
        let nyquist_hz = f64::from(to_hz.min(MODEL_HZ)) / 2.0;
        for share in [0.01, 0.1, 0.5, 0.85] {
            let error = error_db(share * nyquist_hz, to_hz);
            assert!(error < -80.0, "{to_hz} Hz, {share} of the band: {error:.1} dB");
        }
        // Here the filter begins to fall: 0.02 dB of loss.
        let error = error_db(0.9 * nyquist_hz, to_hz);
        assert!(error < -50.0, "{to_hz} Hz, 0.9 of the band: {error:.1} dB");
    }
}

#[test]
fn what_does_not_fit_is_removed() {
    for to_hz in [8_000, 11_025, 16_000, 22_050] {
        let nyquist_hz = f64::from(to_hz) / 2.0;
        for share in [1.0, 1.01, 1.1, 1.5] {
            let frequency_hz = share * nyquist_hz;
            if frequency_hz >= f64::from(MODEL_HZ) / 2.0 {
                continue;
            }
            let resampled = resample_output(&tone(frequency_hz, MODEL_HZ), MODEL_HZ, to_hz);
            let alias = level_db(resampled.into_iter());
            assert!(alias < -80.0, "{to_hz} Hz, {share} of the band: {alias:.1} dB");
        }
    }
}

#[test]
fn no_images_appear_above_the_old_band() {
    for to_hz in [32_000, 44_100, 48_000] {
        // Its image lies at 13 kHz; what is not the tone itself must be silence.
        let error = error_db(10_500.0, to_hz);
        assert!(error < -80.0, "{to_hz} Hz: {error:.1} dB");
    }
}

#[test]
fn unrelated_rates_are_no_worse() {
    let error = error_db(4_000.0, 47_999);
    assert!(error < -80.0, "{error:.1} dB");
}

/// The definition of both filters' length, and the sum itself without any shortcut.
fn naive(samples: &[f32], from_hz: u32, to_hz: u32) -> Vec<f32> {
    const CROSSINGS: f64 = 6.0;
    let (from, to) = (f64::from(from_hz), f64::from(to_hz));
    let cutoff = from.min(to) * 0.99;
    let length = (samples.len() as u64 * u64::from(to_hz)).div_ceil(u64::from(from_hz));
    let value = |index: u64| {
        let place = index as f64 / to;
        let taps = samples.iter().enumerate().map(|(at, &sample)| {
            let time = ((at as f64 / from - place) * cutoff).clamp(-CROSSINGS, CROSSINGS);
            let window = (time / CROSSINGS * TAU / 4.0).cos().powi(2);
            let sinc = if time == 0.0 {
                1.0
            } else {
                (time * TAU / 2.0).sin() / (time * TAU / 2.0)
            };
            f64::from(sample) * window * sinc * cutoff / from
        });
        taps.sum::<f64>() as f32
    };
    (0..length).map(value).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_rates_agree_with_the_definition(
        samples in proptest::collection::vec(-1.0_f32..1.0, 1..150),
        from_hz in 8_000_u32..=192_000, to_hz in 8_000_u32..=48_000,
    ) {
        // Whole hundreds, so that there are not thousands of filters for a few samples.
        let (from_hz, to_hz) = (from_hz / 100 * 100, to_hz / 100 * 100);
        let resampled = resample(&samples, from_hz, to_hz);
        let expected = naive(&samples, from_hz, to_hz);
        prop_assert_eq!(resampled.len(), expected.len());
        for (actual, expected) in resampled.iter().zip(&expected) {
            prop_assert!(from_hz == to_hz || (actual - expected).abs() < 1e-4);
        }
    }
}
