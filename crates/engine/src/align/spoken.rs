//! The sounds of a text: where they are in the audio, and what is found out about each word.

use std::ops::Range;

use super::{
    acoustic::Scores,
    confidence::{UNKNOWN, confidence},
    decode::{self, Placed},
    evidence,
    found::Found,
    frame_seconds,
    lattice::Sound,
    pronounce::Pronunciation,
};

/// How each word of a text may sound. Some have no sound, but at least one does.
#[derive(Clone, Debug)]
pub(super) struct Spoken {
    pronunciations: Vec<Pronunciation>,
}

impl Spoken {
    /// `None` if no word has a sound.
    pub(super) fn new(pronunciations: Vec<Pronunciation>) -> Option<Self> {
        let has_sound = pronunciations.iter().any(|word| !word.sounds.is_empty());
        has_sound.then_some(Self { pronunciations })
    }

    /// Whether the rules know all letters of any word.
    pub(super) fn knows_a_word(&self) -> bool {
        let mut words = self.pronunciations.iter();
        words.any(|word| word.is_known && !word.sounds.is_empty())
    }

    /// The fewest frames that all words take.
    pub(super) fn least_frames(&self) -> usize {
        decode::least_frames(&self.sounds())
    }

    /// Finds the words that have a sound. `None`: they do not fit into the audio.
    pub(super) fn place(&self, scores: &Scores) -> Option<Placed> {
        let sounds = self.sounds();
        let mut placed = decode::place(&sounds, scores, 0..scores.frames())?;
        self.share_unknown(&mut placed.places);
        Some(placed)
    }

    /// The sounds of each word that has some.
    fn sounds(&self) -> Vec<&[Sound]> {
        let sounds = self
            .pronunciations
            .iter()
            .map(|word| word.sounds.as_slice());
        sounds.filter(|sounds| !sounds.is_empty()).collect()
    }

    /// Shares the time of neighbouring words, of which no letter is known, by their lengths: the
    /// audio cannot tell them apart.
    fn share_unknown(&self, places: &mut [Range<usize>]) {
        let words: Vec<_> = self
            .pronunciations
            .iter()
            .filter(|word| !word.sounds.is_empty())
            .collect();
        let mut first = 0;
        while first < words.len() {
            let mut last = first;
            while last + 1 < words.len()
                && !words[last].is_known
                && !words[last + 1].is_known
                && places[last].end == places[last + 1].start
            {
                last += 1;
            }
            let all = places[first].start..places[last].end;
            let total: usize = words[first..=last]
                .iter()
                .map(|word| word.sounds.len())
                .sum();
            let mut before = 0;
            for index in first..=last {
                let start = all.start + all.len() * before / total;
                before += words[index].sounds.len();
                if last > first {
                    places[index] = start..all.start + all.len() * before / total;
                }
            }
            first = last + 1;
        }
    }

    /// What is found out about each word; `None` for one without sound. `places` are those of
    /// [`Spoken::place`].
    pub(super) fn found(&self, places: &[Range<usize>], scores: &Scores) -> Vec<Option<Found>> {
        let evidence = evidence::gather(&self.sounds(), places, scores);
        let mut sounding = places.iter().zip(evidence);
        let found = self.pronunciations.iter().map(|word| {
            if word.sounds.is_empty() {
                return None;
            }
            let (place, evidence) = sounding.next()?;
            let confidence = match (evidence.is_heard(), word.is_known) {
                (false, _) => UNKNOWN,
                (true, false) => confidence(&evidence).min(UNKNOWN),
                (true, true) => confidence(&evidence),
            };
            Some(Found {
                start: frame_seconds(place.start),
                end: frame_seconds(place.end),
                confidence,
                evidence: Some(evidence),
            })
        });
        found.collect()
    }
}
