//! From words as written to the sounds that they may stand for.
//!
//! No dictionary: rules offer several readings of every letter, and the audio decides.

mod chinese;
mod numbers;
mod pieces;
mod rules;
mod symbols;

use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;

use self::{
    pieces::{Number, Piece, pieces},
    rules::Rules,
};
use super::{lattice::Sound, words::is_chinese};
use crate::text::tokenize::Tokenizer;

/// How a word may sound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pronunciation {
    /// In order; empty for a word without sound.
    pub(super) sounds: Vec<Sound>,
    /// Whether rules know all of its letters and numbers.
    pub(super) is_known: bool,
}

/// How letters of the Latin alphabet are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    /// As in English.
    English,
    /// As in any other European language.
    European,
}

/// How the characters that China and Japan share are read, and numbers beside them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Characters {
    None,
    Chinese,
    /// The rules know how kana are read, not how characters are.
    Japanese,
}

/// Reads the words of one text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    tokenizer: &'a Tokenizer,
    spelling: Spelling,
    characters: Characters,
}

impl<'a> Reader<'a> {
    /// A reader for these words. They tell which of the languages with characters they are in.
    pub(super) fn new(words: &[&str], spelling: Spelling, tokenizer: &'a Tokenizer) -> Self {
        let has = |test: fn(char) -> bool| words.iter().any(|word| word.chars().any(test));
        let characters = if has(is_kana) {
            Characters::Japanese
        } else if has(is_chinese) {
            Characters::Chinese
        } else {
            Characters::None
        };
        Self { tokenizer, spelling, characters }
    }

    /// How a word may sound, punctuation and all.
    pub(super) fn pronounce(self, word: &str) -> Pronunciation {
        let word = folded(word);
        let pieces = pieces(&word);
        let mut speaker = Speaker { reader: self, is_known: true };
        let mut sounds = match abbreviation(&word) {
            Some(words) => {
                let mut alternatives: Vec<_> = words.iter().map(|words| say(words)).collect();
                alternatives.push(speaker.pieces(&pieces));
                vec![Sound::Choice(alternatives)]
            }
            None => speaker.pieces(&pieces),
        };
        forbid_silence(&mut sounds);
        Pronunciation { sounds, is_known: speaker.is_known }
    }
}

/// Takes away the choice of saying nothing where it would make the whole word silent.
fn forbid_silence(sounds: &mut Vec<Sound>) {
    fn may_be_silent(sounds: &[Sound]) -> bool {
        sounds.iter().all(|sound| match sound {
            Sound::Phone(_) | Sound::Any => false,
            Sound::Pause => true,
            Sound::Choice(alternatives) => alternatives.iter().any(|sounds| may_be_silent(sounds)),
        })
    }
    if !may_be_silent(sounds) {
        return;
    }
    for sound in &mut *sounds {
        if let Sound::Choice(alternatives) = sound {
            alternatives.iter_mut().for_each(forbid_silence);
            alternatives.retain(|alternative| !alternative.is_empty());
        }
    }
    sounds.retain(|sound| !matches!(sound, Sound::Pause) && *sound != Sound::Choice(Vec::new()));
}

/// Longer runs of letters and digits have more readings than anybody speaks.
const MOST_LETTERS_SPELLED: usize = 6;

/// Reads English words, with alternatives behind `|`, of which `-` is saying nothing.
fn say(words: &str) -> Vec<Sound> {
    let alternatives: Vec<Vec<Sound>> = words
        .split('|')
        .map(|phrase| match phrase {
            "-" => Vec::new(),
            phrase => joined(phrase.split(' ').map(|word| ENGLISH.read(word))),
        })
        .collect();
    match <[_; 1]>::try_from(alternatives) {
        Ok([only]) => only,
        Err(alternatives) => vec![Sound::Choice(alternatives)],
    }
}

/// The same, or nothing.
fn optional(words: &str) -> Vec<Sound> {
    say(&format!("{words}|-"))
}

/// Puts what may be a pause between parts.
fn joined(parts: impl IntoIterator<Item = Vec<Sound>>) -> Vec<Sound> {
    let mut all = Vec::new();
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        if !all.is_empty() {
            all.push(Sound::Pause);
        }
        all.extend(part);
    }
    all
}

