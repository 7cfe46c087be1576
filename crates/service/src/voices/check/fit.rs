//! Whether a transcript is what is said in a recording: our own aligner looks for each word.

use std::sync::LazyLock;

use f5tts_engine::{
    align::{AlignError, Aligner, Alignment},
    audio::Recording,
    text::{pinyin::Edition, tokenize::Tokenizer},
};
use serde::{Deserialize, Serialize};

use super::measure::rounded;

/// No warning names more words.
const MOST_WORDS: usize = 8;
/// Below, the recording holds something else, in whatever language that is written with letters.
const LEAST_CONFIDENCE: f64 = 0.25;
/// The same for English, whose sounds the aligner knows.
const LEAST_ENGLISH_CONFIDENCE: f64 = 0.6;
/// Above, the aligner understands the speaker: then it can be asked about single words.
const LEAST_MEDIAN: f64 = 0.7;
/// A single word with less is not there, if it is long enough to be heard at all.
const CERTAINLY_MISSING_BELOW: f64 = 0.1;
const LEAST_PHONES: usize = 3;
/// Words that English texts have and others have not.
const ENGLISH_WORDS: [&str; 18] = [
    "and", "to", "it", "that", "you", "for", "with", "this", "are", "have", "they", "my", "i'm",
    "don't", "his", "your", "what", "our",
];

/// The dictionaries of Chinese, of which other languages need nothing.
static TOKENIZER: LazyLock<Tokenizer> = LazyLock::new(|| Tokenizer::new(Edition::default()));

/// How well a transcript fits the recording, as far as the model hears it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TranscriptFit {
    /// How sure it is that the recording holds the transcript, from 0 to 1; nothing if it could not be searched.
    pub confidence: Option<f64>,
    /// The words that are probably not in the recording, as written.
    pub missing_words: Vec<String>,
    /// Why it could not be searched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether the transcript is what is said; nothing where that cannot be told, as in Chinese.
    pub fits: Option<bool>,
}

impl TranscriptFit {
    /// Looks for a transcript in a trimmed recording.
    pub(crate) fn of(trimmed: &Recording, transcript: &str) -> Self {
        let aligner = Aligner::new(&TOKENIZER);
        let words = aligner.words(transcript);
        let samples = trimmed.to_mono();
        match aligner.measure(&samples, trimmed.format().sample_rate_hz, &words) {
            Ok(alignment) => Self::judged(&alignment, transcript),
            Err(error) => Self::unsearched(&error),
        }
    }

    fn judged(alignment: &Alignment, transcript: &str) -> Self {
        let missing = alignment.missing();
        Self {
            confidence: Some(rounded(alignment.confidence, 3)),
            missing_words: missing
                .map(|index| alignment.words[index].word.clone())
                .collect(),
            reason: None,
            fits: verdict(alignment, transcript),
        }
    }

    fn unsearched(error: &AlignError) -> Self {
        Self {
            confidence: None,
            missing_words: Vec::new(),
            reason: Some(error.to_string()),
            fits: matches!(error, AlignError::TooShort { .. }).then_some(false),
        }
    }

    /// What is wrong, in a clause, if the transcript is probably not what is said.
    pub(crate) fn problem(&self) -> Option<String> {
        if self.fits != Some(false) {
            return None;
        }
        if let Some(reason) = &self.reason {
            return Some(reason.clone());
        }
        let missing = &self.missing_words;
        let shown: Vec<_> = missing
            .iter()
            .take(MOST_WORDS)
            .map(|word| format!("`{word}`"))
            .collect();
        let others = match missing.len().saturating_sub(MOST_WORDS) {
            0 => String::new(),
            others => format!(" and {others} others"),
        };
        Some(if missing.is_empty() {
            "little of it was found in the recording".to_owned()
        } else {
            format!("not heard in the recording: {}{others}", shown.join(", "))
        })
    }
}

