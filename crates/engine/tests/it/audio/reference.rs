//! Preprocessing of references, against the official implementation.

use f5tts_engine::audio::{PcmFormat, Recording, Warning, remove_silence, trim_reference};
use f5tts_testkit::Golden;
use md5::{Digest, Md5};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    name: String,
    /// Amplitude and milliseconds of stretches of square waves.
    plan: Vec<(i32, usize)>,
    rate: u32,
    half_period: usize,
    out_samples: usize,
    md5: String,
    /// What the official implementation says about clipping.
    infos: Vec<String>,
    remove_silence_samples: usize,
    remove_silence_md5: String,
}

impl Case {
    fn samples(&self) -> Vec<i32> {
        let mut samples = Vec::new();
        for &(amplitude, ms) in &self.plan {
            let frames = 0..ms * self.rate as usize / 1000;
            let square = |frame: usize| {
                if (frame / self.half_period).is_multiple_of(2) {
                    amplitude
                } else {
                    -amplitude
                }
            };
            samples.extend(frames.map(square));
        }
        samples
    }
}

fn cases() -> Vec<Case> {
    serde_json::from_str(&Golden::text("tables/preprocess.json")).unwrap()
}

/// A recording of another format than 16 bits, mono, 16 kHz: noise, loud and quiet.
#[derive(Deserialize)]
struct FormatCase {
    name: String,
    bits: u32,
    channels: usize,
    rate_hz: u32,
    /// Amplitude of 16 bits, and milliseconds.
    plan: Vec<(i32, usize)>,
    trimmed: Trimmed,
}

#[derive(Deserialize)]
struct Trimmed {
    bits: u32,
    channels: usize,
    rate_hz: u32,
    frames: usize,
    md5: String,
    shortened: bool,
}

impl FormatCase {
    fn recording(&self) -> Recording {
        let mut state = 1_u32;
        let mut samples = Vec::new();
        for &(amplitude, ms) in &self.plan {
            for _ in 0..ms * self.rate_hz as usize / 1000 * self.channels {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let value = (((state >> 16) as i32 - 32_768) * amplitude) >> 15;
                let noise = if amplitude == 0 { 0 } else { state as i32 };
                samples.push(match self.bits {
                    8 => value >> 8,
                    wider => value << (wider - 16) | noise & ((1 << (wider - 16)) - 1),
                });
            }
        }
        let format = PcmFormat {
            bits_per_sample: self.bits,
            channels: self.channels,
            sample_rate_hz: self.rate_hz,
        };
        Recording::new(samples, format).unwrap()
    }
}

#[test]
fn references_of_any_format_are_trimmed_as_officially() {
    let table = Golden::text("tables/trim_formats.json");
    for case in serde_json::from_str::<Vec<FormatCase>>(&table).unwrap() {
        let trimmed = trim_reference(&case.recording());
        let expected = &case.trimmed;
        let format = PcmFormat {
            bits_per_sample: expected.bits,
            channels: expected.channels,
            sample_rate_hz: expected.rate_hz,
        };
        assert_eq!(trimmed.format(), format, "{}", case.name);
        assert_eq!(trimmed.frames(), expected.frames, "{}", case.name);
        let bytes = expected.bits as usize / 8;
        let pcm = trimmed
            .samples()
            .iter()
            .flat_map(|s| s.to_le_bytes().into_iter().take(bytes));
        assert_eq!(
            hexadecimal(&Md5::digest(pcm.collect::<Vec<u8>>())),
            expected.md5,
            "{}",
            case.name
        );
        assert_eq!(!trimmed.warnings().is_empty(), expected.shortened, "{}", case.name);
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The digest of samples as a 16-bit file holds them.
fn digest(samples: &[i32]) -> String {
    let bytes: Vec<u8> = samples
        .iter()
        .flat_map(|&s| i16::try_from(s).unwrap().to_le_bytes())
        .collect();
    hexadecimal(&Md5::digest(bytes))
}

#[test]
fn references_are_trimmed_as_officially() {
    for case in cases() {
        let format = PcmFormat { bits_per_sample: 16, channels: 1, sample_rate_hz: case.rate };
        let trimmed = trim_reference(&Recording::new(case.samples(), format).unwrap());
        assert_eq!(trimmed.frames(), case.out_samples, "{}", case.name);
        assert_eq!(digest(trimmed.samples()), case.md5, "{}", case.name);
        let shortened = trimmed
            .warnings()
            .iter()
            .any(|w| matches!(w, Warning::Shortened { .. }));
        assert_eq!(shortened, !case.infos.is_empty(), "{}", case.name);
    }
}

#[test]
fn pauses_are_removed_as_officially() {
    for case in cases() {
        let samples: Vec<f32> = case
            .samples()
            .iter()
            .map(|&s| s as f32 / 32_768.0)
            .collect();
        let kept = remove_silence(&samples, case.rate);
        let integers: Vec<i32> = kept.samples.iter().map(|s| (s * 32_768.0) as i32).collect();
        assert_eq!(integers.len(), case.remove_silence_samples, "{}", case.name);
        assert_eq!(digest(&integers), case.remove_silence_md5, "{}", case.name);
        let by_range: Vec<f32> = kept
            .ranges
            .iter()
            .flat_map(|r| samples[r.clone()].to_vec())
            .collect();
        assert_eq!(by_range, kept.samples, "{}", case.name);
    }
}
