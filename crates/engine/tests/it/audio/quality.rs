use std::time::Duration;

use f5tts_engine::audio::{DecodeLimits, decode, inspect};
use f5tts_testkit::Golden;

/// Half a second of speech at 24 kHz, cut out of a sentence.
fn speech() -> Vec<f32> {
    let bytes = std::fs::read(Golden::path("audio/speech_24k.wav")).unwrap();
    decode(&bytes, &DecodeLimits::default()).unwrap().to_mono()
}

#[test]
fn levels_and_length_are_measured() {
    let square: Vec<f32> = (0..8_000)
        .map(|i| if i % 2 == 0 { 0.5 } else { -0.5 })
        .collect();
    let inspection = inspect(&square, 16_000);
    assert_eq!(inspection.duration, Duration::from_millis(500));
    assert!((inspection.peak - 0.5).abs() < 1e-6);
    assert!((inspection.rms_dbfs - -6.02).abs() < 0.01);
    assert!(inspection.clipped_share < 1e-6);
}

#[test]
fn clipping_is_a_share() {
    let mut samples = vec![0.25; 1_000];
    samples[..50].fill(1.0);
    samples[50..100].fill(-1.0);
    let inspection = inspect(&samples, 8_000);
    assert!((inspection.clipped_share - 0.1).abs() < 1e-6);
    assert!((inspection.peak - 1.0).abs() < 1e-6);
}

#[test]
fn speech_that_is_cut_off_ends_abruptly() {
    let cut = speech();
    assert!(inspect(&cut, 24_000).ends_abruptly());
    // The same with a pause, in which there is as little as in most rooms.
    let noise = (0..2_400).map(|i| if i % 3 == 0 { 0.002 } else { -0.001 });
    let whole: Vec<f32> = cut.into_iter().chain(noise).collect();
    let inspection = inspect(&whole, 24_000);
    assert!(!inspection.ends_abruptly(), "{} dB", inspection.fade_db);
}

#[test]
fn silence_and_nothing_are_not_abrupt() {
    for samples in [vec![], vec![0.0; 10], vec![0.0; 10_000]] {
        let inspection = inspect(&samples, 24_000);
        assert!(!inspection.ends_abruptly());
        assert!(inspection.rms_dbfs < -1e6);
    }
}
