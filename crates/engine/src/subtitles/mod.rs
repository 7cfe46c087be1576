//! Files with the times of words: subtitles that players show, and tables for programs.

mod ass;
mod cue;
mod srt;
mod table;
#[cfg(test)]
mod tests;
mod vtt;

pub use self::cue::{Cue, cues};

use crate::align::WordTiming;

/// The forms in which times can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// `SubRip`: cues of up to two lines.
    Srt,
    /// `WebVTT`: the same, with the time of every word as a tag.
    Vtt,
    /// Advanced `SubStation` Alpha: the same, each word lighting up as it is spoken.
    Ass,
    /// A row `word,start_time,end_time,confidence` for every word.
    Csv,
    /// An array with an object of the same fields for every word.
    Json,
}

/// No format has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no timing format, allowed are {}", Format::list())]
pub struct UnknownFormat {
    name: String,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 5] = [Self::Srt, Self::Vtt, Self::Ass, Self::Csv, Self::Json];

    /// The name, which is also the extension of its files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Srt => "srt",
            Self::Vtt => "vtt",
            Self::Ass => "ass",
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }

    /// The media type of its files.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Srt => "application/x-subrip; charset=utf-8",
            Self::Vtt => "text/vtt; charset=utf-8",
            Self::Ass => "text/x-ssa; charset=utf-8",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Json => "application/json",
        }
    }

    /// A file with these words, in order.
    pub fn write(self, words: &[WordTiming]) -> String {
        match self {
            Self::Srt => srt::write(&cues(words)),
            Self::Vtt => vtt::write(&cues(words)),
            Self::Ass => ass::write(&cues(words)),
            Self::Csv => table::csv(words),
            Self::Json => table::json(words),
        }
    }

    fn list() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

impl std::str::FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        let found = Self::ALL
            .into_iter()
            .find(|format| format.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| UnknownFormat { name: name.to_owned() })
    }
}

/// Seconds as whole parts of a second, `parts` of them to the second; below zero counts as zero.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast saturates, and thousands of years fit"
)]
fn rounded(seconds: f64, parts: u32) -> u64 {
    (seconds * f64::from(parts)).round() as u64
}

/// Hours, minutes and seconds, and what is left.
const fn clock(time: u64, parts: u64) -> (u64, u64, u64, u64) {
    let seconds = time / parts;
    (seconds / 3600, seconds / 60 % 60, seconds % 60, time % parts)
}
