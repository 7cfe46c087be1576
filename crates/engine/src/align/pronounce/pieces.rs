//! Cuts a written word where its way of being read changes: letters, numbers, signs.

use super::symbols;

/// Part of a written word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Letters, with apostrophes between or after them.
    Letters(&'a str),
    /// Digits, and what belongs to them.
    Number(Number<'a>),
    /// Any other sign that may be read.
    Sign(char),
}

/// A number as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number<'a> {
    /// Digits before the point, perhaps with commas between.
    pub(super) whole: &'a str,
    /// Digits behind the point.
    pub(super) fraction: &'a str,
    /// `st`, `nd`, `rd`, `th`, `s`, or nothing.
    pub(super) ending: &'a str,
}

/// Cuts a word into pieces; punctuation around it is left out.
pub(super) fn pieces(word: &str) -> Vec<Piece<'_>> {
    let word = bare(word);
    let mut pieces = Vec::new();
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let length = if first.is_ascii_digit() {
            let (number, length) = number(rest);
            pieces.push(Piece::Number(number));
            length
        } else if is_letter(first) {
            let length = rest
                .find(|letter| !is_letter(letter) && letter != '\'')
                .unwrap_or(rest.len());
            pieces.push(Piece::Letters(&rest[..length]));
            length
        } else {
            pieces.extend(symbols::sign(first).map(|_| Piece::Sign(first)));
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    pieces
}

fn is_letter(character: char) -> bool {
    character.is_alphabetic()
        || unicode_normalization::char::is_combining_mark(character)
        || character.is_numeric() && !character.is_ascii() && !symbols::is_read_as_it_is(character)
}

/// Takes away what is not read at the edges of a word.
fn bare(word: &str) -> &str {
    let is_read = |character: char| character.is_alphanumeric();
    let Some(first) = word.find(is_read) else {
        // A sign that stands alone is read, a dash is not.
        let only = word.trim_matches(|sign| !"@&%+=#$€£×÷½¼¾".contains(sign));
        return only;
    };
    let before = word[..first]
        .chars()
        .rev()
        .take_while(|sign| "$€£¥₹#@+-−~&".contains(*sign));
    let start = first - before.map(char::len_utf8).sum::<usize>();
    let end = word.rfind(is_read).map_or(word.len(), |last| {
        let behind = &word[last..];
        let letter = behind.chars().next().map_or(0, char::len_utf8);
        let signs = behind[letter..]
            .chars()
            .take_while(|sign| "%°+$€£'#".contains(*sign));
        last + letter + signs.map(char::len_utf8).sum::<usize>()
    });
    &word[start..end]
}

/// The number at the beginning of a text, and its length in bytes.
fn number(text: &str) -> (Number<'_>, usize) {
    let mut whole = digits(text, 0);
    while text[whole..].starts_with(',') && digits(text, whole + 1) == whole + 4 {
        whole += 4;
    }
    let mut end = whole;
    if text[whole..].starts_with('.') {
        end = digits(text, whole + 1);
        // Neither 1.2.3 nor a full stop.
        if end == whole + 1 || text[end..].starts_with('.') {
            end = whole;
        }
    }
    let fraction = if end > whole {
        &text[whole + 1..end]
    } else {
        ""
    };
    let letters = text[end..]
        .find(|letter: char| !letter.is_alphabetic())
        .map_or(text.len(), |at| end + at);
    let ending = text[end..letters].to_ascii_lowercase();
    let is_ending = fraction.is_empty() && ["st", "nd", "rd", "th", "s"].contains(&ending.as_str());
    let length = if is_ending { letters } else { end };
    (Number { whole: &text[..whole], fraction, ending: &text[end..length] }, length)
}

/// Where the digits from `start` on end.
fn digits(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes().get(start..).unwrap_or_default();
    start
        + bytes
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count()
}
