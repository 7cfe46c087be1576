//! What the audio says for and against each word.

use std::ops::Range;

use super::{
    acoustic::{MODEL, Scores},
    decode::{self, Segment},
    lattice::{Label, Sound},
    phone::{Phone, STATES},
};

/// What the audio says for and against a word: all that its confidence rests on.
///
/// Scores are logarithms of likelihoods, per frame of 10 ms.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Evidence {
    /// The phones of the word, as the letter rules allow them: 0 if they know none of its letters.
    pub phones: usize,
    /// What the phones score less than whichever phones fit best in their places.
    pub phone_fit: f32,
    /// The same for the worse half of the phones.
    pub worst_fit: f32,
    /// What the phones score less than the best state of any phone, at each frame anew.
    pub frame_fit: f32,
    /// What the phones score more than silence.
    pub over_silence: f32,
    /// What the audio around the word scores more with the word than without it.
    pub over_absence: f32,
    /// The mean duration of the phones against that of all phones, as a logarithm.
    pub pace: f32,
    /// `phone_fit` of all other words, or of this one if there is no other.
    pub others_fit: f32,
}

impl Evidence {
    /// Whether the audio can say anything for or against the word.
    pub(super) const fn is_heard(&self) -> bool {
        self.phones > 0
    }
}

/// No single piece of evidence weighs more than this many units per frame.
const LIMIT: f32 = 15.0;

/// Gathers the evidence for words at their places.
pub(super) fn gather(
    words: &[&[Sound]],
    places: &[Range<usize>],
    scores: &Scores,
) -> Vec<Evidence> {
    let segments: Vec<Vec<Segment>> = words
        .iter()
        .zip(places)
        .map(|(word, place)| decode::segments(word, scores, place.clone()))
        .collect();
    let usual_frames = median_frames(&segments);
    let mut all: Vec<Evidence> = segments
        .iter()
        .enumerate()
        .map(|(index, segments)| Evidence {
            over_absence: over_absence(words, places, index, scores),
            ..from_segments(segments, usual_frames, scores)
        })
        .collect();
    add_context(&mut all, places);
    all
}

fn from_segments(segments: &[Segment], usual_frames: f32, scores: &Scores) -> Evidence {
    let fits: Vec<PhoneFit> = segments
        .iter()
        .filter_map(|segment| PhoneFit::of(segment, scores))
        .collect();
    if fits.is_empty() {
        let none = -LIMIT;
        return Evidence {
            phone_fit: none,
            worst_fit: none,
            frame_fit: none,
            over_silence: none,
            ..Evidence::default()
        };
    }
    let frames: f32 = fits.iter().map(|fit| fit.frames).sum();
    let mean = |score: fn(&PhoneFit) -> f32| {
        (fits.iter().map(score).sum::<f32>() / frames).clamp(-LIMIT, LIMIT)
    };
    let phones = count(fits.len());
    Evidence {
        phones: fits.len(),
        phone_fit: mean(|fit| fit.to_best_phone),
        worst_fit: worst_half(
            fits.iter()
                .map(|fit| fit.to_best_phone / fit.frames)
                .collect(),
        ),
        frame_fit: mean(|fit| fit.to_best_states),
        over_silence: mean(|fit| fit.over_silence),
        pace: (frames / phones / usual_frames).ln(),
        ..Evidence::default()
    }
}

/// What a phone scores in its place less (or more) than what else could be there, summed over its
/// frames.
struct PhoneFit {
    frames: f32,
    to_best_phone: f32,
    to_best_states: f32,
    over_silence: f32,
}

impl PhoneFit {
    fn of((label, frames): &Segment, scores: &Scores) -> Option<Self> {
        let Label::Phone(phone) = *label else {
            return None;
        };
        let own = score(phone, scores, frames.clone());
        let best = Phone::speech().map(|phone| score(phone, scores, frames.clone()));
        let states = frames.clone().map(|frame| {
            let own = scores.of(frame, phone).into_iter().fold(f32::MIN, f32::max);
            (own - scores.best_speech(frame)).max(-2.0 * LIMIT)
        });
        let limit = 2.0 * LIMIT * count(frames.len());
        Some(Self {
            frames: count(frames.len()),
            to_best_phone: (own - best.fold(f32::MIN, f32::max)).max(-limit),
            to_best_states: states.sum(),
            over_silence: own - score(Phone::SILENCE, scores, frames.clone()),
        })
    }
}

/// The best way through the states of a phone.
fn score(phone: Phone, scores: &Scores, frames: Range<usize>) -> f32 {
    let [first, second, third] = *MODEL.transitions(phone);
    let mut states = [f32::MIN / 4.0; STATES];
    let mut enter = 0.0;
    for frame in frames {
        let emission = scores.of(frame, phone);
        let stays = [
            states[0] + first.stay,
            states[1] + second.stay,
            states[2] + third.stay,
        ];
        let comes = [enter, states[0] + first.leave, states[1] + second.leave];
        states = std::array::from_fn(|state| stays[state].max(comes[state]) + emission[state]);
        enter = f32::MIN / 4.0;
    }
    states[STATES - 1]
}

/// Compares the neighbourhood of a word with the word and without it.
fn over_absence(words: &[&[Sound]], places: &[Range<usize>], index: usize, scores: &Scores) -> f32 {
    let before = index.checked_sub(1);
    let after = Some(index + 1).filter(|&after| after < words.len());
    let start = before.map_or(0, |before| places[before].start);
    let end = after.map_or(scores.frames(), |after| places[after].end);
    let score = |indices: &[Option<usize>]| {
        let words: Vec<_> = indices
            .iter()
            .flatten()
            .map(|&index| words[index])
            .collect();
        decode::score(&words, scores, start..end)
    };
    match (score(&[before, Some(index), after]), score(&[before, after])) {
        (Some(with), Some(without)) => {
            ((with - without) / count(places[index].len().max(1))).clamp(-LIMIT, LIMIT)
        }
        (None, _) => -LIMIT,
        (Some(_), None) => LIMIT,
    }
}

fn worst_half(mut fits: Vec<f32>) -> f32 {
    fits.sort_by(f32::total_cmp);
    fits.truncate(fits.len().div_ceil(2));
    let half = count(fits.len());
    (fits.into_iter().sum::<f32>() / half).max(-LIMIT)
}

fn median_frames(segments: &[Vec<Segment>]) -> f32 {
    let mut frames: Vec<usize> = segments
        .iter()
        .flatten()
        .map(|(_, frames)| frames.len())
        .collect();
    frames.sort_unstable();
    frames
        .get(frames.len() / 2)
        .map_or(1.0, |&frames| count(frames))
}

fn add_context(all: &mut [Evidence], places: &[Range<usize>]) {
    // A word of unknown sounds says nothing of the others.
    let weights: Vec<f32> = all
        .iter()
        .zip(places)
        .map(|(evidence, place)| {
            if evidence.is_heard() {
                count(place.len().max(1))
            } else {
                0.0
            }
        })
        .collect();
    let weighed: Vec<f32> = all
        .iter()
        .zip(&weights)
        .map(|(evidence, weight)| evidence.phone_fit * weight)
        .collect();
    let (sum, frames) = (weighed.iter().sum::<f32>(), weights.iter().sum::<f32>());
    for ((evidence, weight), own) in all.iter_mut().zip(weights).zip(weighed) {
        evidence.others_fit = if frames > weight {
            (sum - own) / (frames - weight)
        } else {
            evidence.phone_fit
        };
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "frames and phones of a text are few"
)]
fn count(number: usize) -> f32 {
    number as f32
}
