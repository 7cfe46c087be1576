use std::{ops::RangeInclusive, time::Duration};

/// What a recording may be. Held while decoding, whatever its header says.
#[derive(Clone, Debug)]
pub struct DecodeLimits {
    /// Size of the file.
    pub bytes: usize,
    /// Playing time.
    pub duration: Duration,
    /// Channels.
    pub channels: usize,
    /// Sample rates in Hz.
    pub sample_rates_hz: RangeInclusive<u32>,
    /// Samples of all channels together; each takes four bytes of memory.
    pub samples: usize,
    /// Time spent on decoding.
    pub work: Duration,
}

impl Default for DecodeLimits {
    /// 64 MiB, ten minutes, 8 channels, 8 to 192 kHz; memory for ten minutes of stereo at 48 kHz; a
    /// minute of work.
    fn default() -> Self {
        Self {
            bytes: 64 << 20,
            duration: Duration::from_secs(600),
            channels: 8,
            sample_rates_hz: 8_000..=192_000,
            samples: 600 * 48_000 * 2,
            work: Duration::from_secs(60),
        }
    }
}

/// Why there is no recording. All of these are for whoever sent the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Send a smaller file.
    #[error("the audio file has {bytes} bytes, at most {limit} are allowed")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The largest size allowed.
        limit: usize,
    },
    /// Send a shorter recording.
    #[error("the recording is longer than {} s", .limit.as_secs_f64())]
    TooLong {
        /// The longest playing time allowed.
        limit: Duration,
    },
    /// Send it in another format.
    #[error("the recording takes more than {} s to decode", .limit.as_secs_f64())]
    TooSlow {
        /// The longest time allowed.
        limit: Duration,
    },
    /// Send a recording with fewer channels, a lower rate, or less of it.
    #[error("the recording holds more than {limit} samples")]
    TooManySamples {
        /// The highest number of samples allowed.
        limit: usize,
    },
    /// Mix the channels down.
    #[error("the recording has {channels} channels, at most {limit} are allowed")]
    Channels {
        /// How many there are.
        channels: usize,
        /// The highest number allowed.
        limit: usize,
    },
    /// Convert to a usual rate.
    #[error(
        "the recording has a sample rate of {rate_hz} Hz, allowed are {} to {} Hz",
        .allowed_hz.start(), .allowed_hz.end()
    )]
    SampleRate {
        /// Its rate.
        rate_hz: u32,
        /// The rates allowed.
        allowed_hz: RangeInclusive<u32>,
    },
    /// Not an audio file: check what was sent.
    #[error("this is not audio in a known format but {found}; known are {}", KNOWN)]
    NotAudio {
        /// What it seems to be.
        found: &'static str,
    },
    /// Convert to another format.
    #[error(
        "the audio in this file is of a kind that cannot be decoded; known are {}",
        KNOWN
    )]
    Unsupported {
        /// What is missing.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file is broken: export it again.
    #[error("the audio file is damaged and nothing in it can be decoded")]
    Damaged {
        /// The first thing that is wrong.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// There is no sound in it.
    #[error("the audio file holds no samples")]
    Empty,
}

const KNOWN: &str =
    "WAV, AIFF, CAF, MP3, FLAC, AAC and ALAC (also as M4A or MP4), Ogg, Opus, WebM, Matroska";
