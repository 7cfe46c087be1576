//! Decoding of every format, against ffmpeg's own decoding and the speech that was encoded.

use std::time::Duration;

use f5tts_engine::audio::{
    DecodeError, DecodeLimits, Format, PcmFormat, Recording, Warning, container, decode, encode,
    resample,
};
use f5tts_testkit::Golden;
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct File {
    file: String,
    rate_hz: u32,
    channels: usize,
    /// As ffmpeg counts them.
    frames: usize,
}

fn files() -> Vec<File> {
    serde_json::from_str(&Golden::text("audio/formats.json")).unwrap()
}

fn read(file: &str) -> Vec<u8> {
    std::fs::read(Golden::path("audio/formats").join(file)).unwrap()
}

fn decode_default(bytes: &[u8]) -> Result<Recording, DecodeError> {
    decode(bytes, &DecodeLimits::default())
}

/// The 16-bit samples that all files were made from.
fn original() -> Vec<i32> {
    let bytes = std::fs::read(Golden::path("audio/speech_24k.wav")).unwrap();
    decode_default(&bytes).unwrap().samples().to_vec()
}

#[test]
fn every_format_is_decoded_in_full() {
    for File { file, rate_hz, channels, frames } in files() {
        let recording = decode_default(&read(&file)).unwrap();
        assert_eq!(recording.format().sample_rate_hz, rate_hz, "{file}");
        assert_eq!(recording.format().channels, channels, "{file}");
        assert!(recording.warnings().is_empty(), "{file}: {:?}", recording.warnings());
        // Symphonia does not apply the edit lists of MP4 and the padding of Matroska, by which
        // ffmpeg leaves out silence of a packet at most; of Vorbis it leaves out more.
        let tolerance = match file.rsplit('.').next().unwrap() {
            "m4a" | "mp4" if file.starts_with("aac") => 1024,
            "mka" | "webm" | "mp4" => 960,
            "ogg" if file.starts_with("vorbis") => 64,
            _ => 0,
        };
        let off = recording.frames().abs_diff(frames);
        assert!(off <= tolerance, "{file}: {} frames, not {frames}", recording.frames());
    }
}

#[test]
fn every_format_has_its_name() {
    for File { file, .. } in files() {
        let expected = match file.rsplit('.').next().unwrap() {
            "wav" => "WAV",
            "aiff" | "aifc" | "aif" => "AIFF",
            "caf" => "CAF",
            "flac" => "FLAC",
            "mp3" => "MP3",
            "mp2" => "MP2",
            "aac" => "AAC",
            "ogg" | "opus" | "oga" => "Ogg",
            "m4a" | "mp4" | "mov" => "MP4",
            "mka" | "webm" => "WebM or Matroska",
            other => panic!("a new format: {other}"),
        };
        assert_eq!(container(&read(&file)), Some(expected), "{file}");
    }
    for other in [
        &b""[..],
        b"\xff",
        b"\xff\xd8\xff",
        b"<html>",
        b"PK\x03\x04",
        b"text",
    ] {
        assert_eq!(container(other), None);
    }
}

/// Width of the samples, and by how much they are shifted against the 16 bits of the original.
const LOSSLESS: &[(&str, u32, u32)] = &[
    ("s16le.wav", 16, 0),
    ("pipe.wav", 16, 0),
    ("s24le.wav", 24, 8),
    ("s32le.wav", 32, 16),
    ("f32le.wav", 32, 16),
    ("f64le.wav", 32, 16),
    ("s16be.aiff", 16, 0),
    ("s24be.aiff", 24, 8),
    ("s16le.caf", 16, 0),
    ("alac.caf", 16, 0),
    ("alac.m4a", 16, 0),
    ("flac16.flac", 16, 0),
    ("flac24.flac", 32, 16),
    ("flac.ogg", 16, 0),
];

