use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Format, cue::MOST_COLUMNS, cues};
use crate::align::WordTiming;

/// Words that follow each other; each lasts `seconds` and is followed by a `pause`.
fn words(words: &[&str], seconds: f64, pause: f64) -> Vec<WordTiming> {
    let starts = (0..).map(|index| f64::from(index) * (seconds + pause));
    let word = |(&word, start): (&&str, f64)| WordTiming {
        word: word.to_owned(),
        start,
        end: start + seconds,
        confidence: 0.5,
    };
    words.iter().zip(starts).map(word).collect()
}

fn lines(words: &[WordTiming]) -> Vec<Vec<String>> {
    let cues = cues(words);
    cues.iter()
        .map(|cue| cue.lines().map(|line| line.text()).collect())
        .collect()
}

#[test]
fn cues_end_with_sentences_and_at_pauses() {
    let spoken = words(&["Dr.", "Who?", "Yes.", "He", "is", "here."], 0.2, 0.1);
    assert_eq!(lines(&spoken), [["Dr. Who?"], ["Yes."], ["He is here."]]);
    let slow = words(&["One", "two"], 0.2, 0.6);
    assert_eq!(lines(&slow), [["One"], ["two"]]);
}

#[test]
fn long_sentences_have_two_lines_and_break_behind_commas() {
    let text = "We walked along the river, and nobody said a word until it was dark.";
    let spoken = words(&text.split(' ').collect::<Vec<_>>(), 0.2, 0.0);
    let expected = [[
        "We walked along the river,",
        "and nobody said a word until it was dark.",
    ]];
    assert_eq!(lines(&spoken), expected);
}

#[test]
fn chinese_has_no_blanks_and_two_columns_a_character() {
    let spoken = words(&["你好，", "我", "是", "Anna。"], 0.2, 0.0);
    assert_eq!(lines(&spoken), [["你好，我是 Anna。"]]);
}

#[test]
fn srt_counts_its_cues() {
    let file = Format::Srt.write(&words(&["Yes.", "-->", "<b>"], 0.25, 0.0));
    let expected = "1\n00:00:00,000 --> 00:00:00,250\nYes.\n\n\
                    2\n00:00:00,250 --> 00:00:00,750\n--\u{2060}> <\u{2060}b>\n\n";
    assert_eq!(file, expected);
}

#[test]
fn vtt_times_every_word_but_the_first() {
    let file = Format::Vtt.write(&words(&["You", "&", "<me>."], 0.5, 0.0));
    let expected = "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\n\
                    You <00:00:00.500>&amp; <00:00:01.000>&lt;me&gt;.\n\n";
    assert_eq!(file, expected);
}

#[test]
fn ass_counts_centiseconds_and_escapes_commands() {
    let file = Format::Ass.write(&words(&["a{b}", r"\N"], 0.256, 0.1));
    let text = file.lines().last().unwrap();
    let expected = "Dialogue: 0,0:00:00.00,0:00:00.61,Default,,0,0,0,,\
                    {\\k26}a\\{b\\} {\\k10}{\\k25}\\\u{2060}N";
    assert_eq!(text, expected);
}

#[test]
fn formats_are_known_by_their_extensions() {
    for format in Format::ALL {
        assert_eq!(format.name().to_uppercase().parse(), Ok(format));
    }
    let message = "txt".parse::<Format>().unwrap_err().to_string();
    assert_eq!(message, "`txt` is no timing format, allowed are srt, vtt, ass, csv, json");
}

/// Words with rising times, as the aligner gives them.
fn any_words() -> impl Strategy<Value = Vec<WordTiming>> {
    let word = ("[^\\s\\pC]{1,60}", 0.02..3.0, 0.0..0.8, 0.0..1.0);
    prop::collection::vec(word, 0..40).prop_map(|words| {
        let mut now = 0.0;
        let word = |(word, seconds, pause, confidence)| {
            let start: f64 = now + pause;
            now = start + seconds;
            WordTiming { word, start, end: now, confidence }
        };
        words.into_iter().map(word).collect()
    })
}

/// The cells of a table as RFC 4180 has it.
fn cells(file: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut is_quoted = false;
    let mut characters = file.chars().peekable();
    while let Some(character) = characters.next() {
        let cell = cells.last_mut().unwrap();
        match character {
            '"' if is_quoted && characters.peek() == Some(&'"') => {
                cell.push('"');
                characters.next();
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => cells.push(String::new()),
            '\r' if !is_quoted => {}
            '\n' if !is_quoted => cells.push(String::new()),
            other => cell.push(other),
        }
    }
    cells
}

proptest! {
    #[test]
    fn cues_hold_every_word_once_on_short_lines(words in any_words()) {
        let cues = cues(&words);
        let shown: Vec<WordTiming> =
            cues.iter().flat_map(|cue| cue.lines()).flat_map(|line| line.words()).cloned().collect();
        prop_assert_eq!(&shown, &words);
        for cue in &cues {
            for line in cue.lines() {
                let is_short = line.columns() <= MOST_COLUMNS || line.words().len() == 1;
                prop_assert!(is_short, "{}", line.text());
            }
        }
        prop_assert!(cues.windows(2).all(|pair| pair[0].end() <= pair[1].start()));
    }

    #[test]
    fn tables_give_the_words_back(words in any_words()) {
        let json_rows: Value = serde_json::from_str(&Format::Json.write(&words)).unwrap();
        prop_assert_eq!(&json_rows, &json!(words));
        let csv = Format::Csv.write(&words);
        let cells = cells(&csv);
        let rows: Vec<_> = cells.chunks_exact(4).skip(1).collect();
        prop_assert_eq!(rows.len(), words.len());
        for (row, word) in rows.iter().zip(&words) {
            prop_assert_eq!(&row[0], &word.word);
            prop_assert!((row[1].parse::<f64>().unwrap() - word.start).abs() < 6e-4);
        }
    }

    #[test]
    fn karaoke_never_drifts(words in any_words()) {
        let file = Format::Ass.write(&words);
        let mut spoken = words.iter();
        for line in file.lines().filter_map(|line| line.strip_prefix("Dialogue: ")) {
            let fields: Vec<&str> = line.splitn(10, ',').collect();
            let (hours, rest) = fields[1].split_once(':').unwrap();
            let (minutes, seconds) = rest.split_once(':').unwrap();
            let number = |text: &str| text.parse::<f64>().unwrap();
            let mut now = 3600.0 * number(hours) + 60.0 * number(minutes) + number(seconds);
            for tag in fields[9].split(r"{\k").skip(1) {
                let (centiseconds, word) = tag.split_once('}').unwrap();
                if !word.is_empty() {
                    let word = spoken.next().unwrap();
                    prop_assert!((now - word.start).abs() < 0.0101, "{} {word:?}", now);
                }
                now += number(centiseconds) / 100.0;
            }
        }
        prop_assert!(spoken.next().is_none());
    }
}
