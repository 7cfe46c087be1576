use f5tts_engine::text::chunk::{chunk_text, chunk_text_within};
use proptest::prelude::*;

use crate::golden::{strings, table};

#[test]
fn chunks_are_those_of_the_original() {
    let cases = table("chunk_text");
    let cases = cases.as_array().unwrap();
    assert!(cases.len() >= 42);
    for case in cases {
        let chunks =
            chunk_text(case["text"].as_str().unwrap(), case["max_chars"].as_i64().unwrap());
        assert_eq!(chunks, strings(&case["chunks"]), "{case}");
    }
}

#[test]
fn a_long_sentence_is_cut_between_clauses() {
    let text = "one two three (four five six) seven eight nine ten";
    let chunks = chunk_text_within(text, 100, 34);
    let texts: Vec<_> = chunks.iter().map(|chunk| chunk.text.as_str()).collect();
    assert_eq!(texts, ["one two three (four five six)", "seven eight nine ten"]);
    assert!(!chunks[0].continues && chunks[1].continues);
}

#[test]
fn a_sentence_without_clauses_is_cut_between_words_about_in_the_middle() {
    let chunks = chunk_text_within("aaaa bbbb cccc dddd eeee", 100, 20);
    let texts: Vec<_> = chunks.iter().map(|chunk| chunk.text.as_str()).collect();
    assert_eq!(texts, ["aaaa bbbb", "cccc dddd eeee"]);
}

#[test]
fn a_clause_at_the_very_beginning_is_no_place_to_cut() {
    let chunks = chunk_text_within("So — aaaa bbbb cccc dddd eeee", 100, 20);
    let texts: Vec<_> = chunks.iter().map(|chunk| chunk.text.as_str()).collect();
    assert_eq!(texts, ["So — aaaa bbbb", "cccc dddd eeee"]);
}

#[test]
fn numbers_are_not_cut() {
    let chunks = chunk_text_within("it costs 1,000,000.50 in all", 100, 24);
    let texts: Vec<_> = chunks.iter().map(|chunk| chunk.text.as_str()).collect();
    assert_eq!(texts, ["it costs", "1,000,000.50 in all"]);
}

#[test]
fn megabytes_without_a_blank_are_cut_between_characters() {
    let text = "語".repeat(1_400_000);
    let chunks = chunk_text_within(&text, 500, 500);
    assert!(chunks.iter().all(|chunk| chunk.text.len() <= 500));
    assert_eq!(chunks.iter().map(|chunk| chunk.text.len()).sum::<usize>(), text.len());
}

/// The same without white space, which is all that cutting may lose.
fn dense(text: &str) -> String {
    let is_space = |c: &char| c.is_whitespace() || ('\x1C'..='\x1F').contains(c);
    text.chars().filter(|c| !is_space(c)).collect()
}

/// Any characters, and more often those that matter here.
fn texts() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        any::<char>(),
        prop::sample::select(
            "a 。,.!?：；\n\t\u{3000}\x1C—、é語👩\u{200D}\u{5D0}1"
                .chars()
                .collect::<Vec<_>>()
        ),
    ];
    prop::collection::vec(character, 0..200).prop_map(String::from_iter)
}

proptest! {
    #[test]
    fn chunks_join_to_the_text(text in texts(), max_bytes in -5_i64..200) {
        prop_assert_eq!(dense(&chunk_text(&text, max_bytes).concat()), dense(&text));
    }

    #[test]
    fn limited_chunks_join_to_the_text_and_keep_the_limit(
        text in texts(), max_bytes in -5_i64..200, limit in 4_usize..100,
    ) {
        let chunks = chunk_text_within(&text, max_bytes, limit);
        let joined: String = chunks.iter().map(|chunk| chunk.text.as_str()).collect();
        prop_assert_eq!(dense(&joined), dense(&text));
        for chunk in &chunks {
            prop_assert!(!chunk.text.is_empty() && chunk.text.len() <= limit);
        }
    }

    #[test]
    fn a_limit_that_does_not_bind_changes_nothing(text in texts(), max_bytes in -5_i64..200) {
        let chunks = chunk_text_within(&text, max_bytes, 10_000);
        let chunks: Vec<_> = chunks.into_iter().map(|chunk| chunk.text).collect();
        let mut expected = chunk_text(&text, max_bytes);
        expected.retain(|chunk| !chunk.is_empty());
        prop_assert_eq!(chunks, expected);
    }
}