#[test]
fn lossless_formats_keep_every_bit() {
    let original = original();
    for &(file, bits_per_sample, shift) in LOSSLESS {
        let recording = decode_default(&read(file)).unwrap();
        assert_eq!(recording.format().bits_per_sample, bits_per_sample, "{file}");
        let expected = original.iter().map(|sample| sample << shift);
        assert!(
            recording
                .samples()
                .iter()
                .copied()
                .eq(expected.take(recording.frames())),
            "{file}"
        );
    }
}

#[test]
fn eight_bits_are_signed() {
    let original = original();
    for file in ["u8.wav", "s8.aiff"] {
        let recording = decode_default(&read(file)).unwrap();
        assert_eq!(recording.format().bits_per_sample, 8, "{file}");
        for (eight, sixteen) in recording.samples().iter().zip(&original) {
            assert!((eight * 256 - sixteen).abs() <= 256, "{file}: {eight} for {sixteen}");
        }
    }
}

/// The least signal-to-noise ratio in dB, a little below what ffmpeg's decoders reach as well.
const LOSSY: &[(&str, f64)] = &[
    ("mulaw.wav", 37.0),
    ("alaw.wav", 37.0),
    ("ima.wav", 8.0),
    ("ms.wav", 8.0),
    ("lame.mp3", 22.0),
    ("untagged.mp3", 22.0),
    ("layer2.mp2", 27.0),
    ("aac.aac", 19.0),
    ("aac.m4a", 19.0),
    ("aac.mp4", 19.0),
    ("vorbis.ogg", 22.0),
    ("vorbis.webm", 22.0),
    ("opus.ogg", 19.0),
    ("opus.webm", 19.0),
    ("opus.mka", 19.0),
    ("opus.mp4", 19.0),
];

#[test]
fn lossy_formats_sound_as_the_original() {
    let original: Vec<f32> = original().iter().map(|&s| s as f32 / 32_768.0).collect();
    for &(file, least_db) in LOSSY {
        let recording = decode_default(&read(file)).unwrap();
        let mono = resample(&recording.to_mono(), recording.format().sample_rate_hz, 24_000);
        let best = (-1..1200).map(|delay| signal_to_noise_db(&original, &mono, delay));
        let best = best.fold(f64::MIN, f64::max);
        assert!(best >= least_db, "{file}: {best:.1} dB");
    }
}

/// The level of a signal over that of its difference from a copy that is `delay` samples late.
fn signal_to_noise_db(signal: &[f32], copy: &[f32], delay: isize) -> f64 {
    let (mut power, mut noise) = (0.0, f64::MIN_POSITIVE);
    for (at, &sample) in signal.iter().enumerate() {
        let Some(&copied) = at.checked_add_signed(delay).and_then(|at| copy.get(at)) else {
            continue;
        };
        power += f64::from(sample).powi(2);
        noise += f64::from(sample - copied).powi(2);
    }
    10.0 * (power / noise).log10()
}

#[test]
fn limits_hold_for_every_format() {
    for File { file, .. } in files() {
        let bytes = read(&file);
        let refused = |limits: DecodeLimits| decode(&bytes, &limits).unwrap_err();
        let limits = DecodeLimits { bytes: bytes.len() - 1, ..DecodeLimits::default() };
        assert!(matches!(refused(limits), DecodeError::TooLarge { .. }), "{file}");
        let duration = Duration::from_millis(99);
        let limits = DecodeLimits { duration, ..DecodeLimits::default() };
        assert!(matches!(refused(limits), DecodeError::TooLong { .. }), "{file}");
        let limits = DecodeLimits { samples: 2399, ..DecodeLimits::default() };
        assert!(matches!(refused(limits), DecodeError::TooManySamples { .. }), "{file}");
        let limits = DecodeLimits { channels: 0, ..DecodeLimits::default() };
        assert!(matches!(refused(limits), DecodeError::Channels { .. }), "{file}");
        let limits = DecodeLimits { sample_rates_hz: 1..=7999, ..DecodeLimits::default() };
        assert!(matches!(refused(limits), DecodeError::SampleRate { .. }), "{file}");
    }
}

