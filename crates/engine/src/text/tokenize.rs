//! Spells a text in the tokens of the network.

use std::sync::{LazyLock, OnceLock};

use jieba_rs::Jieba;

use super::pinyin::{Edition, Pinyin};

/// Turns text into tokens: characters, and syllables for Chinese.
///
/// The dictionaries for Chinese (some 100 ms, 40 MB) are loaded when a text first needs them.
#[derive(Debug)]
pub struct Tokenizer {
    edition: Edition,
    /// Segments text without Chinese exactly as `chinese` does.
    ascii: LazyLock<Jieba>,
    chinese: OnceLock<Jieba>,
    pinyin: OnceLock<Pinyin>,
}

/// All words of jieba's dictionary without a Chinese character, in its format.
const ASCII_WORDS: &str = "AT&T 3 nz\nC# 3 nz\nC++ 3 nz\nc# 3 nz\nc++ 3 nz\n";

impl Tokenizer {
    /// A tokenizer that reads Chinese as this edition of pypinyin does.
    pub fn new(edition: Edition) -> Self {
        Self {
            edition,
            ascii: LazyLock::new(|| {
                Jieba::with_dict(&mut ASCII_WORDS.as_bytes()).expect("the words are well-formed")
            }),
            chinese: OnceLock::new(),
            pinyin: OnceLock::new(),
        }
    }

    /// Loads the dictionaries for Chinese now.
    pub fn warm_up(&self) {
        self.chinese();
        self.pinyin();
    }

    /// The tokens of `text`, as `convert_char_to_pinyin` of the original gives them.
    ///
    /// A blank stands before each Chinese syllable, and before a word of ASCII that follows
    /// anything but a blank, a quote or a colon. Nothing else is changed but quotes and `;`.
    pub fn tokens(&self, text: &str) -> Vec<String> {
        let text: String = text.chars().map(replace).collect();
        let mut tokens = Vec::with_capacity(text.len());
        for word in self.words(&text) {
            let characters = word.chars().count();
            if word.len() == characters {
                push_ascii(word, &mut tokens);
            } else if word.len() == 3 * characters {
                self.push_spelled(word, &mut tokens);
            } else {
                self.push_mixed(word, &mut tokens);
            }
        }
        tokens
    }

    /// Cuts `text` into words as jieba does; they join to the text.
    pub fn words<'a>(&self, text: &'a str) -> Vec<&'a str> {
        let jieba = if text.chars().any(is_segmented) {
            self.chinese()
        } else {
            &self.ascii
        };
        jieba
            .cut(text, true)
            .into_iter()
            .map(|token| token.word)
            .collect()
    }

    /// The readings of Chinese characters.
    pub fn pinyin(&self) -> &Pinyin {
        self.pinyin.get_or_init(|| Pinyin::load(self.edition))
    }

    fn chinese(&self) -> &Jieba {
        self.chinese.get_or_init(Jieba::new)
    }

    /// A word of three bytes a character: Chinese, or a single character of another script.
    ///
    /// Two of four bytes beside one of ASCII count as well, as in the original.
    fn push_spelled(&self, word: &str, tokens: &mut Vec<String>) {
        let readings = if word.chars().any(is_spelled) {
            self.pinyin().readings(word)
        } else {
            vec![word]
        };
        for (character, reading) in word.chars().zip(readings) {
            if is_chinese(character) {
                tokens.push(" ".to_owned());
            }
            tokens.push(reading.to_owned());
        }
    }

    /// A word of characters of different lengths, such as `T恤`: each is spelled alone.
    fn push_mixed(&self, word: &str, tokens: &mut Vec<String>) {
        for character in word.chars() {
            let character_text = character.to_string();
            if is_chinese(character) {
                self.push_spelled(&character_text, tokens);
            } else {
                tokens.push(character_text);
            }
        }
    }
}

fn push_ascii(word: &str, tokens: &mut Vec<String>) {
    let needs_blank = |last: &String| !matches!(last.as_str(), " " | ":" | "'" | "\"");
    if word.len() > 1 && tokens.last().is_some_and(needs_blank) {
        tokens.push(" ".to_owned());
    }
    tokens.extend(word.chars().map(String::from));
}

const fn replace(character: char) -> char {
    match character {
        ';' => ',',
        '“' | '”' => '"',
        '‘' | '’' => '\'',
        other => other,
    }
}

/// Whether jieba looks the character up in its dictionary, ASCII aside.
const fn is_segmented(character: char) -> bool {
    matches!(
        character,
        '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}'
    )
}

/// Whether a blank goes before the character.
const fn is_chinese(character: char) -> bool {
    matches!(character, '\u{3100}'..='\u{9FFF}')
}

/// Whether the character may have a reading.
const fn is_spelled(character: char) -> bool {
    is_segmented(character) || matches!(character, '\u{3007}' | '\u{E815}'..='\u{E864}')
}
