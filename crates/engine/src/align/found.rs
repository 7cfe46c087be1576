//! What is found out about words, and how it becomes an alignment.

use super::{Alignment, Evidence, WordTiming, timeline::settle};

/// What was found out about a word that has a sound.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) start: f64,
    pub(super) end: f64,
    pub(super) confidence: f64,
    /// `None` for a word whose place follows from its neighbours.
    pub(super) evidence: Option<Evidence>,
}

impl Found {
    fn is_heard(&self) -> bool {
        self.evidence.is_some_and(|evidence| evidence.is_heard())
    }

    /// The same, so many seconds later.
    pub(super) fn after(self, seconds: f64) -> Self {
        Self { start: self.start + seconds, end: self.end + seconds, ..self }
    }

    /// A word of which this is the beginning and `rest` what follows: no surer than either.
    pub(super) fn with(self, rest: Self) -> Self {
        let weaker = if rest.confidence < self.confidence {
            rest
        } else {
            self
        };
        Self { start: self.start, end: rest.end, ..weaker }
    }
}

/// Whether the audio says anything for or against any of the words.
pub(super) fn is_heard(found: &[Option<Found>]) -> bool {
    found.iter().flatten().any(Found::is_heard)
}

/// The times of all words. `found` has `None` for those without sound, but not for all.
pub(super) fn alignment(words: &[&str], mut found: Vec<Option<Found>>, duration: f64) -> Alignment {
    fill_gaps(&mut found, duration);
    let confidence = overall(&found);
    let found: Vec<Found> = found.into_iter().flatten().collect();
    let mut timings: Vec<WordTiming> = words
        .iter()
        .zip(&found)
        .map(|(word, found)| WordTiming {
            word: (*word).to_owned(),
            start: found.start,
            end: found.end,
            confidence: found.confidence,
        })
        .collect();
    settle(&mut timings, duration);
    let evidence = found.iter().map(|found| found.evidence).collect();
    Alignment { words: timings, evidence, confidence }
}

/// Gives words without sound the gap between their neighbours, in equal shares, and the lesser of
/// their confidences.
fn fill_gaps(found: &mut [Option<Found>], duration: f64) {
    let mut first = 0;
    while first < found.len() {
        let length = found[first..]
            .iter()
            .take_while(|found| found.is_none())
            .count();
        let before = first.checked_sub(1).and_then(|before| found[before]);
        let after = found.get(first + length).copied().flatten();
        let start = before.map_or(0.0, |before| before.end);
        let end = after.map_or(duration, |after| after.start).max(start);
        let sure = [before, after]
            .into_iter()
            .flatten()
            .map(|found| found.confidence);
        let confidence = sure.fold(1.0, f64::min);
        let share = (end - start) / count(length.max(1));
        let mut at = start;
        for gap in &mut found[first..first + length] {
            *gap = Some(Found { start: at, end: at + share, confidence, evidence: None });
            at += share;
        }
        first += length + 1;
    }
}

/// The mean confidence of the words that are heard, by their durations.
fn overall(found: &[Option<Found>]) -> f64 {
    let heard = found.iter().flatten().filter(|found| found.is_heard());
    let (sum, duration) = heard.fold((0.0, 0.0), |(sum, duration), found| {
        let weight = found.end - found.start;
        (sum + weight * found.confidence, duration + weight)
    });
    if duration > 0.0 { sum / duration } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "no text has 2^52 words")]
fn count(words: usize) -> f64 {
    words as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(start: f64, end: f64, confidence: f64) -> Option<Found> {
        let evidence = Evidence { phones: 1, ..Evidence::default() };
        Some(Found { start, end, confidence, evidence: Some(evidence) })
    }

    fn times(alignment: &Alignment) -> Vec<(f64, f64)> {
        alignment
            .words
            .iter()
            .map(|word| (word.start, word.end))
            .collect()
    }

    #[test]
    fn words_without_sound_get_the_gap_between_their_neighbours() {
        let words = ["🙂", "yes", "—", "🙂", "no", "!"];
        let all = vec![
            None,
            found(0.5, 1.0, 0.9),
            None,
            None,
            found(2.0, 3.0, 0.6),
            None,
        ];
        let alignment = alignment(&words, all, 4.0);
        let expected = [
            (0.0, 0.5),
            (0.5, 1.0),
            (1.0, 1.5),
            (1.5, 2.0),
            (2.0, 3.0),
            (3.0, 4.0),
        ];
        assert_eq!(times(&alignment), expected);
        let confidences: Vec<f64> = alignment.words.iter().map(|word| word.confidence).collect();
        assert_eq!(confidences, [0.9, 0.9, 0.6, 0.6, 0.6, 0.6]);
    }

    #[test]
    fn the_confidence_of_a_text_is_that_of_its_sounding_words_by_duration() {
        let unknown = found(4.0, 9.0, 0.3)
            .map(|found| Found { evidence: Some(Evidence::default()), ..found });
        let all = vec![found(0.0, 1.0, 1.0), None, found(1.0, 4.0, 0.2), unknown];
        let alignment = alignment(&["a", "-", "b", "漢"], all, 9.0);
        assert!((alignment.confidence - 0.4).abs() < 1e-12);
    }
}
