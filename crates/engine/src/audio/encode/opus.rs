use opus_pure::{
    Application, MAX_PACKET_BYTES, OggOpusWriter, OpusEncoder, OpusHead, OpusTags, RateControl,
};

use super::{EncodeError, Format};
use crate::audio::resample::resample_output;

/// The rate at which all Opus files play.
const RATE_HZ: u32 = 48_000;
/// 20 ms, the usual length.
const FRAME: usize = 960;
/// At which listeners do not tell speech from the original.
const BITRATE_KBPS: u32 = 64;

/// Writes mono samples within ±1 as an Ogg file.
pub(super) fn write(
    samples: &[f32],
    sample_rate_hz: u32,
    bitrate_kbps: Option<u32>,
) -> Result<Vec<u8>, EncodeError> {
    let bitrate_kbps = bitrate_kbps.unwrap_or(BITRATE_KBPS);
    if !(6..=256).contains(&bitrate_kbps) {
        let allowed = "6 to 256 kbit/s";
        return Err(EncodeError::Bitrate { format: Format::Opus, bitrate_kbps, allowed });
    }
    let resampled = resample_output(samples, sample_rate_hz, RATE_HZ);
    write_ogg(&resampled, sample_rate_hz, bitrate_kbps)
        .map_err(|source| EncodeError::Codec { format: Format::Opus, source: source.into() })
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a duration is at most a frame"
)]
fn write_ogg(
    samples: &[f32],
    original_rate_hz: u32,
    bitrate_kbps: u32,
) -> Result<Vec<u8>, opus_pure::Error> {
    let mut encoder = OpusEncoder::new(RATE_HZ as i32, 1, Application::Audio)?;
    encoder.bitrate_bps = (bitrate_kbps * 1000) as i32;
    encoder.rate_control = RateControl::Vbr;
    let head = OpusHead::for_encoder(&encoder, original_rate_hz);

    // What the encoder holds back at the end is pushed out by silence, and the position of the last
    // packet says where the sound ends: otherwise players cut it or add to it.
    let delay = usize::from(head.pre_skip);
    let length = samples.len() + delay;

    let mut ogg = OggOpusWriter::with_serial(Vec::new(), head, OpusTags::new(), 1)?;
    let mut packet = vec![0; MAX_PACKET_BYTES];
    let mut frame = vec![0.0; FRAME];
    for start in (0..length).step_by(FRAME) {
        let rest = &samples[start.min(samples.len())..];
        let count = rest.len().min(FRAME);
        frame[..count].copy_from_slice(&rest[..count]);
        frame[count..].fill(0.0);
        let bytes = encoder.encode(&frame, FRAME, &mut packet)?;
        let duration = (length - start).min(FRAME);
        ogg.write_packet_with_duration(&packet[..bytes], duration as u32)?;
    }
    ogg.finish()
}