/// Whether a text is what is said; nothing where the aligner cannot tell.
fn verdict(alignment: &Alignment, transcript: &str) -> Option<bool> {
    if !is_alphabetic(transcript) {
        return None;
    }
    let confidence = alignment.confidence;
    let is_unlike = confidence < LEAST_CONFIDENCE
        || (is_english(transcript) && confidence < LEAST_ENGLISH_CONFIDENCE);
    if is_unlike {
        return Some(false);
    }
    let sounding = alignment.words.iter().zip(&alignment.evidence);
    let mut confidences: Vec<f64> = sounding
        .filter(|(_, evidence)| evidence.is_some())
        .map(|(word, _)| word.confidence)
        .collect();
    confidences.sort_by(f64::total_cmp);
    if confidences.get(confidences.len() / 2)? < &LEAST_MEDIAN {
        return None;
    }
    let is_certain = |index: usize| {
        let phones = alignment.evidence[index].map_or(0, |evidence| evidence.phones);
        phones >= LEAST_PHONES && alignment.words[index].confidence < CERTAINLY_MISSING_BELOW
    };
    let missing: Vec<usize> = alignment.missing().collect();
    Some(missing.len() < 2 && !missing.into_iter().any(is_certain))
}

/// Whether it is written with the letters of sounds. The aligner's scores of others, above all of Chinese, are low as
/// a whole.
fn is_alphabetic(text: &str) -> bool {
    let letters = || text.chars().filter(|each| each.is_alphabetic());
    letters().filter(|&each| each >= '\u{0530}').count() * 10 <= letters().count()
}

fn is_english(text: &str) -> bool {
    let has_edge = |each: char| !each.is_alphanumeric();
    let mut found: Vec<_> = text
        .split_whitespace()
        .map(|word| word.trim_matches(has_edge).to_lowercase())
        .filter(|word| word == "the" || ENGLISH_WORDS.contains(&word.as_str()))
        .collect();
    found.sort_unstable();
    found.dedup();
    text.is_ascii() && (found.len() >= 2 || found.iter().any(|word| word == "the"))
}

#[cfg(test)]
mod tests {
    use f5tts_engine::audio::{self, DecodeLimits};

    use super::*;

    /// A voice of the program, trimmed.
    fn recording(name: &str) -> Recording {
        let root = env!("CARGO_MANIFEST_DIR");
        let bytes = std::fs::read(format!("{root}/../../models/demo/voices/{name}.wav")).unwrap();
        audio::trim_reference(&audio::decode(&bytes, &DecodeLimits::default()).unwrap())
    }

    fn text(name: &str) -> String {
        let root = env!("CARGO_MANIFEST_DIR");
        std::fs::read_to_string(format!("{root}/../../models/demo/voices/{name}.txt")).unwrap()
    }

    #[test]
    fn what_is_said_fits() {
        for name in ["rms", "slt"] {
            let fit = TranscriptFit::of(&recording(name), &text(name));
            assert_eq!((fit.fits, fit.problem()), (Some(true), None), "{fit:?}");
            assert!(fit.confidence.unwrap() > 0.8, "{fit:?}");
        }
    }

    #[test]
    fn what_is_not_said_is_named() {
        let said = text("rms");
        let text = format!("{} Porcelain.", said.trim());
        let problem = TranscriptFit::of(&recording("rms"), &text)
            .problem()
            .unwrap();
        assert!(problem.contains("`Porcelain.`"), "{problem}");
        let fit = TranscriptFit::of(&recording("rms"), "The quick brown fox and the lazy dog.");
        assert_eq!(fit.fits, Some(false), "{fit:?}");
        let long = said.repeat(40);
        let problem = TranscriptFit::of(&recording("rms"), &long)
            .problem()
            .unwrap();
        assert!(problem.starts_with("the text takes at least "), "{problem}");
    }

    #[test]
    fn where_the_aligner_cannot_tell_it_does_not() {
        for text in [
            "今天天气很好，我们去公园散步吧。",
            "きょうはいい天気です。",
            "🙂",
        ] {
            let fit = TranscriptFit::of(&recording("rms"), text);
            assert_eq!((fit.fits, fit.problem()), (None, None), "{text}");
        }
    }

    #[test]
    fn english_is_told_from_others_by_its_small_words() {
        for text in ["Open the door.", "It is for you.", "THE END"] {
            assert!(is_english(text), "{text}");
        }
        for text in [
            "Ik was er en het is van mij.",
            "Die Katze war in dem Haus.",
            "El tren sale a las ocho.",
            "¿Qué? the",
            "Beethoven was famous.",
        ] {
            assert!(!is_english(text), "{text}");
        }
    }
}
