//! The ways in which words can be spoken, as a graph from left to right.

use super::phone::{Phone, STATES};

/// Part of a pronunciation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sound {
    /// One phone.
    Phone(Phone),
    /// One of several sequences; an empty one stands for a letter that is not spoken.
    Choice(Vec<Vec<Self>>),
    /// Any one phone: a letter whose sound is not known.
    Any,
    /// Possibly a pause, between the parts of a number for instance.
    Pause,
}

/// What an arc consumes on the way from one junction to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    /// Frames of one phone, at least [`STATES`].
    Phone(Phone),
    /// Frames of whatever sound of speech fits, at least [`STATES`].
    Any,
    /// No frames.
    Nothing,
}

/// A step from one junction to a later one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arc {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) label: Label,
    /// Added to the score of whoever takes the arc.
    pub(super) weight: f32,
}

/// Paths from the first junction to the last.
///
/// Invariants: every arc leads to a higher junction, and arcs are sorted by where they begin.
#[derive(Clone, Debug)]
pub(super) struct Lattice {
    arcs: Vec<Arc>,
    /// For each junction, the fewest frames from it to the last one.
    least_frames: Vec<usize>,
}

impl Lattice {
    /// Sorted by where they begin.
    pub(super) fn arcs(&self) -> &[Arc] {
        &self.arcs
    }

    /// The number of junctions.
    pub(super) fn junctions(&self) -> usize {
        self.least_frames.len()
    }

    /// The fewest frames from the first junction to the last one.
    pub(super) fn least_frames(&self) -> usize {
        self.least_frames_after(0)
    }

    /// The fewest frames from this junction to the last one.
    pub(super) fn least_frames_after(&self, junction: usize) -> usize {
        self.least_frames[junction]
    }
}

/// Builds a [`Lattice`] from left to right.
#[derive(Debug, Default)]
pub(super) struct Builder {
    arcs: Vec<Arc>,
    last_junction: usize,
}

impl Builder {
    /// The junction that has been reached.
    pub(super) fn here(&self) -> usize {
        self.last_junction
    }

    /// Goes on by one sound.
    pub(super) fn sound(&mut self, sound: &Sound) {
        match sound {
            Sound::Phone(phone) => self.step(Label::Phone(*phone), 0.0),
            Sound::Any => self.step(Label::Any, 0.0),
            Sound::Pause => self.optional_silence(0.0),
            Sound::Choice(alternatives) => self.choice(alternatives),
        }
    }

    /// Goes on to a new junction, with or without silence between.
    pub(super) fn optional_silence(&mut self, weight: f32) {
        let from = self.here();
        self.step(Label::Phone(Phone::SILENCE), weight);
        self.arc(from, self.here(), Label::Nothing, 0.0);
    }

    pub(super) fn build(mut self) -> Lattice {
        self.arcs.sort_by_key(|arc| arc.from);
        let least_frames = least_frames(&self.arcs, self.last_junction + 1);
        Lattice { arcs: self.arcs, least_frames }
    }

    fn choice(&mut self, alternatives: &[Vec<Sound>]) {
        let from = self.here();
        let mut ends = Vec::new();
        for alternative in alternatives {
            match alternative.as_slice() {
                [] => ends.push((from, Label::Nothing)),
                [Sound::Phone(phone)] => ends.push((from, Label::Phone(*phone))),
                [Sound::Any] => ends.push((from, Label::Any)),
                sounds => {
                    // Each longer alternative gets junctions of its own.
                    self.last_junction += 1;
                    self.arc(from, self.here(), Label::Nothing, 0.0);
                    sounds.iter().for_each(|sound| self.sound(sound));
                    ends.push((self.here(), Label::Nothing));
                }
            }
        }
        self.last_junction += 1;
        for (end, label) in ends {
            self.arc(end, self.here(), label, 0.0);
        }
    }

    fn step(&mut self, label: Label, weight: f32) {
        let from = self.here();
        self.last_junction += 1;
        self.arc(from, self.here(), label, weight);
    }

    fn arc(&mut self, from: usize, to: usize, label: Label, weight: f32) {
        self.arcs.push(Arc { from, to, label, weight });
    }
}

impl Arc {
    fn least_frames(&self) -> usize {
        match self.label {
            Label::Phone(_) | Label::Any => STATES,
            Label::Nothing => 0,
        }
    }
}

/// The fewest frames from each junction to the last one.
fn least_frames(arcs: &[Arc], junctions: usize) -> Vec<usize> {
    let mut least = vec![usize::MAX / 2; junctions];
    least[junctions - 1] = 0;
    for arc in arcs.iter().rev() {
        let after = least[arc.to] + arc.least_frames();
        least[arc.from] = least[arc.from].min(after);
    }
    least
}
