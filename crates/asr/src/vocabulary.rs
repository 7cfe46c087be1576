//! What each token stands for.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

/// The bytes of every token of a byte-level vocabulary (BPE of GPT-2, as Whisper has it).
///
/// Only decoding is needed, so neither merges nor rules for splitting are read.
#[derive(Clone, Debug, Default)]
pub struct Vocabulary {
    tokens: HashMap<u32, Vec<u8>>,
    /// Marks that are no text: languages, tasks, times.
    marks: HashMap<u32, String>,
}

/// The parts of `tokenizer.json` that decoding needs.
#[derive(Deserialize)]
pub(crate) struct Tokenizer {
    model: Model,
    #[serde(default)]
    added_tokens: Vec<AddedToken>,
}

#[derive(Deserialize)]
struct Model {
    vocab: HashMap<String, u32>,
}

#[derive(Deserialize)]
struct AddedToken {
    id: u32,
    content: String,
}

impl From<Tokenizer> for Vocabulary {
    fn from(tokenizer: Tokenizer) -> Self {
        let marks: HashMap<u32, String> = tokenizer
            .added_tokens
            .into_iter()
            .map(|token| (token.id, token.content))
            .collect();
        let bytes = bytes_of_characters();
        let tokens = tokenizer
            .model
            .vocab
            .into_iter()
            .filter(|(_, id)| !marks.contains_key(id));
        let tokens = tokens
            .map(|(characters, id)| (id, spelled(&characters, &bytes)))
            .collect();
        Self { tokens, marks }
    }
}

impl Vocabulary {
    /// The text of tokens; marks are left out, and bytes that are no UTF-8 become `U+FFFD`.
    pub fn text(&self, tokens: &[u32]) -> String {
        let bytes: Vec<u8> = tokens
            .iter()
            .filter_map(|token| self.tokens.get(token))
            .flatten()
            .copied()
            .collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Marks of languages by their codes: two or three small letters.
    pub(crate) fn languages(&self) -> BTreeMap<String, u32> {
        let code = |mark: &str| {
            let code = mark.strip_prefix("<|")?.strip_suffix("|>")?;
            let is_code =
                matches!(code.len(), 2 | 3) && code.bytes().all(|byte| byte.is_ascii_lowercase());
            is_code.then(|| code.to_owned())
        };
        self.marks
            .iter()
            .filter_map(|(&id, mark)| Some((code(mark)?, id)))
            .collect()
    }

    /// The number of the first mark of these names that there is.
    pub(crate) fn mark(&self, names: &[&str]) -> Option<u32> {
        let found = |name: &&str| {
            self.marks
                .iter()
                .find(|(_, mark)| mark == name)
                .map(|(&id, _)| id)
        };
        names.iter().find_map(found)
    }
}

fn spelled(characters: &str, bytes: &HashMap<char, u8>) -> Vec<u8> {
    let mut spelled = Vec::with_capacity(characters.len());
    for character in characters.chars() {
        match bytes.get(&character) {
            Some(&byte) => spelled.push(byte),
            None => spelled.extend(character.to_string().bytes()),
        }
    }
    spelled
}

/// GPT-2's spelling: visible bytes of Latin-1 are themselves, the others the characters from `U+0100` on.
///
/// <https://github.com/openai/gpt-2/blob/master/src/encoder.py> (`bytes_to_unicode`)
fn bytes_of_characters() -> HashMap<char, u8> {
    let visible = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let hidden = (0..=u8::MAX).filter(|byte| !visible(byte));
    let invented = ('\u{100}'..).zip(hidden);
    (0..=u8::MAX)
        .filter(visible)
        .map(|byte| (char::from(byte), byte))
        .chain(invented)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn vocabulary(json: &str) -> Vocabulary {
        serde_json::from_str::<Tokenizer>(json).unwrap().into()
    }

    #[test]
    fn bytes_have_gpt2s_spelling() {
        let bytes = bytes_of_characters();
        assert_eq!(bytes.len(), 256);
        assert_eq!((bytes[&'Ġ'], bytes[&'Ċ'], bytes[&'ł']), (b' ', b'\n', 0xA0));
    }

    #[test]
    fn marks_are_no_text() {
        let vocabulary = vocabulary(
            r#"{"model": {"vocab": {"Hello": 0, "Ġthere": 1, "Ã": 2, "¼": 3, "<|en|>": 4}},
                "added_tokens": [{"id": 4, "content": "<|en|>"}, {"id": 5, "content": "<|0.00|>"}]}"#,
        );
        assert_eq!(vocabulary.text(&[4, 0, 1, 2, 3, 5, 99]), "Hello there\u{fc}");
        assert_eq!(vocabulary.text(&[2]), "\u{fffd}");
        assert_eq!(vocabulary.languages(), BTreeMap::from([("en".to_owned(), 4)]));
        assert_eq!(vocabulary.mark(&["<|nospeech|>", "<|en|>"]), Some(4));
    }

    proptest! {
        #[test]
        fn any_json_is_read_or_refused(text in "\\PC{0,200}", tokens in prop::collection::vec(any::<u32>(), 0..50)) {
            let json = serde_json::json!({"model": {"vocab": {text.clone(): 7}}, "added_tokens": []});
            let vocabulary: Vocabulary = serde_json::from_value::<Tokenizer>(json).unwrap().into();
            let said = vocabulary.text(&tokens);
            prop_assert!(said.is_empty() || tokens.contains(&7));
            prop_assert!(serde_json::from_str::<Tokenizer>(&text).is_err());
        }
    }
}
