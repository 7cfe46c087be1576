//! From the sounds of words to their places in the audio.

use std::ops::Range;

use super::{
    acoustic::Scores,
    lattice::{Builder, Label, Lattice, Sound},
    viterbi::{Path, best_path},
};

/// What a pause between two words costs, as a logarithm.
const PAUSE: f32 = -2.0;

/// Words in the audio.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    /// The logarithm of the likelihood of the audio, if these words are in it.
    pub(super) score: f32,
    /// The frames of each word, in order.
    pub(super) places: Vec<Range<usize>>,
}

/// A phone of a word, or a sound that is not known, and its frames.
pub(super) type Segment = (Label, Range<usize>);

/// The fewest frames that the words can take.
pub(super) fn least_frames(words: &[&[Sound]]) -> usize {
    sentence(words).0.least_frames()
}

/// Finds words in frames of the audio, with pauses around them. `None`: they do not fit there.
pub(super) fn place(words: &[&[Sound]], scores: &Scores, frames: Range<usize>) -> Option<Placed> {
    let (lattice, edges) = sentence(words);
    let mut is_edge = vec![false; lattice.junctions()];
    for &(start, end) in &edges {
        is_edge[start] = true;
        is_edge[end] = true;
    }
    let path = best_path(&lattice, scores, frames, |junction| is_edge[junction])?;
    let mut frame_at = vec![0; lattice.junctions()];
    for visit in &path.visits {
        frame_at[visit.junction] = visit.frame;
    }
    let places = edges
        .iter()
        .map(|&(start, end)| frame_at[start]..frame_at[end])
        .collect();
    Some(Placed { score: path.score, places })
}

/// How likely it is that frames hold the words, pauses around them included, as a logarithm.
pub(super) fn score(words: &[&[Sound]], scores: &Scores, frames: Range<usize>) -> Option<f32> {
    let (lattice, _) = sentence(words);
    best_path(&lattice, scores, frames, |_| false).map(|path| path.score)
}

/// The phones of a word that fills the frames.
pub(super) fn segments(word: &[Sound], scores: &Scores, frames: Range<usize>) -> Vec<Segment> {
    let mut builder = Builder::default();
    word.iter().for_each(|sound| builder.sound(sound));
    let lattice = builder.build();
    let path = best_path(&lattice, scores, frames, |_| true);
    path.map(|path| segments_of(&path, &lattice))
        .unwrap_or_default()
}

fn segments_of(path: &Path, lattice: &Lattice) -> Vec<Segment> {
    let steps = path.visits.iter().zip(&path.visits[1..]);
    steps
        .filter_map(|(visit, next)| {
            Some((lattice.arcs()[visit.leaves_by?].label, visit.frame..next.frame))
        })
        .filter(|(label, _)| *label != Label::Nothing)
        .collect()
}

/// Words in a row, with pauses between; and the junctions at which each begins and ends.
fn sentence(words: &[&[Sound]]) -> (Lattice, Vec<(usize, usize)>) {
    let mut builder = Builder::default();
    builder.optional_silence(0.0);
    let mut edges = Vec::with_capacity(words.len());
    for (index, sounds) in words.iter().enumerate() {
        if index > 0 {
            builder.optional_silence(PAUSE);
        }
        let start = builder.here();
        sounds.iter().for_each(|sound| builder.sound(sound));
        edges.push((start, builder.here()));
    }
    builder.optional_silence(PAUSE);
    (builder.build(), edges)
}
