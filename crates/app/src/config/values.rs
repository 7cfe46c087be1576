//! The types of settings that nothing else has, and how words become them.

use std::{convert::Infallible, num::NonZeroUsize, path::PathBuf, str::FromStr, time::Duration};

use clap::ValueEnum;
use f5tts_engine::{
    CfgStrength, SpeechSeconds,
    audio::Format,
    duration::{OutOfRange, Speed},
    sampler::{
        Method,
        grid::{Nfe, Sway},
    },
    stitch::CrossFade,
    text::pinyin::Edition,
};
use f5tts_service::storage::{LinkLifetime, Secret};

/// A word that is no value of a setting.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum ValueError {
    /// Not a number.
    #[error("it is not a number")]
    NotANumber,
    /// Not a number without fraction and sign.
    #[error("it is not a whole number")]
    NotWhole,
    /// A number that is not allowed.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// None of the allowed words.
    #[error("allowed are {allowed}")]
    Unknown {
        /// All of them.
        allowed: String,
    },
    /// Not `NAME=FILE`.
    #[error("it is not of the form NAME=FILE, where NAME is made of letters, digits and `_`")]
    NotANamedFile,
}

/// Where the networks are computed.
#[cfg(feature = "cuda")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DeviceChoice {
    /// An NVIDIA GPU if there is one, else the processor
    Auto,
    /// The processor
    Cpu,
    /// An NVIDIA GPU, or an error
    Cuda,
}

#[cfg(feature = "cuda")]
impl From<DeviceChoice> for f5tts_engine::Device {
    fn from(choice: DeviceChoice) -> Self {
        match choice {
            DeviceChoice::Auto => Self::Auto,
            DeviceChoice::Cpu => Self::Cpu,
            DeviceChoice::Cuda => Self::Cuda,
        }
    }
}

/// How many steps, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Quality {
    /// 7 steps: four times as fast as best
    Fast,
    /// 16 steps
    Balanced,
    /// 32 steps, as the official default
    Best,
}

impl Quality {
    pub(crate) const fn steps(self) -> Nfe {
        match self {
            Self::Fast => Nfe::FAST,
            Self::Balanced => Nfe::BALANCED,
            Self::Best => Nfe::BEST,
        }
    }
}

/// A seed that every JSON reader keeps exactly: below 2^53.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seed(u64);

impl Seed {
    const MAX: u64 = (1 << 53) - 1;

    pub(crate) fn parse(word: &str) -> Result<Self, ValueError> {
        let seed: u64 = whole(word)?;
        if seed <= Self::MAX {
            return Ok(Self(seed));
        }
        let allowed = format!("0 to {}", Self::MAX);
        Err(ValueError::Unknown { allowed })
    }

    /// Any seed, from 64 random bits.
    pub(crate) const fn from_random(bits: u64) -> Self {
        Self(bits & Self::MAX)
    }
}

impl From<Seed> for u64 {
    fn from(Seed(seed): Seed) -> Self {
        seed
    }
}

/// Samples a second of the output. Invariant: 8000 to 48 000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SampleRate(u32);

impl SampleRate {
    pub(crate) fn parse(word: &str) -> Result<Self, ValueError> {
        let hertz: u32 = whole(word)?;
        let range = (8_000.0, 48_000.0);
        check("sample_rate", f64::from(hertz), range)?;
        Ok(Self(hertz))
    }

    pub(crate) const fn hertz(self) -> u32 {
        self.0
    }
}

/// `NAME=FILE`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedFile {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

impl NamedFile {
    pub(crate) fn parse(word: &str) -> Result<Self, ValueError> {
        let (name, path) = word.split_once('=').ok_or(ValueError::NotANamedFile)?;
        let is_name = !name.is_empty()
            && name
                .chars()
                .all(|each| each.is_alphanumeric() || each == '_');
        if !is_name || path.is_empty() {
            return Err(ValueError::NotANamedFile);
        }
        Ok(Self { name: name.to_owned(), path: path.into() })
    }
}

pub(super) fn speed(word: &str) -> Result<Speed, ValueError> {
    // The engine takes what the official program takes; the contract of the service is narrower.
    let factor = check("speed", number(word)?, (0.5, 2.0))?;
    Ok(Speed::try_from(factor)?)
}

pub(super) fn speech_seconds(word: &str) -> Result<SpeechSeconds, ValueError> {
    Ok(SpeechSeconds::try_from(number::<f64>(word)?)?)
}

pub(super) fn nfe(word: &str) -> Result<Nfe, ValueError> {
    Ok(Nfe::try_from(whole::<u32>(word)?)?)
}

pub(super) fn cfg_strength(word: &str) -> Result<CfgStrength, ValueError> {
    Ok(CfgStrength::try_from(number::<f32>(word)?)?)
}

