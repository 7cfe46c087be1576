use std::num::NonZeroU32;

use mp3lame_encoder::{
    Bitrate, BuildError, Builder, Encoder, FlushGap, Mode, MonoPcm, Quality,
    max_required_buffer_size,
};

use super::{EncodeError, Format, mp3_tag, to_i16};

/// The rates of one generation of the format, and what it offers at them.
struct Generation {
    rates_hz: [u32; 3],
    bitrates: &'static [Bitrate],
    bitrates_text: &'static str,
    /// At which listeners do not tell speech from the original.
    default_kbps: u32,
}

use Bitrate::{
    Kbps8, Kbps16, Kbps24, Kbps32, Kbps40, Kbps48, Kbps64, Kbps80, Kbps96, Kbps112, Kbps128,
    Kbps160, Kbps192, Kbps224, Kbps256, Kbps320,
};

const MPEG_1: Generation = Generation {
    rates_hz: [32_000, 44_100, 48_000],
    bitrates: &[
        Kbps32, Kbps40, Kbps48, Kbps64, Kbps80, Kbps96, Kbps112, Kbps128, Kbps160, Kbps192,
        Kbps224, Kbps256, Kbps320,
    ],
    bitrates_text: "32, 40, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256 or 320 kbit/s",
    default_kbps: 128,
};

const MPEG_2: Generation = Generation {
    rates_hz: [16_000, 22_050, 24_000],
    bitrates: &[
        Kbps8, Kbps16, Kbps24, Kbps32, Kbps40, Kbps48, Kbps64, Kbps80, Kbps96, Kbps112, Kbps128,
        Kbps160,
    ],
    bitrates_text: "8, 16, 24, 32, 40, 48, 64, 80, 96, 112, 128 or 160 kbit/s",
    default_kbps: 96,
};

const MPEG_2_5: Generation = Generation {
    rates_hz: [8_000, 11_025, 12_000],
    bitrates: &[Kbps8, Kbps16, Kbps24, Kbps32, Kbps40, Kbps48, Kbps64],
    bitrates_text: "8, 16, 24, 32, 40, 48 or 64 kbit/s",
    default_kbps: 64,
};

const RATES_TEXT: &str = "8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100 or 48000 Hz";

/// The most bytes that are left over at the end, as LAME documents.
const FLUSH_BYTES: usize = 7200;

/// Writes mono samples within ±1.
pub(super) fn write(
    samples: &[f32],
    sample_rate_hz: u32,
    bitrate_kbps: Option<u32>,
) -> Result<Vec<u8>, EncodeError> {
    let format = Format::Mp3;
    let generation = [MPEG_1, MPEG_2, MPEG_2_5]
        .into_iter()
        .find(|generation| generation.rates_hz.contains(&sample_rate_hz))
        .ok_or(EncodeError::SampleRate { format, rate_hz: sample_rate_hz, allowed: RATES_TEXT })?;
    let bitrate_kbps = bitrate_kbps.unwrap_or(generation.default_kbps);
    let allowed = generation.bitrates_text;
    let mut bitrates = generation.bitrates.iter().copied();
    let bitrate = bitrates
        .find(|&bitrate| bitrate as u32 == bitrate_kbps)
        .ok_or(EncodeError::Bitrate { format, bitrate_kbps, allowed })?;

    let encoder = encoder(sample_rate_hz, bitrate).map_err(failed)?;
    let integers: Vec<i16> = samples.iter().map(|&sample| to_i16(sample)).collect();
    let stream = write_stream(encoder, &integers).map_err(failed)?;
    let tag = mp3_tag::frame(&stream, sample_rate_hz, samples.len());
    let tag = tag.ok_or_else(|| failed("its stream is not one of MP3 frames"))?;
    Ok([tag, stream].concat())
}

fn encoder(sample_rate_hz: u32, bitrate: Bitrate) -> Result<Encoder, BuildError> {
    Builder::new()
        .ok_or(BuildError::NoMem)?
        .with_num_channels(1)?
        .with_mode(Mode::Mono)?
        .with_sample_rate(sample_rate_hz)?
        // Otherwise LAME lowers the rate as it sees fit for the bitrate.
        .with_output_sample_rate(NonZeroU32::new(sample_rate_hz))?
        .with_brate(bitrate)?
        .with_quality(Quality::Good)?
        .with_to_write_vbr_tag(false)?
        .build()
}

fn write_stream(
    mut encoder: Encoder,
    samples: &[i16],
) -> Result<Vec<u8>, mp3lame_encoder::EncodeError> {
    let mut bytes = Vec::with_capacity(max_required_buffer_size(samples.len()) + FLUSH_BYTES);
    encoder.encode_to_vec(MonoPcm(samples), &mut bytes)?;
    encoder.flush_to_vec::<FlushGap>(&mut bytes)?;
    Ok(bytes)
}

fn failed(error: impl std::fmt::Display) -> EncodeError {
    // These errors do not implement the trait that a source needs.
    EncodeError::Codec { format: Format::Mp3, source: error.to_string().into() }
}