#[test]
fn a_small_file_cannot_expand_to_a_long_one() {
    let silence = vec![0.0; 8_000 * 601];
    let mut flac = encode(&silence, 8_000, Format::Flac).unwrap().bytes;
    assert!(flac.len() < 50_000);
    // The header may lie, or not know: the total is in the last 36 bits before the digest.
    flac[21] &= 0xf0;
    flac[22..26].fill(0);
    assert!(matches!(decode_default(&flac), Err(DecodeError::TooLong { .. })));
}

/// Files that cannot be read without their end: there stand the sizes of packets, or they say at
/// the beginning how long they are and symphonia insists on it.
const NEED_THEIR_END: &[&str] = &[
    ".m4a",
    ".mp4",
    ".aiff",
    ".caf",
    "opus.mka",
    "opus.webm",
    "vorbis.webm",
];

/// Files whose headers do not say how long they are, which stop between two packets if cut.
const OF_UNKNOWN_LENGTH: &[&str] = &["layer2.mp2", "live.webm", "pipe.wav", "untagged.mp3"];

#[test]
fn memory_is_not_reserved_for_what_a_header_announces() {
    let mut caf = read("alac.caf");
    // Frames per packet, for which decoders make room at once.
    caf[40..44].fill(0xff);
    let refused = decode_default(&caf);
    assert!(matches!(refused, Err(DecodeError::Damaged { .. })), "{refused:?}");
    let mut caf = read("s16le.caf");
    caf[40..44].fill(0xff);
    let refused = decode_default(&caf);
    assert!(matches!(refused, Err(DecodeError::Damaged { .. })), "{refused:?}");
}

#[test]
fn truncated_files_give_what_is_there_and_a_warning() {
    for File { file, channels, .. } in files() {
        let bytes = read(&file);
        let whole = decode_default(&bytes).unwrap();
        let recording = decode_default(&bytes[..bytes.len() * 2 / 3]);
        if NEED_THEIR_END.iter().any(|end| file.ends_with(end)) {
            assert!(matches!(recording, Err(DecodeError::Damaged { .. })), "{file}");
            continue;
        }
        let recording = recording.unwrap_or_else(|error| panic!("{file}: {error:?}"));
        let frames = recording.frames();
        assert!((1..whole.frames()).contains(&frames), "{file}: {frames}");
        assert_eq!(recording.format().channels, channels, "{file}");
        let is_known = !OF_UNKNOWN_LENGTH.contains(&file.as_str());
        let is_told = recording
            .warnings()
            .iter()
            .any(|w| matches!(w, Warning::Truncated { .. }));
        assert_eq!(is_told, is_known, "{file}: {frames} of {} frames", whole.frames());
    }
}

/// A WAV file of 16 bits with its header's fields as given.
fn wav(channels: u16, rate_hz: u32, data_size: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = encode(&[0.0], 8_000, Format::Wav).unwrap().bytes;
    bytes.truncate(44);
    bytes[22..24].copy_from_slice(&channels.to_le_bytes());
    bytes[24..28].copy_from_slice(&rate_hz.to_le_bytes());
    let block = channels.wrapping_mul(2);
    bytes[28..32].copy_from_slice(&rate_hz.wrapping_mul(block.into()).to_le_bytes());
    bytes[32..34].copy_from_slice(&block.to_le_bytes());
    bytes[40..44].copy_from_slice(&data_size.to_le_bytes());
    bytes.extend(data);
    bytes
}

