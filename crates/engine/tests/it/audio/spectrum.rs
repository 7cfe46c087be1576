//! Levels, rates and spectrograms, against torch and torchaudio.

use f5tts_engine::audio::{log_mel, normalize, resample};
use f5tts_testkit::{Golden, Tolerance, assert_close};

/// Two transforms in single precision differ by 3e-4 where there is next to nothing to hear, at
/// magnitudes of e⁻⁵; where there is sound, by 1e-5.
const MEL_TOLERANCE: Tolerance = Tolerance { abs: 5e-4, rel: 0.0 };

fn golden() -> Golden {
    Golden::open("audio/audio_ref.safetensors")
}

/// `[bands, frames]` to `[frames, bands]`.
fn transposed(values: &[f32], bands: usize) -> Vec<f32> {
    let frames = values.len() / bands;
    let cells = (0..frames).flat_map(|frame| (0..bands).map(move |band| band * frames + frame));
    cells.map(|at| values[at]).collect()
}

fn speech() -> Vec<f32> {
    let bytes = std::fs::read(Golden::path("audio/speech_24k.wav")).unwrap();
    let recording = f5tts_engine::audio::decode(&bytes, &Default::default()).unwrap();
    assert_eq!(recording.format().bits_per_sample, 16);
    recording.to_mono()
}

#[test]
fn the_spectrogram_is_that_of_torchaudio() {
    let golden = golden();
    let mel = log_mel(&speech()).unwrap();
    let expected = transposed(&golden.f32("mel_vocos"), 100);
    assert_eq!(mel.frames, golden.shape("mel_vocos")[1]);
    assert_close("mel", &mel.values, &expected, MEL_TOLERANCE);
}

#[test]
fn the_shortest_spectrogram_is_mirrored_at_both_ends() {
    let golden = golden();
    let mel = log_mel(&golden.f32("short_wav")).unwrap();
    let expected = transposed(&golden.f32("short_mel_vocos"), 100);
    assert_close("short mel", &mel.values, &expected, MEL_TOLERANCE);
    assert!(log_mel(&[0.1; 512]).is_err());
    assert_eq!(log_mel(&[0.1; 513]).unwrap().frames, 3);
}

#[test]
fn rates_are_changed_as_by_torchaudio() {
    let golden = golden();
    let samples = golden.f32("resample_in");
    for from_hz in [22_050, 44_100, 16_000, 48_000, 8_000, 24_000] {
        let name = format!("resample_{from_hz}_24000");
        let actual = resample(&samples, from_hz, 24_000);
        assert_close(&name, &actual, &golden.f32(&name), Tolerance { abs: 1e-7, rel: 0.0 });
    }
}

#[test]
fn quiet_references_are_amplified_as_officially() {
    let golden = golden();
    let stereo = golden.f32("stereo_in");
    let (left, right) = stereo.split_at(stereo.len() / 2);
    let mut mono: Vec<f32> = left.iter().zip(right).map(|(l, r)| (l + r) / 2.0).collect();
    let found = normalize(&mut mono, 0.1);
    assert_close("rms", &[found], &golden.f32("stereo_rms"), Tolerance::relative(1e-6));
    assert_close("mono", &mono, &golden.f32("stereo_norm_mono"), Tolerance::relative(1e-6));
}