fn abbreviation(word: &str) -> Option<&'static [&'static str]> {
    let bare = word
        .trim_matches(|letter: char| !letter.is_alphanumeric())
        .to_lowercase();
    symbols::abbreviation(&bare)
}

/// A word in plain characters, but for signs that are read in their own way; without what only
/// points elsewhere or is never read.
fn folded(word: &str) -> String {
    let read: String = word
        .chars()
        .filter(|&sign| !symbols::is_silent(sign))
        .collect();
    let parts = read.split_inclusive(symbols::is_read_as_it_is);
    let folded = parts.flat_map(|part| {
        let sign = part
            .chars()
            .next_back()
            .filter(|&sign| symbols::is_read_as_it_is(sign));
        let letters = &part[..part.len() - sign.map_or(0, char::len_utf8)];
        letters.nfkc().chain(sign)
    });
    folded.map(plain).collect()
}

/// Apostrophes and hyphens have several forms.
fn plain(character: char) -> char {
    match character {
        '’' | '‘' | 'ʼ' | '`' | '´' => '\'',
        '‐' | '‑' => '-',
        other => other,
    }
}

struct Speaker<'a> {
    reader: Reader<'a>,
    is_known: bool,
}

impl Speaker<'_> {
    fn pieces(&mut self, pieces: &[Piece<'_>]) -> Vec<Sound> {
        let mut parts = Vec::new();
        let mut at = 0;
        // "$5M" is five million dollars.
        let mut owed = None;
        while at < pieces.len() {
            if let (Piece::Sign(sign), Some(Piece::Number(number))) =
                (pieces[at], pieces.get(at + 1))
                && let Some(currency) = symbols::currency(sign)
            {
                parts.push(self.money(*number, currency));
                owed = Some(currency);
                at += 2;
                continue;
            }
            parts.push(match pieces[at] {
                Piece::Sign(sign) => symbols::sign(sign).map(say).unwrap_or_default(),
                Piece::Number(number) => self.number(number),
                Piece::Letters(letters) => {
                    let is_unit = at > 0 || matches!(pieces.get(at + 1), Some(Piece::Sign('/')));
                    self.letters(letters, is_unit)
                }
            });
            at += 1;
            parts.extend(owed.take().map(|(whole, _)| optional(whole)));
        }
        joined(parts)
    }

    /// An amount, whose currency may also be said later or not at all: "$5 million", "$2.50".
    fn money(&mut self, number: Number<'_>, (whole, hundredths): (&str, &str)) -> Vec<Sound> {
        let mut spoken = vec![self.number(number)];
        if number.fraction.is_empty() {
            spoken.push(optional(whole));
            return joined(spoken);
        }
        let split = joined([
            self.number(Number { fraction: "", ..number }),
            optional(whole),
            say("and|-"),
            choice(&numbers::readings(number.fraction)),
            optional(hundredths),
        ]);
        spoken.push(optional(whole));
        vec![Sound::Choice(vec![split, joined(spoken)])]
    }

    fn number(&mut self, number: Number<'_>) -> Vec<Sound> {
        match (self.reader.characters, self.reader.spelling) {
            (Characters::Japanese, _) | (Characters::None, Spelling::European) => {
                self.unknown_number(number)
            }
            (Characters::Chinese, _) => {
                vec![Sound::Choice(vec![
                    chinese_number(number),
                    english_number(number),
                ])]
            }
            (Characters::None, Spelling::English) => english_number(number),
        }
    }

    /// A number in a language whose numerals the rules do not have: two sounds a digit or more.
    fn unknown_number(&mut self, number: Number<'_>) -> Vec<Sound> {
        self.is_known = false;
        let digits = number
            .whole
            .chars()
            .chain(number.fraction.chars())
            .filter(char::is_ascii_digit);
        digits.flat_map(|_| [Sound::Any, Sound::Any]).collect()
    }

    fn letters(&mut self, letters: &str, may_be_unit: bool) -> Vec<Sound> {
        let lower = letters.to_lowercase();
        let mut alternatives = Vec::new();
        let has_vowel = lower
            .chars()
            .any(|letter| !letter.is_ascii() || "aeiouy".contains(letter));
        if may_be_unit || !has_vowel {
            let units = symbols::unit(&lower).unwrap_or_default();
            alternatives.extend(units.iter().map(|words| say(words)));
        }
        let count = lower.chars().count();
        let is_upper = !letters.chars().any(char::is_lowercase);
        if count == 1 || count <= MOST_LETTERS_SPELLED && (is_upper || !has_vowel) {
            alternatives.extend(spelled(&lower));
        }
        alternatives.push(self.word(&lower));
        alternatives.retain(|alternative| !alternative.is_empty());
        match <[_; 1]>::try_from(alternatives) {
            Ok([only]) => only,
            Err(alternatives) if alternatives.is_empty() => Vec::new(),
            Err(alternatives) => vec![Sound::Choice(alternatives)],
        }
    }

    /// Letters of one word, each read by the rules of its script.
    fn word(&mut self, word: &str) -> Vec<Sound> {
        let latin = match self.reader.spelling {
            Spelling::English if word.chars().all(|letter| ENGLISH.know(letter)) => &ENGLISH,
            Spelling::English | Spelling::European => &LATIN,
        };
        let scripts = [latin, &CYRILLIC, &GREEK, &KANA];
        let mut sounds = Vec::new();
        let mut rest = word;
        while let Some(first) = rest.chars().next() {
            if is_chinese(first) {
                let end = rest
                    .find(|letter| !is_chinese(letter))
                    .unwrap_or(rest.len());
                sounds.extend(self.characters(&rest[..end]));
                rest = &rest[end..];
                continue;
            }
            let rules = scripts.iter().find(|rules| rules.know(first));
            let knows = |letter: char| rules.is_some_and(|rules| rules.know(letter));
            let end = rest.find(|letter| !knows(letter)).unwrap_or(rest.len());
            match rules {
                Some(rules) => {
                    sounds.extend(rules.read(&rest[..end]));
                    rest = &rest[end..];
                }
                None => {
                    sounds.extend(self.foreign(first));
                    rest = &rest[first.len_utf8()..];
                }
            }
        }
        sounds
    }

    fn characters(&mut self, word: &str) -> Vec<Sound> {
        if self.reader.characters == Characters::Japanese {
            self.is_known = false;
            return word
                .chars()
                .flat_map(|_| [Sound::Any, Sound::Any])
                .collect();
        }
        let readings = self.reader.tokenizer.pinyin().readings(word);
        let syllables = readings.into_iter().flat_map(|reading| {
            let syllable = reading.trim_end_matches(|tone: char| tone.is_ascii_digit());
            let is_syllable = !syllable.is_empty() && syllable.is_ascii();
            self.is_known &= is_syllable;
            if is_syllable {
                PINYIN.read(syllable)
            } else {
                vec![Sound::Any, Sound::Any]
            }
        });
        syllables.collect()
    }

    /// A letter that no rules know as it is: taken apart if it can be, else any sound.
    fn foreign(&mut self, letter: char) -> Vec<Sound> {
        if let Some(kana) = hiragana(letter) {
            return KANA.read(&kana.to_string());
        }
        let parts: String = letter.nfd().collect();
        let known = [&HANGUL, &LATIN, &CYRILLIC, &GREEK]
            .into_iter()
            .find(|rules| parts.chars().any(|part| rules.know(part)));
        match known {
            Some(rules) => {
                let letters: String = parts.chars().filter(|&part| rules.know(part)).collect();
                rules.read(&letters)
            }
            None if unicode_normalization::char::is_combining_mark(letter) => Vec::new(),
            None => {
                self.is_known = false;
                vec![Sound::Any]
            }
        }
    }
}

