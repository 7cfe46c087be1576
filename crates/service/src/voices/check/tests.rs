//! Good recordings, and all the ways to spoil them.

#![expect(
    clippy::cast_possible_truncation,
    reason = "made-up signals of known ranges"
)]

use std::{collections::BTreeSet, f32::consts::TAU};

use f5tts_engine::{Voice, VoiceError};
use proptest::prelude::*;

use super::{speech::Speech, *};

const RATE_HZ: u32 = 24_000;
const UNKNOWN: Said<'_> = Said::Unknown(Err(Absence));
const TEXT: &str = "Every morning the baker opens his shop at six.";

fn fixture(path: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../../{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Synthetic speech, mono at 24 kHz: a woman and a man.
fn speakers() -> [Vec<f32>; 2] {
    [
        "tools/goldens/inputs/baker.wav",
        "models/demo/voices/rms.wav",
    ]
    .map(|path| {
        let bytes = fixture(path);
        let recording = audio::decode(&bytes, &DecodeLimits::default()).unwrap();
        assert_eq!(recording.format().sample_rate_hz, RATE_HZ);
        recording.to_mono()
    })
}

/// Speech with half a second of nothing around it.
fn speech() -> Vec<f32> {
    let [samples, _] = speakers();
    let pause = vec![0.0; RATE_HZ as usize / 2];
    [pause.as_slice(), &samples, &pause].concat()
}

/// A mono WAV file of 16 bits.
fn wav(samples: &[f32], sample_rate_hz: u32) -> Vec<u8> {
    let to_bytes = |&sample: &f32| ((sample * 32_768.0).round() as i16).to_le_bytes();
    let data: Vec<u8> = samples.iter().flat_map(to_bytes).collect();
    riff(Header { tag: 1, channels: 1, sample_rate_hz, bits: 16 }, &data)
}

#[derive(Clone, Copy)]
struct Header {
    tag: u16,
    channels: u16,
    sample_rate_hz: u32,
    bits: u16,
}

fn riff(header: Header, data: &[u8]) -> Vec<u8> {
    let Header { tag, channels, sample_rate_hz, bits } = header;
    let frame = u32::from(channels) * u32::from(bits) / 8;
    let size = data.len() as u32;
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + size).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0");
    bytes.extend(tag.to_le_bytes());
    bytes.extend(channels.to_le_bytes());
    bytes.extend(sample_rate_hz.to_le_bytes());
    bytes.extend((sample_rate_hz * frame).to_le_bytes());
    bytes.extend((frame as u16).to_le_bytes());
    bytes.extend(bits.to_le_bytes());
    bytes.extend(b"data");
    bytes.extend(size.to_le_bytes());
    bytes.extend(data);
    bytes
}

fn check(samples: &[f32]) -> VoiceReport {
    VoiceReport::of("a voice", &wav(samples, RATE_HZ), &UNKNOWN)
}

fn codes(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| &*finding.code).collect()
}

fn refusal(report: &VoiceReport) -> &str {
    assert_eq!(report.errors.len(), 1, "{report:?}");
    assert!(report.warnings.is_empty() && report.advice.is_empty(), "{report:?}");
    &report.errors[0].code
}

fn measured(report: &VoiceReport) -> &Measurements {
    report.measurements.as_ref().unwrap()
}

/// White noise with a level of one: always the same.
fn noise(samples: usize) -> Vec<f32> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut uniform = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1_u32 << 24) as f32
    };
    (0..samples)
        .map(|_| (0..12).map(|_| uniform()).sum::<f32>() - 6.0)
        .collect()
}

fn tone(frequency_hz: f32, seconds: u32) -> Vec<f32> {
    (0..RATE_HZ * seconds)
        .map(|index| (TAU * frequency_hz * index as f32 / RATE_HZ as f32).sin())
        .collect()
}

