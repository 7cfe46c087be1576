//! `SubRip` files.

use super::{Cue, clock, rounded};

pub(super) fn write(cues: &[Cue<'_>]) -> String {
    let mut file = String::new();
    for (index, cue) in (1..).zip(cues) {
        let start = rounded(cue.start(), 1000);
        // Nothing that lasts no time is shown.
        let end = rounded(cue.end(), 1000).max(start + 1);
        let lines: Vec<String> = cue.lines().map(|line| escaped(&line.text())).collect();
        let text = lines.join("\n");
        file += &format!("{index}\n{} --> {}\n{text}\n\n", time(start), time(end));
    }
    file
}

/// Players read tags and arrows; the format has no way to escape them, so a joiner breaks them up.
fn escaped(line: &str) -> String {
    line.replace('<', "<\u{2060}").replace("-->", "--\u{2060}>")
}

fn time(milliseconds: u64) -> String {
    let (hours, minutes, seconds, rest) = clock(milliseconds, 1000);
    format!("{hours:02}:{minutes:02}:{seconds:02},{rest:03}")
}
