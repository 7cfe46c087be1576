use f5tts_engine::text::reference::ReferenceText;

use crate::golden::table;

#[test]
fn transcripts_end_as_in_the_original() {
    let cases = table("ref_text");
    for case in cases.as_array().unwrap() {
        let text = ReferenceText::new(case["ref_text"].as_str().unwrap()).unwrap();
        assert_eq!(text.as_str(), case["after_preprocess"].as_str().unwrap());
        assert_eq!(text.prompt(), case["in_batch"].as_str().unwrap());
    }
}

#[test]
fn white_space_is_no_transcript() {
    for blank in ["", " ", "\n\t\u{3000}\x1C"] {
        assert_eq!(ReferenceText::new(blank), None);
    }
}

#[test]
fn what_was_given_is_kept_apart() {
    let text = ReferenceText::new(" So it ends").unwrap();
    assert_eq!(
        (text.as_str(), text.spoken(), text.was_punctuated()),
        (" So it ends. ", "So it ends", false)
    );
    for punctuated in [
        "So it ends.",
        "So it ends. ",
        "“Does it?”",
        "对。",
        "对！\n",
    ] {
        assert!(ReferenceText::new(punctuated).unwrap().was_punctuated(), "{punctuated}");
    }
}
