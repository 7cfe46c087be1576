//! From samples to the bytes of a file.

mod flac;
mod format;
#[cfg(feature = "mp3")]
mod mp3;
#[cfg(feature = "mp3")]
mod mp3_tag;
mod opus;
mod telephone;
mod wav;

pub use format::{Format, UnknownFormat};
pub use wav::stream_header as wav_stream_header;

/// Sample rates that [`encode`] takes, in Hz.
const RATES_HZ: std::ops::RangeInclusive<u32> = 8_000..=48_000;

/// A format with the choices it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// The file format.
    pub format: Format,
    /// Kilobits per second, for MP3 and Opus; if not given, enough for speech to sound as it is.
    pub bitrate_kbps: Option<u32>,
}

impl From<Format> for Encoding {
    fn from(format: Format) -> Self {
        Self { format, bitrate_kbps: None }
    }
}

/// A finished file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// All of it.
    pub bytes: Vec<u8>,
    /// The media type for HTTP.
    pub content_type: &'static str,
    /// The usual ending of file names, without a dot.
    pub extension: &'static str,
    /// How many samples exceeded ±1 and were limited to it.
    pub clipped: usize,
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The format does not know this rate: resample first.
    #[error("{format} cannot hold a sample rate of {rate_hz} Hz, only {allowed}")]
    SampleRate {
        /// The format asked for.
        format: Format,
        /// The rate of the samples.
        rate_hz: u32,
        /// What it can hold.
        allowed: &'static str,
    },
    /// Ask for another bitrate, or for none.
    #[error("{format} at this sample rate cannot have {bitrate_kbps} kbit/s, only {allowed}")]
    Bitrate {
        /// The format asked for.
        format: Format,
        /// The bitrate asked for.
        bitrate_kbps: u32,
        /// What it can have.
        allowed: &'static str,
    },
    /// Shorten or split the speech: the format cannot count that far.
    #[error("{samples} samples are too many for a file in the {format} format")]
    TooLong {
        /// The format asked for.
        format: Format,
        /// How many there are.
        samples: usize,
    },
    /// A codec failed, which it should not.
    #[error("the {format} encoder failed")]
    Codec {
        /// The format asked for.
        format: Format,
        /// What it says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Writes mono speech to a file in memory; its playing time is exactly that of the samples.
///
/// Samples beyond ±1 are limited to it and counted, except in [`Format::WavF32`]; NaN is silence.
/// The rate stays as it is, but Opus always plays at 48 kHz, to which the samples are resampled.
///
/// # Errors
///
/// If the format cannot hold the rate, which must be within 8 and 48 kHz, the bitrate, or that many
/// samples.
pub fn encode(
    samples: &[f32],
    sample_rate_hz: u32,
    encoding: impl Into<Encoding>,
) -> Result<Encoded, EncodeError> {
    let Encoding { format, bitrate_kbps } = encoding.into();
    if !RATES_HZ.contains(&sample_rate_hz) {
        let allowed = "8000 to 48000 Hz";
        return Err(EncodeError::SampleRate { format, rate_hz: sample_rate_hz, allowed });
    }
    if let (Some(bitrate_kbps), false) = (bitrate_kbps, format.has_bitrate()) {
        let allowed = "what its sample rate makes of it";
        return Err(EncodeError::Bitrate { format, bitrate_kbps, allowed });
    }
    let (limited, clipped) = limited(samples);
    let bytes = match format {
        Format::Wav => wav::write(&limited, sample_rate_hz, wav::Sample::Int16)?,
        Format::Wav24 => wav::write(&limited, sample_rate_hz, wav::Sample::Int24)?,
        Format::WavF32 => wav::write(samples, sample_rate_hz, wav::Sample::Float32)?,
        Format::Flac => flac::write(&limited, sample_rate_hz),
        #[cfg(feature = "mp3")]
        Format::Mp3 => mp3::write(&limited, sample_rate_hz, bitrate_kbps)?,
        Format::Opus => opus::write(&limited, sample_rate_hz, bitrate_kbps)?,
        Format::Pcm => to_i16_bytes(&limited),
        Format::MuLaw => telephone::mu_law(&limited),
        Format::ALaw => telephone::a_law(&limited),
    };
    Ok(Encoded {
        bytes,
        content_type: format.content_type(),
        extension: format.extension(),
        clipped: if format == Format::WavF32 { 0 } else { clipped },
    })
}

/// The samples within ±1, and how many were not.
fn limited(samples: &[f32]) -> (Vec<f32>, usize) {
    let limit = |sample: f32| {
        if sample.is_nan() {
            0.0
        } else {
            sample.clamp(-1.0, 1.0)
        }
    };
    let clipped = samples.iter().filter(|sample| sample.abs() > 1.0).count();
    (samples.iter().map(|&sample| limit(sample)).collect(), clipped)
}

fn to_i16_bytes(samples: &[f32]) -> Vec<u8> {
    samples
        .iter()
        .flat_map(|&sample| to_i16(sample).to_le_bytes())
        .collect()
}

/// The nearest 16-bit sample; 1 becomes the largest.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the cast limits to the range"
)]
fn to_i16(sample: f32) -> i16 {
    (sample * 32_768.0).round_ties_even() as i16
}
