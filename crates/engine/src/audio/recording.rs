use std::time::Duration;

/// How the integers of a recording are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PcmFormat {
    /// Width of a sample: 8, 16, 24 or 32. All widths are signed here.
    pub bits_per_sample: u32,
    /// Interleaved channels, at least one.
    pub channels: usize,
    /// Frames per second, at least one.
    pub sample_rate_hz: u32,
}

impl PcmFormat {
    /// One above the largest sample: what counts as 1.0.
    pub(super) fn full_scale(self) -> f64 {
        f64::from(1_u32 << (self.bits_per_sample - 1))
    }
}

/// A decoded recording: integer PCM of the source's own width, with what was noticed on the way.
///
/// The integers are kept because the official implementation measures silence on them.
/// Invariant: every sample fits the width, and there are whole frames only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    samples: Vec<i32>,
    format: PcmFormat,
    warnings: Vec<Warning>,
}

/// Samples that contradict their format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{samples} samples do not form PCM of {} bits, {} channels and {} Hz",
    .format.bits_per_sample, .format.channels, .format.sample_rate_hz
)]
pub struct InvalidPcm {
    samples: usize,
    format: PcmFormat,
}

/// Something about a recording that its owner should know, though it could be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// The file ends before its own header says: `decoded` of `stated` are there.
    Truncated {
        /// What the header promises; unknown where the end was noticed otherwise.
        stated: Option<Duration>,
        /// What could be read.
        decoded: Duration,
    },
    /// Parts of the file were damaged and left out.
    Damaged {
        /// How many packets could not be decoded.
        packets: usize,
    },
    /// The reference was longer than 12 s and has been cut: its transcript may say more than it.
    Shortened {
        /// What is left of it.
        kept: Duration,
        /// Whether the cut may go through a word, as no pause was found.
        mid_speech: bool,
    },
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Truncated { stated: Some(stated), decoded } => write!(
                f,
                "the file is cut off: {:.2} s of {:.2} s could be read",
                decoded.as_secs_f64(),
                stated.as_secs_f64()
            ),
            Self::Truncated { stated: None, decoded } => {
                write!(f, "the file is cut off after {:.2} s", decoded.as_secs_f64())
            }
            Self::Damaged { packets } => {
                write!(f, "the file is damaged: {packets} packets were left out")
            }
            Self::Shortened { kept, mid_speech } => write!(
                f,
                "the reference was longer than 12 s: only its first {:.2} s are used, {}",
                kept.as_secs_f64(),
                if *mid_speech {
                    "cut without a pause"
                } else {
                    "cut at a pause"
                }
            ),
        }
    }
}

impl Recording {
    /// Takes interleaved samples of the given format.
    ///
    /// # Errors
    ///
    /// If the format is impossible, a frame is incomplete, or a sample exceeds the width.
    pub fn new(samples: Vec<i32>, format: PcmFormat) -> Result<Self, InvalidPcm> {
        let PcmFormat { bits_per_sample, channels, sample_rate_hz } = format;
        let possible = matches!(bits_per_sample, 8 | 16 | 24 | 32)
            && channels > 0
            && sample_rate_hz > 0
            && samples.len().is_multiple_of(channels);
        // The arithmetic shift leaves only the sign of a sample that fits.
        let fits = |sample: &i32| matches!(sample >> (bits_per_sample - 1), 0 | -1);
        if !possible || !samples.iter().all(fits) {
            return Err(InvalidPcm { samples: samples.len(), format });
        }
        Ok(Self { samples, format, warnings: Vec::new() })
    }

    /// The same recording with warnings.
    #[must_use]
    pub(super) fn with_warnings(mut self, warnings: Vec<Warning>) -> Self {
        self.warnings = warnings;
        self
    }

    /// Interleaved samples, [`frames`](Self::frames) × channels.
    pub fn samples(&self) -> &[i32] {
        &self.samples
    }

    /// Width, channels and rate.
    pub fn format(&self) -> PcmFormat {
        self.format
    }

    /// What its owner should know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Samples per channel.
    pub fn frames(&self) -> usize {
        self.samples.len() / self.format.channels
    }

    /// How long it plays.
    pub fn duration(&self) -> Duration {
        playing_time(self.frames(), self.format.sample_rate_hz)
    }

    /// The mean of all channels, within ±1.
    #[expect(clippy::cast_possible_truncation, reason = "a power of two")]
    pub fn to_mono(&self) -> Vec<f32> {
        let scale = (1.0 / self.format.full_scale()) as f32;
        let channels = self.format.channels as f32;
        let frames = self.samples.chunks_exact(self.format.channels);
        frames
            .map(|frame| {
                let sum: f32 = frame.iter().map(|&sample| sample as f32 * scale).sum();
                sum / channels
            })
            .collect()
    }
}

/// How long `frames` play at a rate.
pub(super) fn playing_time(frames: usize, sample_rate_hz: u32) -> Duration {
    Duration::from_secs_f64(frames as f64 / f64::from(sample_rate_hz))
}
