//! Advanced `SubStation` Alpha files, with karaoke tags.

use super::{Cue, clock, rounded};

/// Words that were spoken are white, words to come are grey.
const HEADER: &str = "\
[Script Info]
ScriptType: v4.00+
PlayResX: 1920
PlayResY: 1080
WrapStyle: 2
ScaledBorderAndShadow: yes

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, \
Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, \
Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,64,&H00FFFFFF,&H00A0A0A0,&H00000000,&H80000000,\
0,0,0,0,100,100,0,0,1,3,1,2,80,80,60,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
";

pub(super) fn write(cues: &[Cue<'_>]) -> String {
    let mut file = HEADER.to_owned();
    for cue in cues {
        let start = rounded(cue.start(), 100);
        let end = rounded(cue.end(), 100).max(start + 1);
        let text = text(cue, start, end);
        file += &format!("Dialogue: 0,{},{},Default,,0,0,0,,{text}\n", time(start), time(end));
    }
    file
}

/// The words, each behind the time it takes, and pauses in the same way.
///
/// Times are rounded before they are subtracted: so the sum of the parts never drifts away from the
/// clock.
fn text(cue: &Cue<'_>, start: u64, end: u64) -> String {
    let mut text = String::new();
    let mut now = start;
    for (index, line) in cue.lines().enumerate() {
        for (position, (blank, word)) in line.spaced().enumerate() {
            text += if index > 0 && position == 0 {
                r"\N"
            } else {
                blank
            };
            let begins = rounded(word.start, 100).clamp(now, end);
            let ends = rounded(word.end, 100).clamp(begins, end);
            if begins > now {
                text += &format!(r"{{\k{}}}", begins - now);
            }
            text += &format!(r"{{\k{}}}{}", ends - begins, escaped(&word.word));
            now = ends;
        }
    }
    text
}

/// Braces begin and end tags, and a backslash begins a command, unless a joiner follows.
fn escaped(word: &str) -> String {
    word.replace('\\', "\\\u{2060}")
        .replace('{', r"\{")
        .replace('}', r"\}")
}

fn time(centiseconds: u64) -> String {
    let (hours, minutes, seconds, rest) = clock(centiseconds, 100);
    format!("{hours}:{minutes:02}:{seconds:02}.{rest:02}")
}
