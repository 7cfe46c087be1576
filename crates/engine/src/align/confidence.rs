//! How sure it is that words are where they were placed.

use super::evidence::Evidence;

/// The most that is said for a word of which the rules know not all letters, and what is said for one
/// of which they know none.
pub(super) const UNKNOWN: f64 = 0.3;

/// A constant, then a weight for each of [`terms`]: a logistic regression.
///
/// Fitted by `tools/align/fit_confidence.py` on sentences that are in no test.
const WEIGHTS: [f64; TERMS + 1] = [
    0.102, -1.921, 0.75, 0.638, 0.598, 0.105, 0.247, -0.094, 1.224, 1.67,
];
const TERMS: usize = 9;

/// How sure it is that a word is in its place, from 0 to 1: intact words of synthetic speech get
/// more than a half, and words that were cut out, masked or replaced less.
pub(super) fn confidence(evidence: &Evidence) -> f64 {
    let [constant, weights @ ..] = WEIGHTS;
    let terms = terms(evidence);
    let sum: f64 = weights
        .iter()
        .zip(terms)
        .map(|(weight, term)| weight * term)
        .sum();
    1.0 / (1.0 + (-constant - sum).exp())
}

fn terms(evidence: &Evidence) -> [f64; TERMS] {
    let phones = f64::from(u16::try_from(evidence.phones.max(1)).unwrap_or(u16::MAX));
    let phone_fit = f64::from(evidence.phone_fit);
    [
        phone_fit,
        phone_fit * phones.sqrt(),
        f64::from(evidence.worst_fit),
        f64::from(evidence.frame_fit),
        f64::from(evidence.over_silence),
        f64::from(evidence.over_absence),
        f64::from(evidence.pace),
        phones.ln(),
        f64::from(evidence.others_fit),
    ]
}
