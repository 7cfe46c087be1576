//! Cuts speech into what is shown at once.

use crate::align::WordTiming;

/// The most columns of a line. A longer word has a line for itself.
pub(super) const MOST_COLUMNS: usize = 42;
/// The longest time that a cue of more than one word is shown, in seconds.
const LONGEST: f64 = 7.0;
/// A pause of so many seconds ends a cue.
const PAUSE: f64 = 0.5;

/// Words that are shown together, on one line or two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cue<'a> {
    /// At least one.
    first: Line<'a>,
    second: Option<Line<'a>>,
}

/// At least one word.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line<'a> {
    words: &'a [WordTiming],
}

impl<'a> Cue<'a> {
    /// When its first word begins, in seconds.
    pub fn start(&self) -> f64 {
        self.first.words.first().map_or(0.0, |word| word.start)
    }

    /// When its last word ends, in seconds.
    pub fn end(&self) -> f64 {
        let last = self.second.unwrap_or(self.first);
        last.words.last().map_or(0.0, |word| word.end)
    }

    /// One line or two.
    pub fn lines(&self) -> impl Iterator<Item = Line<'a>> + use<'a> {
        [Some(self.first), self.second].into_iter().flatten()
    }
}

impl<'a> Line<'a> {
    /// Its words.
    pub fn words(&self) -> &'a [WordTiming] {
        self.words
    }

    /// Its words with blanks between, except in scripts that have none.
    pub fn text(&self) -> String {
        self.spaced()
            .flat_map(|(blank, word)| [blank, &word.word])
            .collect()
    }

    /// Its words, each with what stands before it.
    pub(super) fn spaced(&self) -> impl Iterator<Item = (&'static str, &'a WordTiming)> + use<'a> {
        let before = std::iter::once(None).chain(self.words.iter().map(Some));
        before
            .zip(self.words)
            .map(|(before, word)| (before.map_or("", |before| blank(before, word)), word))
    }

    pub(super) fn columns(&self) -> usize {
        self.text().chars().map(columns).sum()
    }
}

/// Cuts words into cues: at the ends of sentences and at pauses, then, where that is too much to be
/// shown at once, preferably behind commas.
pub fn cues(words: &[WordTiming]) -> Vec<Cue<'_>> {
    let mut cues = Vec::new();
    let mut rest = words;
    while !rest.is_empty() {
        let end = (1..rest.len())
            .find(|&end| is_end(&rest[end - 1], &rest[end]))
            .unwrap_or(rest.len());
        let (sentence, after) = rest.split_at(end);
        push_cues(sentence, &mut cues);
        rest = after;
    }
    cues
}

fn is_end(word: &WordTiming, next: &WordTiming) -> bool {
    next.start - word.end > PAUSE || ends_sentence(&word.word)
}

fn push_cues<'a>(words: &'a [WordTiming], cues: &mut Vec<Cue<'a>>) {
    if let Some(cue) = one_cue(words) {
        cues.push(cue);
        return;
    }
    let (before, after) = words.split_at(best_cut(words, |_| true).unwrap_or(1));
    push_cues(before, cues);
    push_cues(after, cues);
}

/// The words as one cue, if they fit. A single word always does.
fn one_cue(words: &[WordTiming]) -> Option<Cue<'_>> {
    let line = Line { words };
    let seconds = words.last()?.end - words.first()?.start;
    if words.len() == 1 || line.columns() <= MOST_COLUMNS && seconds <= LONGEST {
        return Some(Cue { first: line, second: None });
    }
    if seconds > LONGEST {
        return None;
    }
    let fits = |words| Line { words }.columns() <= MOST_COLUMNS;
    let cut = best_cut(words, |cut| fits(&words[..cut]) && fits(&words[cut..]))?;
    let (first, second) = words.split_at(cut);
    Some(Cue {
        first: Line { words: first },
        second: Some(Line { words: second }),
    })
}

/// Where to cut: near the middle, behind a comma, at a pause.
fn best_cut(words: &[WordTiming], is_allowed: impl Fn(usize) -> bool) -> Option<usize> {
    let all = Line { words }.columns();
    let cost = |cut: usize| {
        let (before, after) = (&words[cut - 1], &words[cut]);
        let middle = (2 * Line { words: &words[..cut] }.columns()).abs_diff(all);
        let comma = if ends_clause(&before.word) {
            0
        } else {
            all / 2
        };
        let pause = if after.start - before.end > PAUSE / 3.0 {
            0
        } else {
            all / 4
        };
        middle + comma + pause
    };
    (1..words.len())
        .filter(|&cut| is_allowed(cut))
        .min_by_key(|&cut| cost(cut))
}

fn ends_sentence(word: &str) -> bool {
    let bare = word.trim_end_matches(is_closing);
    bare.ends_with(['!', '?', '…', '。', '！', '？', '।', '؟'])
        || bare.strip_suffix('.').is_some_and(|bare| !goes_on(bare))
}

/// Whether a full stop behind this mostly does not end a sentence: a title, an initial.
fn goes_on(word: &str) -> bool {
    const ABBREVIATIONS: [&str; 17] = [
        "mr", "mrs", "ms", "dr", "prof", "st", "gen", "capt", "lt", "sgt", "rev", "gov", "sen",
        "mt", "vs", "e.g", "i.e",
    ];
    let bare = word.trim_start_matches(|letter: char| !letter.is_alphanumeric());
    let is_initial = bare.chars().count() == 1 && bare.chars().all(char::is_uppercase);
    is_initial || ABBREVIATIONS.contains(&bare.to_lowercase().as_str())
}

fn ends_clause(word: &str) -> bool {
    let bare = word.trim_end_matches(is_closing);
    bare.ends_with([',', ';', ':', '-', '–', '—', '，', '；', '：', '、', '،'])
        || ends_sentence(word)
}

fn is_closing(character: char) -> bool {
    matches!(
        character,
        '"' | '\'' | '”' | '’' | ')' | ']' | '»' | '」' | '』' | '）' | '】' | '》'
    )
}

/// What stands between two words. Only scripts without blanks are cut between wide characters.
fn blank(before: &WordTiming, word: &WordTiming) -> &'static str {
    let is_wide =
        |character: Option<char>| character.is_some_and(|character| columns(character) == 2);
    let is_joined = is_wide(before.word.chars().next_back()) && is_wide(word.word.chars().next());
    if is_joined { "" } else { " " }
}

/// The columns of a character: two for those of Chinese and Japanese.
const fn columns(character: char) -> usize {
    match character {
        '\u{2E80}'..='\u{A4CF}'
        | '\u{F900}'..='\u{FAFF}'
        | '\u{FE30}'..='\u{FE4F}'
        | '\u{FF01}'..='\u{FF60}'
        | '\u{20000}'..='\u{3FFFF}' => 2,
        _ => 1,
    }
}