fn english_number(number: Number<'_>) -> Vec<Sound> {
    let digits: String = number.whole.chars().filter(char::is_ascii_digit).collect();
    let whole = match number.ending.to_ascii_lowercase().as_str() {
        "" => numbers::readings(&digits),
        "s" => numbers::plural_readings(&digits),
        _ => numbers::ordinal_readings(&digits),
    };
    let mut parts = vec![choice(&whole)];
    if !number.fraction.is_empty() {
        parts.push(say("point|dot"));
        parts.push(choice(&numbers::fraction_readings(number.fraction)));
    }
    joined(parts)
}

fn chinese_number(number: Number<'_>) -> Vec<Sound> {
    let digits: String = number.whole.chars().filter(char::is_ascii_digit).collect();
    let readings = chinese::readings(&digits);
    let mut sounds = vec![Sound::Choice(
        readings.iter().map(|reading| syllables(reading)).collect(),
    )];
    if !number.fraction.is_empty() {
        sounds.extend(syllables(&["dian"]));
        sounds.extend(syllables(&chinese::one_by_one(number.fraction)));
    }
    sounds
}

/// Syllables of pinyin, with alternatives behind `|`, of which `-` is saying nothing.
fn syllables(syllables: &[&str]) -> Vec<Sound> {
    let read = |syllable: &str| {
        if syllable == "-" {
            Vec::new()
        } else {
            PINYIN.read(syllable)
        }
    };
    let sounds = syllables
        .iter()
        .map(|syllable| Sound::Choice(syllable.split('|').map(read).collect()));
    sounds.collect()
}

