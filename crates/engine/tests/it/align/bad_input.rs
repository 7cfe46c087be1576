use f5tts_engine::align::{AlignError, SHORTEST_WORD};
use proptest::prelude::*;

use super::{RATE_HZ, Utterance, align, noise};

#[test]
fn what_cannot_be_aligned_is_told() {
    let second = noise(16_000, 0.1);
    let broken: Vec<f32> = second.iter().copied().chain([f32::NAN]).collect();
    assert_eq!(align(&[], RATE_HZ, "Hello."), Err(AlignError::NoSamples));
    let result = align(&broken, RATE_HZ, "Hello.");
    assert!(matches!(result, Err(AlignError::NotFinite { index: 16_000, .. })), "{result:?}");
    assert_eq!(align(&[0.0; 16_000], RATE_HZ, "Hello."), Err(AlignError::Silent));
    for text in ["", " \n", "🙂 🙂", "— …"] {
        assert_eq!(align(&second, RATE_HZ, text), Err(AlignError::NothingSpoken), "{text:?}");
    }
    let result = align(&second, 100, "Hello.");
    assert!(
        matches!(result, Err(AlignError::SampleRate { sample_rate_hz: 100 })),
        "{result:?}"
    );
    let result = align(&second, RATE_HZ, "Hello there, you. ".repeat(100).trim());
    assert!(matches!(result, Err(AlignError::TooShort { .. })), "{result:?}");
    let hour = vec![0.1; 3600 * 8_000];
    let result = align(&hour, 8_000, "Hello.");
    let message = result.unwrap_err().to_string();
    assert_eq!(message, "the audio lasts 3600 s, at most 600 s are aligned at once");
}

#[test]
fn noise_holds_no_text() {
    let result = align(&noise(48_000, 0.1), RATE_HZ, "The old bridge is made of stone.");
    assert!(matches!(result, Err(AlignError::Mismatch { .. })), "{result:?}");
}

#[test]
fn a_word_of_300_letters_is_one_word() {
    let Utterance { samples, .. } = Utterance::open("harbor");
    let long = samples.repeat(6);
    for word in [
        "a".repeat(300),
        "bcd".repeat(100),
        "1".repeat(300),
        "ä".repeat(300),
    ] {
        match align(&long, RATE_HZ, &word) {
            Ok(alignment) => assert_eq!(alignment.words.len(), 1),
            Err(error) => assert!(
                matches!(error, AlignError::Mismatch { .. } | AlignError::TooShort { .. }),
                "{error:?}"
            ),
        }
    }
}

#[test]
fn words_without_sound_and_unknown_letters_have_their_entry() {
    let Utterance { samples, text, .. } = Utterance::open("harbor");
    let text = format!("🙂 {} —", text.replace("fog rolled", "fog — ሰላም"));
    let alignment = align(&samples, RATE_HZ, &text).unwrap();
    assert_eq!(alignment.words.len(), 15);
    let dash = &alignment.words[4];
    assert_eq!((dash.word.as_str(), dash.start), ("—", alignment.words[3].end));
    let unknown = &alignment.words[5];
    assert!(unknown.word == "ሰላም" && unknown.confidence <= 0.3, "{unknown:?}");
}

#[test]
fn a_text_of_unknown_sounds_is_no_mismatch() {
    let Utterance { samples, .. } = Utterance::open("harbor");
    assert_eq!(align(&samples, RATE_HZ, "ሰላም ሰላም"), Err(AlignError::UnknownSounds));
}

/// Years in a European language, whose numerals the rules do not have.
#[test]
fn words_of_unknown_sounds_take_nothing_from_the_others() {
    let Utterance { samples, text, .. } = Utterance::open("harbor");
    let whole = align(&samples, RATE_HZ, &text).unwrap();
    let text = text.replace("fog", "ሰላምሰላም").replace("harbor", "ሰላምሰላምሰላም");
    let with_unknown = align(&samples, RATE_HZ, &text).unwrap();
    assert_eq!(with_unknown.missing().count(), 0, "{with_unknown:?}");
    assert!(with_unknown.confidence > whole.confidence - 0.1, "{with_unknown:?}");
}

#[test]
fn an_ordinal_of_many_digits_is_read_digit_by_digit() {
    let Utterance { samples, text, .. } = Utterance::open("harbor");
    let text = format!("{text} 1234567890123456th");
    let result = super::measure(&samples.repeat(2), &text);
    assert_eq!(result.unwrap().words.len(), text.split(' ').count());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_word_has_one_entry_and_times_rise_within_the_audio(
        text in "([A-Za-z]{1,7}|[0-9.,:$%-]{1,6}|[你好我在中国]{1,4}|[а-яéüñ'’]{1,5}|🙂|—|\\PC{1,3})( ([A-Za-z]{1,7}|[0-9.,/@]{1,5}|[가-힣かカ]{1,3}|\\PC{1,4})){0,5}",
        frames in 1_usize..12_000,
    ) {
        let Utterance { samples, .. } = Utterance::open("flight");
        let samples = &samples[8_000..8_000 + frames];
        let duration = frames as f64 / f64::from(RATE_HZ);
        match super::measure(samples, &text) {
            Ok(alignment) => {
                let joined: String = alignment.words.iter().map(|word| word.word.as_str()).collect();
                prop_assert_eq!(joined, text.split_whitespace().collect::<String>());
                let shortest = SHORTEST_WORD.min(duration / alignment.words.len() as f64);
                let mut latest = 0.0;
                for word in &alignment.words {
                    prop_assert!(word.start >= latest - 1e-9, "{:?}", alignment);
                    prop_assert!(word.end - word.start >= shortest - 1e-9, "{:?}", alignment);
                    prop_assert!((0.0..=1.0).contains(&word.confidence), "{:?}", alignment);
                    latest = word.end;
                }
                prop_assert!(latest <= duration + 1e-9);
                prop_assert!((0.0..=1.0).contains(&alignment.confidence));
            }
            Err(error) => prop_assert!(
                matches!(
                    error,
                    AlignError::TooShort { .. }
                        | AlignError::NothingSpoken
                        | AlignError::UnknownSounds
                ),
                "{:?}", error
            ),
        }
    }
}