#[test]
fn wav_headers_may_lie() {
    let cut = decode_default(&wav(1, 16_000, 64_000, &[1; 32_001])).unwrap();
    assert_eq!(cut.frames(), 16_000);
    let stated = Some(Duration::from_secs(2));
    assert_eq!(cut.warnings(), [Warning::Truncated { stated, decoded: Duration::from_secs(1) }]);
    for unknown in [0, u32::MAX] {
        let piped = decode_default(&wav(2, 16_000, unknown, &[1; 32_000])).unwrap();
        assert_eq!((piped.frames(), piped.warnings().len()), (8_000, 0));
    }
    let empty = decode_default(&wav(1, 16_000, 0, &[]));
    assert!(matches!(empty, Err(DecodeError::Empty)), "{empty:?}");
    let many = decode_default(&wav(65_535, 16_000, 1000, &[0; 1000]));
    assert!(matches!(many, Err(DecodeError::Channels { channels: 65_535, .. })), "{many:?}");
    let none = decode_default(&wav(0, 16_000, 1000, &[0; 1000]));
    assert!(matches!(none, Err(DecodeError::Damaged { .. })), "{none:?}");
    for rate_hz in [0, 1, 7_999, 192_001, u32::MAX] {
        let odd = decode_default(&wav(1, rate_hz, 1000, &[0; 1000]));
        assert!(matches!(odd, Err(DecodeError::SampleRate { .. })), "{rate_hz}: {odd:?}");
    }
}

#[test]
fn what_is_not_audio_is_named() {
    let found = |bytes: &[u8]| match decode_default(bytes) {
        Err(DecodeError::NotAudio { found }) => found,
        other => panic!("{other:?}"),
    };
    assert_eq!(found(b""), "an empty file");
    assert_eq!(found(b"\n<!DOCTYPE html><html><body>404</body></html>"), "a web page");
    assert_eq!(found(b"{\"error\": \"not found\"}"), "JSON");
    assert_eq!(found(b"Dear listener, please find attached"), "text");
    assert_eq!(found(&[0; 4000]), "something else");
}

/// Whether there is an error or, by chance, sound: no panic, and nothing beyond the limits.
fn is_harmless(bytes: &[u8]) {
    let limits = DecodeLimits { duration: Duration::from_secs(2), ..DecodeLimits::default() };
    if let Ok(recording) = decode(bytes, &limits) {
        assert!(recording.frames() > 0 && recording.duration() <= limits.duration);
        assert!((1..=limits.channels).contains(&recording.format().channels));
        assert!(
            limits
                .sample_rates_hz
                .contains(&recording.format().sample_rate_hz)
        );
    }
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..2000)
}

proptest! {
    #[test]
    fn random_bytes_do_no_harm(bytes in any_bytes()) {
        is_harmless(&bytes);
    }

    #[test]
    fn random_bytes_after_a_real_beginning_do_no_harm(
        file in 0..files().len(), share in 0.0..1.0, bytes in any_bytes(),
    ) {
        let mut real = read(&files()[file].file);
        real.truncate((real.len() as f64 * share) as usize);
        real.extend(bytes);
        is_harmless(&real);
    }

    #[test]
    fn damage_does_no_harm(
        file in 0..files().len(),
        damage in proptest::collection::vec((0.0..1.0, any::<u8>()), 1..20),
    ) {
        let mut bytes = read(&files()[file].file);
        for (place, byte) in damage {
            let place = (place * bytes.len() as f64) as usize;
            bytes[place] = byte;
        }
        is_harmless(&bytes);
    }

    #[test]
    fn damaged_headers_do_no_harm(
        file in 0..files().len(),
        damage in proptest::collection::vec((0_usize..200, any::<u8>()), 1..8),
    ) {
        let mut bytes = read(&files()[file].file);
        for (place, byte) in damage {
            bytes[place] = byte;
        }
        is_harmless(&bytes);
    }
}

#[test]
fn impossible_pcm_is_refused() {
    let format = PcmFormat { bits_per_sample: 16, channels: 2, sample_rate_hz: 8_000 };
    assert!(Recording::new(vec![0; 4], format).is_ok());
    assert!(Recording::new(vec![-32_768, 32_767], format).is_ok());
    assert!(Recording::new(vec![0; 3], format).is_err());
    assert!(Recording::new(vec![32_768, 0], format).is_err());
    assert!(Recording::new(vec![0, -32_769], format).is_err());
    assert!(Recording::new(vec![], PcmFormat { channels: 0, ..format }).is_err());
    assert!(Recording::new(vec![], PcmFormat { sample_rate_hz: 0, ..format }).is_err());
    assert!(Recording::new(vec![], PcmFormat { bits_per_sample: 12, ..format }).is_err());
}
