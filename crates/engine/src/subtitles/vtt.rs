//! `WebVTT` files.

use super::{Cue, clock, rounded};

pub(super) fn write(cues: &[Cue<'_>]) -> String {
    let mut file = "WEBVTT\n\n".to_owned();
    for cue in cues {
        let start = rounded(cue.start(), 1000);
        let end = rounded(cue.end(), 1000).max(start + 1);
        file += &format!("{} --> {}\n{}\n\n", time(start), time(end), text(cue, start, end));
    }
    file
}

/// The words, each after the first behind the time at which it is spoken.
///
/// These times must rise and lie within the cue; a word for which they would not has none.
fn text(cue: &Cue<'_>, start: u64, end: u64) -> String {
    let mut text = String::new();
    let mut latest = start;
    for (index, line) in cue.lines().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        for (blank, word) in line.spaced() {
            text += blank;
            let begins = rounded(word.start, 1000);
            if begins > latest && begins < end {
                text += &format!("<{}>", time(begins));
                latest = begins;
            }
            text += &escaped(&word.word);
        }
    }
    text
}

fn escaped(word: &str) -> String {
    word.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn time(milliseconds: u64) -> String {
    let (hours, minutes, seconds, rest) = clock(milliseconds, 1000);
    format!("{hours:02}:{minutes:02}:{seconds:02}.{rest:03}")
}
