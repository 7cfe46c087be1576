use std::sync::LazyLock;

use f5tts_engine::text::{pinyin::Edition, tokenize::Tokenizer};
use jieba_rs::Jieba;
use proptest::prelude::*;

use crate::golden::{strings, table};

static OLD: LazyLock<Tokenizer> = LazyLock::new(|| Tokenizer::new(Edition::V0_54));
static NEW: LazyLock<Tokenizer> = LazyLock::new(|| Tokenizer::new(Edition::V0_55));
static JIEBA: LazyLock<Jieba> = LazyLock::new(Jieba::new);

#[test]
fn words_and_tokens_are_those_of_the_original() {
    let goldens = table("text_frontend");
    assert_eq!(goldens["versions"]["pypinyin"], "0.55.0");
    let cases = goldens["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 101);
    for case in cases {
        let text = case["text"].as_str().unwrap();
        assert_eq!(NEW.tokens(text), strings(&case["tokens"]), "{text}");
    }
}

#[test]
fn tokens_are_those_of_the_original_with_either_edition() {
    let cases = table("pinyin_oracle");
    let cases = cases.as_array().unwrap();
    assert!(cases.len() > 4_000);
    for case in cases {
        let case = strings(case);
        let (text, old) = (case[0], case[1]);
        let new = case.get(2).unwrap_or(&old);
        assert_eq!(OLD.tokens(text).join("|"), old, "{text}");
        assert_eq!(&NEW.tokens(text).join("|"), new, "{text}");
    }
}

fn jieba_words(text: &str) -> Vec<&str> {
    JIEBA
        .cut(text, true)
        .into_iter()
        .map(|token| token.word)
        .collect()
}

#[test]
fn words_of_ascii_are_those_of_jieba() {
    // All strings of up to five of the characters that the ASCII words of the dictionary, the
    // numbers and the joints between them are made of.
    let characters = *b"ATCc&#+1-.%";
    let mut texts = vec![String::new()];
    for _ in 0..5 {
        let longer = texts.iter().flat_map(|text| {
            characters.map(|character| format!("{text}{}", char::from(character)))
        });
        texts = longer.collect();
        for text in &texts {
            assert_eq!(OLD.words(text), jieba_words(text));
        }
    }
}

#[test]
fn rare_characters_are_spelled_where_the_original_does() {
    // It takes a word for Chinese if it has three bytes a character, be it on average.
    assert_eq!(OLD.tokens("𠀀𠀀."), ["he1", "he1", "."]);
    assert_eq!(OLD.tokens("𠀀𠀀"), ["𠀀", "𠀀"]);
    // Here it fails.
    assert_eq!(OLD.tokens("𠀀𠀀##𠀀𠀀"), ["he1", "he1", "#", "#", "he1", "he1"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn words_without_chinese_are_those_of_jieba(
        text in "(AT&T|[cC](#|\\+\\+)|[\\x00-\\x7F]|[ATCc&#+\\-._%0-9]|\\r\\n|[\\u{80}-\\u{33FF}\\u{A000}-\\u{D7FF}😀]){0,40}",
    ) {
        prop_assert_eq!(OLD.words(&text), jieba_words(&text));
    }

    #[test]
    fn words_join_to_the_text(text in any::<String>()) {
        prop_assert_eq!(OLD.words(&text).concat(), text);
    }

    #[test]
    fn tokens_are_stable_and_lose_no_character(
        text in "(\\PC|[a-zA-Z' ]|[一-龥]|[א-ת]|[\\x00-\\x1F]|[😀👩\\u{200D}\\u{202E}豈𠮷]){0,60}",
    ) {
        let tokens = OLD.tokens(&text);
        prop_assert_eq!(&tokens, &OLD.tokens(&text));
        // Blanks are added; each character gives one token besides.
        let spoken = tokens.iter().filter(|token| token.as_str() != " ").count();
        prop_assert_eq!(spoken, text.chars().filter(|&c| c != ' ').count());
        // What the durations rely on.
        prop_assert!(tokens.len() <= text.len().div_ceil(2) * 3);
    }
}
