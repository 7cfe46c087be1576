//! Encoding, against our own decoder; `tools/audio_check.sh` does the same with ffmpeg.

use f5tts_engine::audio::{
    DecodeLimits, EncodeError, Encoded, Encoding, Format, Recording, decode, encode,
    resample_output, wav_stream_header,
};
use f5tts_testkit::Golden;
use proptest::prelude::*;

/// Half a second of speech at 24 kHz.
fn speech() -> Vec<f32> {
    let bytes = std::fs::read(Golden::path("audio/speech_24k.wav")).unwrap();
    decode(&bytes, &DecodeLimits::default()).unwrap().to_mono()
}

fn decoded(encoded: &Encoded) -> Recording {
    let recording = decode(&encoded.bytes, &DecodeLimits::default()).unwrap();
    assert!(recording.warnings().is_empty(), "{:?}", recording.warnings());
    recording
}

/// The level of a signal over that of its difference from a copy of the same loudness.
fn signal_to_noise_db(signal: &[f32], copy: &[f32]) -> f64 {
    let product = |a: &[f32], b: &[f32]| -> f64 {
        a.iter()
            .zip(b)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum()
    };
    // LAME makes everything a little quieter.
    let gain = product(signal, copy) / product(copy, copy);
    let error = |(a, b): (&f32, &f32)| f64::from(*a) - gain * f64::from(*b);
    let noise: f64 = signal
        .iter()
        .zip(copy)
        .map(error)
        .map(|error| error * error)
        .sum();
    10.0 * (product(signal, signal) / noise).log10()
}

/// Lossy formats, and their sample rates.
fn compressed() -> Vec<(Format, u32)> {
    let mp3_hz = [
        8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000,
    ];
    let mp3 = "mp3".parse::<Format>().into_iter();
    let mp3 = mp3.flat_map(|format| mp3_hz.map(|rate_hz| (format, rate_hz)));
    mp3.chain([(Format::Opus, 48_000)]).collect()
}

#[test]
fn compressed_speech_is_as_long_and_as_loud() {
    /// Of signal to noise; Opus has 27 at its default bitrate, MP3 33 and more.
    const LEAST_DB: f64 = 20.0;
    for (format, rate_hz) in compressed() {
        let samples = resample_output(&speech(), 24_000, rate_hz);
        let recording = decoded(&encode(&samples, rate_hz, format).unwrap());
        assert_eq!(recording.format().sample_rate_hz, rate_hz, "{format}");
        assert_eq!(recording.frames(), samples.len(), "{format} at {rate_hz} Hz");
        let quality = signal_to_noise_db(&samples, &recording.to_mono());
        assert!(quality > LEAST_DB, "{format} at {rate_hz} Hz: {quality:.1} dB");
    }
}

#[test]
fn opus_of_any_rate_keeps_its_end() {
    for rate_hz in [8_000, 16_000, 22_050, 24_000, 44_100, 48_000] {
        for length in [1, 200, 4_801, 9_600] {
            let samples =
                &resample_output(&speech(), 24_000, rate_hz)[..length.min(rate_hz as usize / 2)];
            let recording = decoded(&encode(samples, rate_hz, Format::Opus).unwrap());
            let expected = (samples.len() * 48_000).div_ceil(rate_hz as usize);
            assert_eq!(recording.frames(), expected, "{length} at {rate_hz} Hz");
        }
    }
}

#[cfg(feature = "mp3")]
#[test]
fn mp3_of_any_bitrate_keeps_its_rate_and_length() {
    let samples = speech();
    for bitrate_kbps in [8, 16, 24, 32, 48, 64, 160] {
        let encoding = Encoding { format: Format::Mp3, bitrate_kbps: Some(bitrate_kbps) };
        let encoded = encode(&samples, 24_000, encoding).unwrap();
        let recording = decoded(&encoded);
        assert_eq!(recording.format().sample_rate_hz, 24_000, "{bitrate_kbps} kbit/s");
        assert_eq!(recording.frames(), samples.len(), "{bitrate_kbps} kbit/s");
        // Besides the half second there are the tag, and silence of four frames at most.
        let surplus = encoded.bytes.len() - bitrate_kbps as usize * 1000 / 8 / 2;
        assert!(
            surplus <= 200 + bitrate_kbps as usize * 3 * 5,
            "{bitrate_kbps} kbit/s: {surplus}"
        );
    }
}

#[test]
fn higher_bitrates_sound_better() {
    let samples = resample_output(&speech(), 24_000, 48_000);
    let quality = |bitrate_kbps| {
        let encoding = Encoding { format: Format::Opus, bitrate_kbps: Some(bitrate_kbps) };
        let encoded = encode(&samples, 48_000, encoding).unwrap();
        signal_to_noise_db(&samples, &decoded(&encoded).to_mono())
    };
    assert!(quality(128) > quality(48) + 5.0);
    assert!(quality(48) > quality(16) + 5.0);
}

#[test]
fn what_a_format_cannot_hold_is_refused() {
    let refused = |rate_hz, format: Format, bitrate_kbps| {
        encode(&[0.0; 100], rate_hz, Encoding { format, bitrate_kbps }).unwrap_err()
    };
    for &format in Format::ALL {
        for rate_hz in [0, 7_999, 48_001, u32::MAX] {
            let error = refused(rate_hz, format, None);
            assert!(matches!(error, EncodeError::SampleRate { .. }), "{format} {rate_hz}");
        }
        let error = refused(24_000, format, Some(3));
        assert!(matches!(error, EncodeError::Bitrate { .. }), "{format}");
    }
    #[cfg(feature = "mp3")]
    {
        let error = refused(23_999, Format::Mp3, None);
        assert!(matches!(error, EncodeError::SampleRate { rate_hz: 23_999, .. }));
        let error = refused(24_000, Format::Mp3, Some(320));
        assert!(error.to_string().contains("only 8, 16"), "{error}");
    }
}

