use std::{fmt, str::FromStr};

/// A file format for speech.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// WAV with 16-bit samples.
    Wav,
    /// WAV with 24-bit samples.
    Wav24,
    /// WAV with 32-bit floating point samples; the only format that can exceed ±1.
    WavF32,
    /// FLAC with 16-bit samples.
    Flac,
    /// MP3 of constant bitrate. At the rates of MPEG-1, 2 and 2.5 only.
    #[cfg(feature = "mp3")]
    Mp3,
    /// Opus of variable bitrate, in Ogg.
    Opus,
    /// Samples of 16 bits, little-endian, without any header.
    Pcm,
    /// G.711 µ-law of telephones, without any header.
    MuLaw,
    /// G.711 A-law of telephones, without any header.
    ALaw,
}

impl Format {
    /// All formats of this build. The first one with an extension is what it stands for.
    pub const ALL: &[Self] = &[
        Self::Wav,
        Self::Wav24,
        Self::WavF32,
        Self::Flac,
        #[cfg(feature = "mp3")]
        Self::Mp3,
        Self::Opus,
        Self::Pcm,
        Self::MuLaw,
        Self::ALaw,
    ];

    /// The name that [`FromStr`] reads.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wav => "wav",
            Self::Wav24 => "wav24",
            Self::WavF32 => "wav-f32",
            Self::Flac => "flac",
            #[cfg(feature = "mp3")]
            Self::Mp3 => "mp3",
            Self::Opus => "opus",
            Self::Pcm => "pcm",
            Self::MuLaw => "ulaw",
            Self::ALaw => "alaw",
        }
    }

    /// The usual ending of file names, without a dot.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Wav | Self::Wav24 | Self::WavF32 => "wav",
            #[cfg(feature = "mp3")]
            Self::Mp3 => "mp3",
            Self::Flac | Self::Opus | Self::Pcm | Self::MuLaw | Self::ALaw => self.name(),
        }
    }

    /// The media type for HTTP.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Wav | Self::Wav24 | Self::WavF32 => "audio/wav",
            Self::Flac => "audio/flac",
            #[cfg(feature = "mp3")]
            Self::Mp3 => "audio/mpeg",
            // The bytes are Ogg, but this is what clients of speech services expect.
            Self::Opus => "audio/opus",
            Self::Pcm => "audio/pcm",
            Self::MuLaw => "audio/basic",
            Self::ALaw => "audio/x-alaw-basic",
        }
    }

    /// The format for the ending of a file name, without its dot, in any case.
    pub fn from_extension(extension: &str) -> Option<Self> {
        let extension = extension.to_ascii_lowercase();
        let extension = match extension.as_str() {
            "ogg" | "oga" => "opus",
            "wave" => "wav",
            other => other,
        };
        let mut formats = Self::ALL.iter().copied();
        formats.find(|format| format.extension() == extension)
    }

    /// The names of all formats of this build, for messages and help: `wav, wav24, …`.
    pub fn list() -> String {
        let names: Vec<_> = Self::ALL.iter().map(|format| format.name()).collect();
        names.join(", ")
    }

    /// Whether a bitrate can be chosen.
    pub const fn has_bitrate(self) -> bool {
        match self {
            #[cfg(feature = "mp3")]
            Self::Mp3 => true,
            Self::Opus => true,
            Self::Wav | Self::Wav24 | Self::WavF32 | Self::Flac => false,
            Self::Pcm | Self::MuLaw | Self::ALaw => false,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that no format of this build has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown audio format `{name}`, known are {}", Format::list())]
pub struct UnknownFormat {
    name: String,
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let mut formats = Self::ALL.iter().copied();
        formats
            .find(|format| format.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| UnknownFormat { name: name.to_owned() })
    }
}