fn choice(phrases: &[numbers::Phrase]) -> Vec<Sound> {
    let alternatives: Vec<_> = phrases
        .iter()
        .map(|phrase| joined(phrase.iter().map(|word| say(word))))
        .collect();
    if alternatives.is_empty() {
        return Vec::new();
    }
    vec![Sound::Choice(alternatives)]
}

/// The names of letters, if all have one.
fn spelled(letters: &str) -> Option<Vec<Sound>> {
    let letters = letters.chars().filter(|&letter| letter != '\'');
    let names: Option<Vec<_>> = letters
        .map(|letter| {
            LETTER_NAMES
                .know(letter)
                .then(|| LETTER_NAMES.read(&letter.to_string()))
        })
        .collect();
    names.map(|names| names.concat())
}

fn is_kana(character: char) -> bool {
    matches!(character, '\u{3041}'..='\u{3096}' | '\u{30A1}'..='\u{30FA}' | '\u{FF66}'..='\u{FF9D}')
}

fn hiragana(katakana: char) -> Option<char> {
    let is_katakana = ('ァ'..='ヶ').contains(&katakana);
    let code = u32::from(katakana)
        .checked_sub(0x60)
        .filter(|_| is_katakana)?;
    char::from_u32(code)
}

static ENGLISH: LazyLock<Rules> = LazyLock::new(|| embedded(include_str!("english.rules")));
static LATIN: LazyLock<Rules> = LazyLock::new(|| embedded(include_str!("latin.rules")));
static CYRILLIC: LazyLock<Rules> = LazyLock::new(|| embedded(include_str!("cyrillic.rules")));
static GREEK: LazyLock<Rules> = LazyLock::new(|| embedded(include_str!("greek.rules")));
static KANA: LazyLock<Rules> = LazyLock::new(|| embedded(include_str!("kana.rules")));
static HANGUL: LazyLock<Rules> = LazyLock::new(|| embedded(include_str!("hangul.rules")));
static PINYIN: LazyLock<Rules> = LazyLock::new(|| embedded(include_str!("pinyin.rules")));
static LETTER_NAMES: LazyLock<Rules> =
    LazyLock::new(|| embedded(include_str!("letter_names.rules")));

fn embedded(rules: &str) -> Rules {
    Rules::parse(rules).expect("a test reads every embedded table")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::pinyin::Edition;

    fn read(word: &str) -> Vec<Sound> {
        let tokenizer = Tokenizer::new(Edition::V0_55);
        Reader::new(&[word], Spelling::English, &tokenizer)
            .pronounce(word)
            .sounds
    }

    #[test]
    fn powers_fractions_and_footnotes_are_no_digits() {
        assert_eq!(read("10²"), joined([read("10"), optional("squared")]));
        assert_eq!(read("2½"), joined([read("2"), read("½")]));
        assert_eq!(read("½"), say("half|and a half|one half"));
        assert_eq!(read("word¹"), read("word"));
        assert_eq!(read("Acme™,"), read("Acme"));
        assert_eq!(read("ﬁne"), read("fine"));
    }

    #[test]
    fn a_currency_may_be_said_later_or_not_at_all() {
        let dollars = optional("dollars|dollar");
        assert_eq!(read("$5"), joined([read("5"), dollars.clone()]));
        let millions = read("$5M");
        assert!(millions.starts_with(&read("$5")), "{millions:?}");
        assert!(millions.ends_with(&dollars), "{millions:?}");
        assert_eq!(
            read("$5")
                .iter()
                .filter(|sound| **sound == dollars[0])
                .count(),
            1
        );
    }
}
