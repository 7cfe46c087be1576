use f5tts_engine::text::script::{
    MAIN_VOICE, Script, ScriptError, ScriptOptions, ScriptWarning, Tags, is_speakable,
    split_by_voice,
};
use proptest::prelude::*;

use crate::golden::table;

const CHOOSE: ScriptOptions = ScriptOptions { max_characters: 100, tags: Tags::ChooseVoice };

#[test]
fn tags_cut_as_in_the_original() {
    let cases = table("multivoice");
    for case in cases["cli"].as_array().unwrap() {
        let pieces = split_by_voice(case["text"].as_str().unwrap());
        let pieces: Vec<_> = pieces
            .iter()
            .map(|piece| (piece.voice.as_deref().unwrap_or(MAIN_VOICE), piece.text.as_str()))
            .collect();
        let expected: Vec<_> = case["parts"].as_array().unwrap().iter().collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|p| (p[0].as_str().unwrap(), p[1].as_str().unwrap()))
            .collect();
        assert_eq!(pieces, expected, "{case}");
    }
}

#[test]
fn pieces_without_words_are_left_out_with_a_warning() {
    let script = Script::parse("[anna] [bob] Hi! [carl] …", CHOOSE).unwrap();
    let pieces: Vec<_> = script
        .pieces()
        .iter()
        .map(|p| (p.voice.as_deref(), p.text.as_str()))
        .collect();
    assert_eq!(pieces, [(Some("bob"), "Hi!")]);
    let silent = |voice: &str| ScriptWarning::SilentPiece { voice: voice.to_owned() };
    assert_eq!(script.warnings(), [silent("anna"), silent("carl")]);
}

#[test]
fn every_voice_is_named_once() {
    let script =
        Script::parse("Hi! [bob] One. [anna] Two. [bob] Three. [你好] Four.", CHOOSE).unwrap();
    assert_eq!(script.voices(), [None, Some("bob"), Some("anna"), Some("你好")]);
}

#[test]
fn without_tags_brackets_are_text() {
    let script = Script::parse(" [anna] Hi ", ScriptOptions::default()).unwrap();
    assert_eq!(script.pieces()[0].voice, None);
    assert_eq!(script.pieces()[0].text, "[anna] Hi");
}

#[test]
fn what_cannot_be_spoken_is_refused() {
    let parse = |text: &str| Script::parse(text, CHOOSE).unwrap_err();
    assert_eq!(parse(""), ScriptError::Empty);
    assert_eq!(parse(" \n\u{3000}\0"), ScriptError::Empty);
    assert_eq!(parse("😀 … ?!"), ScriptError::NothingToSpeak);
    assert_eq!(parse("[anna]"), ScriptError::NothingToSpeak);
    assert_eq!(
        parse(&"語".repeat(101)),
        ScriptError::TooLong { characters: 101, max_characters: 100 }
    );
    assert!(Script::parse(&"語".repeat(100), CHOOSE).is_ok());
}

#[test]
fn control_characters_are_removed_but_not_line_ends() {
    let script = Script::parse("a\0b\u{7f}\nc\u{9f}\t.", ScriptOptions::default()).unwrap();
    assert_eq!(script.pieces()[0].text, "ab\nc\t.");
    assert_eq!(script.warnings(), [ScriptWarning::ControlCharacters { count: 3 }]);
}

proptest! {
    #[test]
    fn any_text_is_cut_without_loss(text in "[\\[\\]a_语 .\u{5D0}😀\\PC]{0,60}") {
        let pieces = split_by_voice(&text);
        let mut joined = String::new();
        for piece in &pieces {
            if let Some(voice) = &piece.voice {
                joined.push_str(&format!("[{voice}]"));
            }
            joined.push_str(&piece.text);
        }
        let dense = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
        prop_assert_eq!(dense(&joined), dense(&text));
    }

    #[test]
    fn every_piece_of_a_script_can_be_spoken(text in any::<String>()) {
        if let Ok(script) = Script::parse(&text, CHOOSE) {
            prop_assert!(!script.pieces().is_empty());
            prop_assert!(script.pieces().iter().all(|piece| is_speakable(&piece.text)));
        }
    }
}
