//! Makes the times of words a line.

use super::WordTiming;

/// The shortest time of a word, in seconds, where the audio has room for it.
pub const SHORTEST_WORD: f64 = 0.02;

/// Makes times rise from 0 to the duration, with at least [`SHORTEST_WORD`] for each word, or an
/// equal share of audio that is too short for that.
pub(super) fn settle(words: &mut [WordTiming], duration: f64) {
    let duration = duration.max(0.0);
    let shortest = SHORTEST_WORD.min(duration / count(words.len().max(1)));
    for index in 1..words.len() {
        let (before, after) = (words[index - 1].end, words[index].start);
        if before > after {
            words[index - 1].end = f64::midpoint(before, after);
            words[index].start = f64::midpoint(before, after);
        }
    }
    let mut earliest = 0.0;
    for word in &mut *words {
        word.start = word.start.max(earliest);
        word.end = word.end.max(word.start + shortest);
        earliest = word.end;
    }
    let mut latest = duration;
    for word in words.iter_mut().rev() {
        word.end = word.end.min(latest);
        word.start = word.start.min(word.end - shortest).max(0.0);
        latest = word.start;
    }
}

#[expect(clippy::cast_precision_loss, reason = "no text has 2^52 words")]
fn count(words: usize) -> f64 {
    words as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(times: &[(f64, f64)]) -> Vec<WordTiming> {
        let word = |&(start, end)| WordTiming { word: "a".to_owned(), start, end, confidence: 1.0 };
        times.iter().map(word).collect()
    }

    #[test]
    fn words_that_overlap_share_the_overlap() {
        let mut words = words(&[(0.1, 0.5), (0.3, 0.9)]);
        settle(&mut words, 1.0);
        assert!((words[0].end - 0.4).abs() < 1e-12 && (words[1].start - 0.4).abs() < 1e-12);
    }

    #[test]
    fn times_that_fit_stay_as_they_are() {
        let before = words(&[(0.1, 0.2), (0.2, 0.5), (0.7, 1.0)]);
        let mut after = before.clone();
        settle(&mut after, 1.0);
        assert_eq!(after, before);
    }

    proptest! {
        #[test]
        fn times_rise_within_the_duration(
            times in prop::collection::vec((-1.0..9.0, -1.0..9.0), 0..40),
            duration in 0.0..5.0,
        ) {
            let mut words = words(&times);
            settle(&mut words, duration);
            let shortest = SHORTEST_WORD.min(duration / count(words.len().max(1)));
            let mut latest = 0.0;
            for word in &words {
                prop_assert!(word.start >= latest - 1e-9, "{words:?}");
                prop_assert!(word.end - word.start >= shortest - 1e-9, "{words:?}");
                latest = word.end;
            }
            prop_assert!(latest <= duration);
        }
    }
}
