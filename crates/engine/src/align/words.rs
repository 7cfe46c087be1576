//! Cuts text into the words that get times.

use crate::text::{is_space, tokenize::Tokenizer};

/// The words of a text, in order and as written; together they are the text without its blanks.
///
/// A word is what stands between blanks. Where Chinese or Japanese is among it, it is cut further:
/// Chinese as the segmenter does, runs of kana apart from other scripts. Punctuation stays with the
/// word before it, an opening bracket with the one behind it.
pub(super) fn words<'a>(text: &'a str, tokenizer: &Tokenizer) -> Vec<&'a str> {
    let mut words = Vec::new();
    for word in text.split(is_space).filter(|word| !word.is_empty()) {
        if word.chars().any(is_unspaced) {
            push_segments(word, tokenizer, &mut words);
        } else {
            words.push(word);
        }
    }
    words
}

/// What a segment is made of; two neighbours of one kind may be one word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Chinese,
    Hiragana,
    Katakana,
    /// Letters and digits of scripts with blanks.
    Spaced,
    /// Neither letter nor digit.
    Mark,
    /// A mark that belongs to what follows.
    Opening,
}

fn push_segments<'a>(text: &'a str, tokenizer: &Tokenizer, words: &mut Vec<&'a str>) {
    let mut start = 0;
    let mut end = 0;
    let mut current: Option<Kind> = None;
    for segment in tokenizer.words(text) {
        let kind = Kind::of(segment);
        if current.is_some_and(|current| !current.goes_on_with(kind)) {
            words.push(&text[start..end]);
            start = end;
            current = None;
        }
        end += segment.len();
        // Marks leave the kind of their word as it is, so that letters may follow: `e-mail`.
        current = match (current, kind) {
            (Some(current), Kind::Mark) if current != Kind::Opening => Some(current),
            (None | Some(_), kind) => Some(kind),
        };
    }
    if start < end {
        words.push(&text[start..end]);
    }
}

impl Kind {
    fn of(segment: &str) -> Self {
        let is = |test: fn(char) -> bool| segment.chars().any(test);
        if is(is_chinese) {
            Self::Chinese
        } else if is(is_hiragana) {
            Self::Hiragana
        } else if is(is_katakana) {
            Self::Katakana
        } else if is(char::is_alphanumeric) {
            Self::Spaced
        } else if is(is_opening) {
            Self::Opening
        } else {
            Self::Mark
        }
    }

    /// Whether a segment of another kind still belongs to the word.
    fn goes_on_with(self, next: Self) -> bool {
        match (self, next) {
            (Self::Opening, _) | (_, Self::Mark) => true,
            (_, Self::Opening) | (Self::Chinese, _) => false,
            (Self::Hiragana | Self::Katakana | Self::Spaced, next) => self == next,
            (Self::Mark, _) => true,
        }
    }
}

fn is_unspaced(character: char) -> bool {
    is_chinese(character) || is_hiragana(character) || is_katakana(character)
}

/// Whether the character is written in Chinese, and in Japanese for words of Chinese origin.
pub(super) const fn is_chinese(character: char) -> bool {
    matches!(
        character,
        '々' | '〇' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}'
            | '\u{20000}'..='\u{3FFFF}'
    )
}

const fn is_hiragana(character: char) -> bool {
    matches!(character, '\u{3041}'..='\u{309F}')
}

const fn is_katakana(character: char) -> bool {
    matches!(character, '\u{30A1}'..='\u{30FA}' | '\u{30FC}'..='\u{30FF}' | '\u{FF66}'..='\u{FF9D}')
}

fn is_opening(character: char) -> bool {
    matches!(
        character,
        '(' | '[' | '{' | '“' | '‘' | '«' | '（' | '【' | '《' | '〈' | '「' | '『'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::pinyin::Edition;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let words = words(text, &Tokenizer::new(Edition::default()));
        assert_eq!(words, expected);
        let joined: String = text.split_whitespace().collect();
        assert_eq!(words.concat(), joined);
    }

    #[test]
    fn blanks_separate_words() {
        check("", &[]);
        check(" \n\t", &[]);
        check("Hello,  world!\n", &["Hello,", "world!"]);
        check(
            "don't e-mail a@b.com — 1,250.50 🙂",
            &["don't", "e-mail", "a@b.com", "—", "1,250.50", "🙂"],
        );
        check(
            "naïve Übung привет 안녕 하세요",
            &["naïve", "Übung", "привет", "안녕", "하세요"],
        );
    }

    #[test]
    fn chinese_is_segmented() {
        check("我来到北京清华大学", &["我", "来到", "北京", "清华大学"]);
        check("你好，世界！再见。", &["你好，", "世界！", "再见。"]);
        check("“你好”，他说《红楼梦》", &["“你好”，", "他", "说", "《红楼梦》"]);
    }

    #[test]
    fn scripts_are_kept_apart() {
        check("我用iPhone手机", &["我用", "iPhone", "手机"]);
        check("我有e-mail和 Wi-Fi", &["我", "有", "e-mail", "和", "Wi-Fi"]);
        check("2024年", &["2024", "年"]);
        check("カメラを買う。", &["カメラ", "を", "買", "う。"]);
    }
}