pub(super) fn sway(word: &str) -> Result<Sway, ValueError> {
    if word.eq_ignore_ascii_case("none") {
        return Ok(Sway::NONE);
    }
    Ok(Sway::try_from(number::<f32>(word)?)?)
}

pub(super) fn cross_fade(word: &str) -> Result<CrossFade, ValueError> {
    Ok(CrossFade::try_from(number::<f64>(word)?)?)
}

pub(super) fn method(word: &str) -> Result<Method, ValueError> {
    one_of(word, &[("euler", Method::Euler), ("midpoint", Method::Midpoint)])
}

pub(super) fn pinyin(word: &str) -> Result<Edition, ValueError> {
    one_of(word, &[("0.54", Edition::V0_54), ("0.55", Edition::V0_55)])
}

pub(super) fn format(word: &str) -> Result<Format, ValueError> {
    let formats: Vec<_> = Format::ALL
        .iter()
        .map(|&format| (format.name(), format))
        .collect();
    one_of(word, &formats)
}

pub(super) fn threads(word: &str) -> Result<NonZeroUsize, ValueError> {
    let threads: u32 = whole(word)?;
    check("threads", f64::from(threads), (1.0, 1024.0))?;
    NonZeroUsize::new(threads as usize).ok_or(ValueError::NotWhole)
}

pub(super) fn secret(word: &str) -> Result<Secret, Infallible> {
    Ok(Secret::new(word))
}

pub(super) fn link_lifetime(word: &str) -> Result<LinkLifetime, ValueError> {
    let seconds: u64 = whole(word)?;
    let lifetime = LinkLifetime::try_from(Duration::from_secs(seconds));
    lifetime.map_err(|_| ValueError::Unknown { allowed: "1 to 604800 seconds".to_owned() })
}

fn whole<T: FromStr>(word: &str) -> Result<T, ValueError> {
    word.parse().map_err(|_| ValueError::NotWhole)
}

fn number<T: FromStr>(word: &str) -> Result<T, ValueError> {
    word.parse().map_err(|_| ValueError::NotANumber)
}

fn check(name: &'static str, value: f64, (least, most): (f64, f64)) -> Result<f64, OutOfRange> {
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(OutOfRange { name, value, least, most })
    }
}

fn one_of<T: Copy>(word: &str, choices: &[(&str, T)]) -> Result<T, ValueError> {
    let choice = choices
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(word));
    choice.map(|&(_, value)| value).ok_or_else(|| {
        let names: Vec<_> = choices.iter().map(|&(name, _)| name).collect();
        ValueError::Unknown { allowed: names.join(", ") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_exact_in_json() {
        assert_eq!(Seed::parse("9007199254740991").map(u64::from), Ok((1 << 53) - 1));
        let error = Seed::parse("9007199254740992").unwrap_err();
        assert_eq!(error.to_string(), "allowed are 0 to 9007199254740991");
        assert_eq!(Seed::parse("-1"), Err(ValueError::NotWhole));
        assert_eq!(u64::from(Seed::from_random(u64::MAX)), (1 << 53) - 1);
    }

    #[test]
    fn numbers_out_of_range_say_what_is_allowed() {
        for (error, expected) in [
            (speed("2.5").unwrap_err(), "speed is 2.5, allowed is 0.5 to 2"),
            (speed("nan").unwrap_err(), "speed is NaN, allowed is 0.5 to 2"),
            (speed("fast").unwrap_err(), "it is not a number"),
            (nfe("0").unwrap_err(), "nfe_step is 0, allowed is 1 to 128"),
            (nfe("129").unwrap_err(), "nfe_step is 129, allowed is 1 to 128"),
            (
                SampleRate::parse("1").unwrap_err(),
                "sample_rate is 1, allowed is 8000 to 48000",
            ),
            (method("rk4").unwrap_err(), "allowed are euler, midpoint"),
        ] {
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn sway_may_be_off() {
        assert_eq!(sway("none"), Ok(Sway::NONE));
        assert_eq!(sway("-1"), Ok(Sway::DEFAULT));
        assert!(sway("-1.5").is_err());
    }

    #[test]
    fn a_named_file_has_a_name_that_a_tag_can_have() {
        let anna = NamedFile::parse("anna=a=b.wav").unwrap();
        assert_eq!((anna.name.as_str(), anna.path.to_str()), ("anna", Some("a=b.wav")));
        for wrong in ["anna", "=a.wav", "anna=", "an na=a.wav", "a]=a.wav"] {
            assert_eq!(NamedFile::parse(wrong), Err(ValueError::NotANamedFile), "{wrong}");
        }
    }
}