fn sum(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

fn scaled(samples: &[f32], factor: f32) -> Vec<f32> {
    samples.iter().map(|sample| sample * factor).collect()
}

/// The power of speech while there is any, which is what noise is compared with.
fn speech_power(samples: &[f32]) -> f32 {
    let powers: Vec<f32> = samples
        .chunks(480)
        .map(|piece| audio::rms(piece).powi(2))
        .collect();
    let loudest = powers.iter().copied().fold(0.0, f32::max);
    let loud = || powers.iter().filter(|&&power| power > loudest * 1e-4);
    loud().sum::<f32>() / loud().count() as f32
}

fn with_noise(samples: &[f32], snr_db: f32) -> Vec<f32> {
    let level = (speech_power(samples) / 10_f32.powf(snr_db / 10.0)).sqrt();
    sum(samples, &scaled(&noise(samples.len()), level))
}

#[test]
fn good_speech_is_accepted_without_a_warning() {
    let report = VoiceReport::of("anna.wav", &wav(&speech(), RATE_HZ), &Said::Given(TEXT));
    assert_eq!((&report.errors, &report.warnings), (&vec![], &vec![]));
    assert_eq!(codes(&report.advice), ["not_full_band"]);
    assert_eq!((report.name.as_str(), report.transcript), ("anna.wav", Transcript::Given));
    let measured = measured(&report);
    assert_eq!(
        (measured.container.as_str(), measured.sample_rate_hz, measured.channels),
        ("WAV", RATE_HZ, 1)
    );
    assert!((measured.duration_seconds - 4.026).abs() < 0.002, "{measured:?}");
    assert!((2.9..3.3).contains(&measured.trimmed_seconds), "{measured:?}");
    assert!((2.5..3.1).contains(&measured.speech_seconds), "{measured:?}");
    assert!((0.4..0.6).contains(&measured.leading_silence_seconds), "{measured:?}");
    assert!((0.4..0.8).contains(&measured.trailing_silence_seconds), "{measured:?}");
    assert!(measured.snr_db.unwrap() > 35.0, "{measured:?}");
    let pace = TEXT.len() as f64 / measured.trimmed_seconds;
    assert!((measured.characters_per_second.unwrap() - pace).abs() < 0.06, "{measured:?}");
}

#[test]
fn bundled_and_golden_recordings_are_accepted() {
    for (path, warnings) in [
        ("models/demo/voices/rms.wav", &[][..]),
        // flite's speech from 16 kHz, lowered.
        ("models/demo/voices/slt.wav", &["narrow_band"]),
        // It says something else.
        ("tools/goldens/inputs/good_morning.wav", &["short", "transcript_misfit"]),
    ] {
        let report = VoiceReport::of("a", &fixture(path), &Said::Given(TEXT));
        assert!(report.is_accepted(), "{path}: {report:?}");
        assert_eq!(codes(&report.warnings), warnings, "{path}: {report:?}");
    }
    // "Hi, my friend" takes 0.7 s.
    let report = VoiceReport::of("a", &fixture("tools/goldens/inputs/hi_friend.wav"), &UNKNOWN);
    assert_eq!(refusal(&report), "too_little_speech");
}

#[test]
fn the_version_is_the_hash_of_the_bytes() {
    let report = VoiceReport::of("a", b"abc", &UNKNOWN);
    // From FIPS 180-2.
    let expected = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(report.sha256, expected);
}

#[test]
fn the_noise_that_was_added_is_measured() {
    for speaker in speakers() {
        for snr_db in [0.0, 5.0, 10.0, 20.0, 30.0] {
            let speech = Speech::find(&with_noise(&speaker, snr_db), RATE_HZ);
            assert!(speech.seconds() > 2.4, "{snr_db}: {} s", speech.seconds());
            let report = check(&scaled(&with_noise(&speaker, snr_db), 0.5));
            let found = measured(&report).snr_db.unwrap();
            assert!((found - f64::from(snr_db)).abs() < 3.0, "{snr_db}: {found}");
            // Without any pause, it takes some seconds to tell; the bound is wider there.
            let part = &speaker[RATE_HZ as usize / 2..][..RATE_HZ as usize * 2];
            let report = check(&scaled(&with_noise(part, snr_db), 0.5));
            let found = measured(&report).snr_db.unwrap();
            assert!((found - f64::from(snr_db)).abs() < 6.0, "{snr_db}: {found}");
        }
    }
}

#[test]
fn noisy_speech_gets_a_warning_and_drowned_speech_is_refused() {
    let speech = scaled(&speech(), 0.4);
    assert!(codes(&check(&with_noise(&speech, 15.0)).warnings).contains(&"noisy"));
    assert_eq!(refusal(&check(&with_noise(&speech, -3.0))), "drowned");
}

#[test]
fn clipping_is_seen_at_full_scale_and_below() {
    let clipped: Vec<f32> = scaled(&speech(), 12.0)
        .into_iter()
        .map(|sample| sample.clamp(-1.0, 0.9999))
        .collect();
    for level in [1.0, 0.3] {
        let report = check(&scaled(&clipped, level));
        let share = measured(&report).clipped_share;
        let expected = clipped.iter().filter(|sample| sample.abs() > 0.999).count();
        let expected = expected as f64 / clipped.len() as f64;
        assert!((share / expected - 1.0).abs() < 0.2, "{level}: {share}, expected {expected}");
        let warnings = codes(&report.warnings);
        assert_eq!(warnings.iter().filter(|&&code| code == "clipped").count(), 1, "{warnings:?}");
    }
    let loud = check(&scaled(&speech(), 2.5));
    assert!(measured(&loud).peak_dbfs.unwrap() > -4.0, "{loud:?}");
    assert!(measured(&loud).clipped_share < 1e-9);
}

#[test]
fn a_telephone_is_recognised_at_any_rate() {
    let speech = speech();
    let at_8k = audio::resample_output(&speech, RATE_HZ, 8_000);
    for rate_hz in [8_000, 16_000, 24_000, 44_100, 48_000] {
        let samples = audio::resample_output(&at_8k, 8_000, rate_hz);
        let report = VoiceReport::of("a", &wav(&samples, rate_hz), &UNKNOWN);
        let bandwidth = measured(&report).bandwidth_hz.unwrap();
        assert!((3_500..=4_250).contains(&bandwidth), "{rate_hz}: {bandwidth}");
        assert_eq!(codes(&report.warnings), ["narrow_band"], "{rate_hz}");
    }
    let full = sum(&speech, &scaled(&with_hiss(&speech), 1.0));
    let report = check(&full);
    assert!(measured(&report).bandwidth_hz.unwrap() > 11_000, "{report:?}");
    assert!(
        codes(&report.advice)
            .iter()
            .all(|&code| code == "transcript_missing"),
        "{report:?}"
    );
}

/// The speech, made to reach the highest frequencies by turning its spectrum around.
fn with_hiss(speech: &[f32]) -> Vec<f32> {
    let turned = speech.iter().enumerate();
    turned
        .map(|(index, sample)| {
            if index % 2 == 0 {
                0.01 * sample
            } else {
                -0.01 * sample
            }
        })
        .collect()
}

#[test]
fn what_is_no_speech_is_refused() {
    let seconds = 5;
    let length = (RATE_HZ * seconds) as usize;
    let mut state = 0.0;
    let rumble: Vec<f32> = noise(length)
        .into_iter()
        .map(|value| {
            state = 0.98 * state + 0.02 * value;
            state
        })
        .collect();
    let chord = sum(&sum(&tone(262.0, seconds), &tone(330.0, seconds)), &tone(392.0, seconds));
    let clicks: Vec<f32> = (0..length)
        .map(|index| if index % 6_000 < 20 { 0.5 } else { 0.0 })
        .collect();
    for (what, samples, expected) in [
        ("digital silence", vec![0.0; length], "silent"),
        ("noise of a converter", scaled(&noise(length), 2e-5), "silent"),
        ("white noise", scaled(&noise(length), 0.1), "only_noise"),
        ("quiet white noise", scaled(&noise(length), 0.003), "only_noise"),
        ("rumble", rumble, "only_noise"),
        ("a tone", scaled(&tone(440.0, seconds), 0.3), "only_noise"),
        ("a chord", scaled(&chord, 0.2), "only_noise"),
        ("hum", scaled(&tone(50.0, seconds), 0.3), "too_little_speech"),
        ("clicks", clicks, "too_little_speech"),
        ("an offset", vec![0.5; length], "only_noise"),
    ] {
        assert_eq!(refusal(&check(&samples)), expected, "{what}");
    }
}

#[test]
fn too_little_is_refused() {
    let speech = speech();
    let rate = RATE_HZ as usize;
    assert_eq!(refusal(&check(&speech[rate / 2..][..rate / 100])), "too_short");
    assert_eq!(refusal(&check(&speech[rate / 2..][..rate * 9 / 10])), "too_short");
    assert_eq!(refusal(&check(&speech[..rate * 11 / 10])), "too_little_speech");
    assert_eq!(refusal(&check(&[])), "empty");
    assert_eq!(refusal(&check(&scaled(&speech, 0.012))), "too_quiet");
    assert!(codes(&check(&scaled(&speech, 0.2)).warnings).contains(&"quiet"));
    assert!(codes(&check(&speech[..rate * 5 / 2]).warnings).contains(&"short"));
}

#[test]
fn files_that_cannot_be_decoded_are_refused_with_what_to_do() {
    let header = Header { tag: 1, channels: 1, sample_rate_hz: RATE_HZ, bits: 16 };
    let hour = vec![0; 8_000 * 601];
    for (bytes, code, text) in [
        (
            riff(Header { channels: u16::MAX, ..header }, &[0; 4]),
            "too_many_channels",
            "65535 channels, at most 8",
        ),
        (riff(Header { channels: 0, ..header }, &[0; 4]), "damaged", "damaged"),
        (
            riff(Header { sample_rate_hz: 4_000, ..header }, &[0; 4]),
            "sample_rate",
            "4000 Hz, allowed are 8000",
        ),
        (
            riff(Header { sample_rate_hz: 8_000, bits: 8, ..header }, &hour),
            "too_long",
            "longer than 600 s",
        ),
        (b"<!doctype html>".to_vec(), "not_audio", "a web page"),
        (b"RIFF\0\0\0\0WAVE".to_vec(), "damaged", "export it again"),
        (Vec::new(), "not_audio", "an empty file"),
        (vec![0; (64 << 20) + 1], "too_large", "67108865 bytes"),
    ] {
        let report = VoiceReport::of("a", &bytes, &UNKNOWN);
        assert_eq!(refusal(&report), code);
        assert!(report.errors[0].message.contains(text), "{}", report.errors[0]);
        assert_eq!(report.measurements, None);
    }
}

#[test]
fn values_that_are_no_numbers_do_no_harm() {
    let header = Header { tag: 3, channels: 1, sample_rate_hz: RATE_HZ, bits: 32 };
    let file = |samples: &[f32]| {
        let data: Vec<u8> = samples
            .iter()
            .flat_map(|sample| sample.to_le_bytes())
            .collect();
        VoiceReport::of("a", &riff(header, &data), &UNKNOWN)
    };
    assert_eq!(refusal(&file(&vec![f32::NAN; 48_000])), "silent");
    assert_eq!(refusal(&file(&vec![f32::INFINITY; 48_000])), "only_noise");
    let mut samples = speech();
    samples
        .iter_mut()
        .step_by(1000)
        .for_each(|sample| *sample = f32::NAN);
    assert!(measured(&file(&samples)).loudness_lufs.is_some());
}

#[test]
fn the_engines_warnings_come_once_and_with_codes() {
    let speech = speech();
    let long: Vec<f32> = speech
        .iter()
        .copied()
        .cycle()
        .take(speech.len() * 5)
        .collect();
    let cut = &speech[RATE_HZ as usize / 2..][..RATE_HZ as usize * 9 / 5];
    let cut_off = {
        let mut bytes = wav(&speech, RATE_HZ);
        bytes.truncate(bytes.len() * 9 / 10);
        bytes
    };
    for (bytes, text, expected) in [
        (wav(&long, RATE_HZ), TEXT, "shortened"),
        (wav(cut, RATE_HZ), TEXT, "ends_abruptly"),
        (cut_off, TEXT, "cut_off"),
        (wav(&speech, RATE_HZ), "Every morning the baker", "no_final_punctuation"),
        (wav(&speech, RATE_HZ), "Six.", "unlikely_pace"),
    ] {
        let report = VoiceReport::of("a", &bytes, &Said::Given(text));
        let found = codes(&report.warnings);
        assert!(found.contains(&expected), "{expected}: {report:?}");
        assert_eq!(found.len(), found.iter().collect::<BTreeSet<_>>().len(), "{found:?}");
        let voice = Voice::from_bytes(&bytes, text).unwrap();
        let shared = [
            "shortened",
            "ends_abruptly",
            "cut_off",
            "no_final_punctuation",
            "unlikely_pace",
        ];
        let engine = found.iter().filter(|code| shared.contains(code)).count();
        assert_eq!(engine, voice.warnings().len(), "{:?} and {found:?}", voice.warnings());
    }
}

#[test]
fn what_the_engine_refuses_is_refused() {
    for samples in [
        vec![0.0; 48_000],
        speech()[..6_000].to_vec(),
        scaled(&speech(), 0.01),
    ] {
        let bytes = wav(&samples, RATE_HZ);
        assert!(matches!(Voice::from_bytes(&bytes, TEXT), Err(VoiceError::NoSpeech { .. })));
        assert!(!VoiceReport::of("a", &bytes, &Said::Given(TEXT)).is_accepted());
    }
}

#[test]
fn blemishes_are_told() {
    let speech = speech();
    let shifted: Vec<f32> = speech.iter().map(|sample| sample + 0.02).collect();
    let report = check(&shifted);
    assert!((measured(&report).dc_offset - 0.02).abs() < 0.001, "{report:?}");
    assert!(codes(&report.warnings).contains(&"dc_offset"), "{report:?}");

    let pause = vec![0.0; RATE_HZ as usize * 2];
    let report = check(&[&pause[..], &speech, &pause].concat());
    assert_eq!(codes(&report.advice), ["transcript_missing", "not_full_band", "long_edges"]);

    let report = check(&[&speech[..], &pause, &pause, &pause, &speech].concat());
    assert_eq!(codes(&report.advice), ["transcript_missing", "not_full_band", "long_pauses"]);

    let report = check(&speech[RATE_HZ as usize..]);
    assert_eq!(
        codes(&report.advice),
        ["transcript_missing", "not_full_band", "begins_abruptly"]
    );
}

#[test]
fn loudness_is_that_of_the_recommendation() {
    // EBU Tech 3341: a sine of 997 Hz at full scale in one channel has -3.01 LUFS.
    let report = check(&scaled(&tone(997.0, 3), 0.1));
    let lufs = measured(&report).loudness_lufs.unwrap();
    assert!((lufs + 23.0).abs() <= 0.1, "{lufs}");
    assert_eq!(measured(&report).peak_dbfs, Some(-20.0));
}

#[test]
fn blank_transcripts_are_missing() {
    for said in [UNKNOWN, Said::Given(""), Said::Given(" \n")] {
        let report = VoiceReport::of("a", &wav(&speech(), RATE_HZ), &said);
        assert_eq!(report.transcript, Transcript::Missing);
        assert_eq!(measured(&report).characters_per_second, None);
    }
}

#[test]
fn a_report_of_another_version_is_read() {
    let json = r#"{"version": 9, "name": "a", "sha256": "sha256:00", "transcript": "sung",
        "mood": "glad", "measurements": {"snr_db": 12.5, "reverberation": 0.3},
        "warnings": [{"code": "sings", "message": "it sings", "pitch": 1}]}"#;
    let report: VoiceReport = serde_json::from_str(json).unwrap();
    assert_eq!(report.transcript, Transcript::Unknown);
    assert_eq!(measured(&report).snr_db, Some(12.5));
    assert_eq!(codes(&report.warnings), ["sings"]);
    assert!(report.is_accepted());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_recording_has_a_report_that_can_be_kept(
        kind in 0..4_u8, length in 0..60_000_usize, level in 0.0..1.0_f32, rate_hz in prop::sample::select(vec![8_000, 11_025, 22_050, 44_101, 192_000]),
        at in any::<prop::sample::Index>(), byte: u8,
    ) {
        let samples = match kind {
            0 => scaled(&noise(length), level / 6.0),
            1 => scaled(&speech()[..length.min(90_000)], level),
            2 => scaled(&tone(level * 10_000.0, 1), level),
            _ => vec![level; length],
        };
        let mut bytes = wav(&samples, rate_hz);
        let at = at.index(bytes.len().min(64));
        for value in [bytes[at], byte] {
            bytes[at] = value;
            let report = VoiceReport::of("ü", &bytes, &Said::Given("x"));
            let json = serde_json::to_string(&report).unwrap();
            prop_assert_eq!(serde_json::from_str::<VoiceReport>(&json).unwrap(), report);
            prop_assert!(!json.contains("NaN"));
        }
    }
}
