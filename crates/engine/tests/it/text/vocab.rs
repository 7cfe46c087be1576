use f5tts_engine::text::{
    pinyin::Edition,
    tokenize::Tokenizer,
    vocab::{Vocab, VocabError, VocabWarning},
};
use f5tts_testkit::Golden;
use proptest::prelude::*;

use crate::golden::{strings, table};

fn published() -> String {
    Golden::text("tables/vocab.txt")
}

#[test]
fn ids_are_those_of_the_original() {
    let vocab = Vocab::parse(published().as_bytes()).unwrap();
    assert_eq!((vocab.size(), vocab.warnings()), (2545, [].as_slice()));
    assert!(vocab.check_rows(2546).is_ok());
    assert_eq!(vocab.check_rows(2545), Err(VocabError::TooFewRows { needed: 2546, rows: 2545 }));
    for case in table("text_frontend")["cases"].as_array().unwrap() {
        let ids: Vec<u32> = serde_json::from_value(case["ids"].clone()).unwrap();
        assert_eq!(vocab.ids(&strings(&case["tokens"])), ids, "{case}");
    }
}

#[test]
fn lines_may_end_in_crlf() {
    let lf = Vocab::parse(published().as_bytes()).unwrap();
    let crlf = Vocab::parse(published().replace('\n', "\r\n").as_bytes()).unwrap();
    let tokens: Vec<_> = published().lines().map(str::to_owned).collect();
    assert_eq!(crlf.ids(&tokens), lf.ids(&tokens));
    assert_eq!(lf.ids(&tokens), (0..2545).collect::<Vec<_>>());
}

#[test]
fn the_older_edition_reads_frequent_words_with_known_syllables() {
    let vocab = Vocab::parse(published().as_bytes()).unwrap();
    let unknown = |edition| {
        let tokens = Tokenizer::new(edition).tokens("这个人用 ^ 说那个字。");
        vocab
            .unknown(&tokens)
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(unknown(Edition::V0_54), ["^"]);
    assert_eq!(unknown(Edition::V0_55), ["ge", "^"]);
}

#[test]
fn a_later_duplicate_wins_and_is_reported() {
    let vocab = Vocab::parse(b" \na\nb\na\n").unwrap();
    assert_eq!(vocab.ids(&["a", "b", "c", " "]), [3, 2, 0, 0]);
    assert_eq!(vocab.size(), 3);
    let duplicate = VocabWarning::Duplicate { token: "a".to_owned(), line: 4, first: 2 };
    assert_eq!(vocab.warnings(), [duplicate]);
    assert_eq!(vocab.check_rows(4), Err(VocabError::TooFewRows { needed: 5, rows: 4 }));
}

#[test]
fn oddities_are_reported() {
    let warnings = |text: &str| Vocab::parse(text.as_bytes()).unwrap().warnings().to_vec();
    assert_eq!(warnings(" \n\nb\n"), [VocabWarning::EmptyLine { line: 2 }]);
    assert_eq!(warnings("a\n \n"), [VocabWarning::FirstIsNotBlank { token: "a".to_owned() }]);
    let without_end = Vocab::parse(" \na\nbc".as_bytes()).unwrap();
    assert_eq!(without_end.warnings(), [VocabWarning::NoLastLineEnd { token: "b".to_owned() }]);
    assert_eq!(without_end.ids(&["b", "bc"]), [2, 0]);
}

#[test]
fn what_is_no_vocabulary_is_refused() {
    assert_eq!(Vocab::parse(b"").unwrap_err(), VocabError::Empty);
    assert!(matches!(
        Vocab::parse(b" \n\xFF\n"),
        Err(VocabError::NotUtf8 { valid_bytes: 2, .. })
    ));
    let many = "a\n".repeat((1 << 20) + 1);
    assert!(matches!(
        Vocab::parse(many.as_bytes()),
        Err(VocabError::TooMany { tokens: 1_048_577 })
    ));
    assert!(matches!(
        Vocab::parse(&vec![b'a'; (16 << 20) + 1]),
        Err(VocabError::TooLarge { .. })
    ));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(vocab) = Vocab::parse(&bytes) {
            prop_assert!(vocab.size() >= 1);
            prop_assert!(vocab.check_rows(bytes.len() + 2).is_ok());
        }
    }
}