#[test]
fn every_format_is_found_by_its_names() {
    for &format in Format::ALL {
        assert_eq!(format.name().to_uppercase().parse(), Ok(format));
        let by_extension = Format::from_extension(format.extension()).unwrap();
        assert_eq!(by_extension.content_type(), format.content_type());
        assert!(Format::list().contains(format.name()));
        let encoded = encode(&[0.5; 100], 8_000, format).unwrap();
        assert_eq!(encoded.content_type, format.content_type());
        assert_eq!(encoded.extension, format.extension());
    }
    assert_eq!(Format::from_extension("OGG"), Some(Format::Opus));
    assert_eq!(Format::from_extension("exe"), None);
    assert!(
        "wma"
            .parse::<Format>()
            .unwrap_err()
            .to_string()
            .contains("known are wav,")
    );
}

#[test]
fn loud_samples_are_limited_and_counted() {
    let samples = [0.5, 1.0, -1.0, 1.5, -7.0, f32::INFINITY, f32::NAN, 0.0];
    let encoded = encode(&samples, 8_000, Format::Pcm).unwrap();
    let integers: Vec<i16> = encoded
        .bytes
        .chunks(2)
        .map(|b| i16::from_le_bytes([b[0], b[1]]))
        .collect();
    assert_eq!(integers, [16_384, 32_767, -32_768, 32_767, -32_768, 32_767, 0, 0]);
    assert_eq!(encoded.clipped, 3);
    assert_eq!(encode(&samples, 8_000, Format::WavF32).unwrap().clipped, 0);
}

#[test]
fn a_stream_header_may_be_followed_by_any_number_of_samples() {
    let pcm = encode(&speech(), 24_000, Format::Pcm).unwrap().bytes;
    let stream = [wav_stream_header(24_000), pcm].concat();
    let recording = decode(&stream, &DecodeLimits::default()).unwrap();
    assert_eq!(recording.to_mono(), speech());
    assert!(recording.warnings().is_empty());
}

#[test]
fn telephone_laws_are_read_back_to_the_nearest_step() {
    // A WAV header makes the bytes readable: one byte per sample, and 18 bytes of format.
    let wrapped = |tag: u8, bytes: &[u8]| {
        let mut wav = wav_stream_header(8_000);
        (wav[16], wav[20], wav[32], wav[34]) = (18, tag, 1, 8);
        wav[28..32].copy_from_slice(&8_000_u32.to_le_bytes());
        [&wav[..36], &[0, 0], &wav[36..], bytes].concat()
    };
    let samples: Vec<f32> = (-32_768..=32_767).map(|s| s as f32 / 32_768.0).collect();
    for (format, tag, largest) in [(Format::MuLaw, 7, 32_124), (Format::ALaw, 6, 32_256)] {
        let encoded = encode(&samples, 8_000, format).unwrap();
        let recording = decode(&wrapped(tag, &encoded.bytes), &DecodeLimits::default()).unwrap();
        for (sample, &read) in (-32_768_i32..).zip(recording.samples()) {
            // Sixteen steps to an octave; the middle of a step is at most half of it away. The
            // octaves of µ-law begin 132 lower.
            let half_step = ((sample.abs() + 132) / 32 + 1).max(8);
            let is_near = (read - sample).abs() <= half_step || sample.abs() > largest;
            assert!(is_near, "{format}: {sample} became {read}");
        }
    }
}

#[test]
fn telephone_laws_have_the_codes_of_the_standard() {
    let samples = [0.0, -0.000_031, 1.0, -1.0, 0.5, -0.5];
    let codes = |format| encode(&samples, 8_000, format).unwrap().bytes;
    assert_eq!(codes(Format::MuLaw), [0xff, 0x7f, 0x80, 0x00, 0x8f, 0x0f]);
    assert_eq!(codes(Format::ALaw), [0xd5, 0x55, 0xaa, 0x2a, 0xa5, 0x3a]);
}

/// Any samples that 16 bits can hold.
fn any_samples() -> impl Strategy<Value = Vec<i16>> {
    proptest::collection::vec(any::<i16>(), 1..5_000)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn lossless_formats_keep_every_bit(integers in any_samples(), rate_hz in 8_000_u32..=48_000) {
        let samples: Vec<f32> = integers.iter().map(|&s| f32::from(s) / 32_768.0).collect();
        for format in [Format::Wav, Format::Wav24, Format::WavF32, Format::Flac] {
            let recording = decoded(&encode(&samples, rate_hz, format).unwrap());
            prop_assert_eq!(recording.format().sample_rate_hz, rate_hz);
            prop_assert_eq!(recording.to_mono(), samples.clone());
        }
        let pcm = encode(&samples, rate_hz, Format::Pcm).unwrap().bytes;
        let expected: Vec<u8> = integers.iter().flat_map(|s| s.to_le_bytes()).collect();
        prop_assert_eq!(pcm, expected);
    }

    #[test]
    fn any_samples_can_be_encoded(
        samples in proptest::collection::vec(any::<f32>(), 0..3_000),
        format in 0..Format::ALL.len(),
    ) {
        let encoded = encode(&samples, 24_000, Format::ALL[format]).unwrap();
        let is_empty = encoded.bytes.is_empty();
        prop_assert!(!is_empty || samples.is_empty());
    }
}
