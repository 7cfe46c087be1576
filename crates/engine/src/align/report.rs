//! What an answer says about the times of its words.

use serde::Serialize;

use super::{AlignError, Alignment, WordTiming};

/// How words are found, for answers.
pub const METHOD: &str = "forced_alignment";

/// The words of an answer and how they were found: its fields `word_timings` and `timings`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TimingReport {
    /// Every word in order; `None` if they were not found.
    pub word_timings: Option<Vec<WordTiming>>,
    /// How that went.
    pub timings: TimingStatus,
}

/// How finding the words went.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum TimingStatus {
    /// They were found.
    Aligned {
        /// [`METHOD`].
        method: &'static str,
        /// How sure it is that the audio holds the text, from 0 to 1.
        confidence: f64,
        /// The places in the text of the words that are probably not in the audio.
        missing_words: Vec<usize>,
    },
    /// They were not found.
    Failed {
        /// Why.
        reason: String,
    },
}

impl From<&Result<Alignment, AlignError>> for TimingReport {
    fn from(result: &Result<Alignment, AlignError>) -> Self {
        match result {
            Ok(alignment) => Self {
                timings: TimingStatus::Aligned {
                    method: METHOD,
                    confidence: thousandths(alignment.confidence),
                    missing_words: alignment.missing().collect(),
                },
                word_timings: Some(alignment.words.clone()),
            },
            Err(error) => Self {
                word_timings: None,
                timings: TimingStatus::Failed { reason: reason(error) },
            },
        }
    }
}

/// The fields of a word in answers and files.
#[derive(Serialize)]
struct Row<'a> {
    word: &'a str,
    start_time: f64,
    end_time: f64,
    confidence: f64,
}

impl Serialize for WordTiming {
    /// An object of `word`, `start_time`, `end_time` and `confidence`, in thousandths.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let row = Row {
            word: &self.word,
            start_time: thousandths(self.start),
            end_time: thousandths(self.end),
            confidence: thousandths(self.confidence),
        };
        row.serialize(serializer)
    }
}

/// An error with its causes.
fn reason(error: &AlignError) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let causes = causes.map(|cause| format!(": {cause}"));
    std::iter::once(error.to_string()).chain(causes).collect()
}

fn thousandths(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_are_told_in_thousandths() {
        let word = WordTiming {
            word: "Hello,".to_owned(),
            start: 0.0404,
            end: 0.41,
            confidence: 2.0 / 3.0,
        };
        let alignment = Alignment { words: vec![word], evidence: vec![None], confidence: 0.9 };
        let report = serde_json::to_value(TimingReport::from(&Ok(alignment))).unwrap();
        let expected = json!({
            "word_timings": [
                {"word": "Hello,", "start_time": 0.04, "end_time": 0.41, "confidence": 0.667},
            ],
            "timings": {
                "status": "aligned", "method": METHOD, "confidence": 0.9, "missing_words": [],
            },
        });
        assert_eq!(report, expected);
    }

    #[test]
    fn a_failure_tells_its_causes() {
        let error = AlignError::Chunk {
            text: "Hello.".to_owned(),
            source: Box::new(AlignError::Silent),
        };
        let report = serde_json::to_value(TimingReport::from(&Err(error))).unwrap();
        let expected = json!({
            "word_timings": null,
            "timings": {
                "status": "failed",
                "reason": "could not align the chunk `Hello.`: the audio is silent",
            },
        });
        assert_eq!(report, expected);
    }
}
