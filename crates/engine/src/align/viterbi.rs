//! The most likely path through a lattice.

use std::ops::Range;

use super::{
    acoustic::{MODEL, Scores, Transition},
    lattice::{Arc, Label, Lattice},
    phone::STATES,
};

/// A path this much less likely than the best of its time, as a logarithm, is given up.
const BEAM: f32 = 2000.0;
/// No path leads here. Finite, so that sums of it still compare.
const UNREACHED: f32 = -1e30;
/// What a sound that is not known scores less, at each frame, than the best of all sounds.
const ANY_HANDICAP: f32 = 4.0;
const ANY: [Transition; STATES] = [Transition { stay: -0.2, leave: -1.7 }; STATES];

/// A path from the first junction of a lattice to the last, over all frames.
#[derive(Clone, Debug)]
pub(super) struct Path {
    /// The logarithm of its likelihood.
    pub(super) score: f32,
    /// The marked junctions on the way, from the first to the last junction of the lattice.
    pub(super) visits: Vec<Visit>,
}

/// A junction on a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Visit {
    pub(super) junction: usize,
    /// Frames before it, from the beginning of the audio.
    pub(super) frame: usize,
    /// The arc by which the path leaves it; `None` at the end.
    pub(super) leaves_by: Option<usize>,
}

/// Finds the most likely way to read `frames` of the audio as a path of the lattice.
///
/// `is_marked` says which junctions the path tells of, beside the first and the last. `None`: the frames are too few for the
/// shortest path, or nothing on the way was likely enough.
pub(super) fn best_path(
    lattice: &Lattice,
    scores: &Scores,
    frames: Range<usize>,
    is_marked: impl Fn(usize) -> bool,
) -> Option<Path> {
    let last = lattice.junctions() - 1;
    if lattice.least_frames() > frames.len() {
        return None;
    }
    let is_marked = |junction| junction == 0 || junction == last || is_marked(junction);
    let mut search = Search::new(lattice, frames.clone(), is_marked);
    search.begin();
    for frame in frames {
        search.advance(frame, scores);
    }
    search.path()
}

/// Where a path left the last marked junction.
#[derive(Clone, Copy, Debug, Default)]
struct Origin {
    arc: u32,
    frame: u32,
}

/// The best path to some place.
#[derive(Clone, Copy, Debug)]
struct Token {
    score: f32,
    origin: Origin,
}

const NOBODY: Token = Token { score: UNREACHED, origin: Origin { arc: 0, frame: 0 } };

/// What came to a marked junction at some time.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    junction: u32,
    origin: Origin,
}

struct Search<'a, M> {
    lattice: &'a Lattice,
    frames: Range<usize>,
    is_marked: M,
    /// For each junction, the first arc that begins there or later.
    first_arc: Vec<usize>,
    /// For each arc, who is in its states.
    inside: Vec<[Token; STATES]>,
    /// Who stood at each junction before the frame, and who does after it.
    before: Vec<Token>,
    after: Vec<Token>,
    /// Junctions outside of this range have not been reached, or were given up.
    live: Range<usize>,
    /// Who scores less is given up.
    threshold: f32,
    /// Arrivals at marked junctions, and how many there had been after each frame.
    arrivals: Vec<Arrival>,
    arrivals_after: Vec<usize>,
}

impl<'a, M: Fn(usize) -> bool> Search<'a, M> {
    fn new(lattice: &'a Lattice, frames: Range<usize>, is_marked: M) -> Self {
        let junctions = lattice.junctions();
        let arcs = lattice.arcs();
        Self {
            lattice,
            is_marked,
            first_arc: (0..=junctions)
                .map(|junction| arcs.partition_point(|arc| arc.from < junction))
                .collect(),
            inside: vec![[NOBODY; STATES]; arcs.len()],
            before: vec![NOBODY; junctions],
            after: vec![NOBODY; junctions],
            live: 0..1,
            threshold: UNREACHED / 2.0,
            arrivals: Vec::new(),
            arrivals_after: Vec::with_capacity(frames.len() + 1),
            frames,
        }
    }

    /// Stands at the first junction, and at those that can be had from there without a frame.
    fn begin(&mut self) {
        self.after[0] = Token { score: 0.0, ..NOBODY };
        let mut index = 0;
        while index < self.first_arc[self.live.end] {
            let arc = self.lattice.arcs()[index];
            if arc.label == Label::Nothing {
                self.pass(index, arc, self.frames.start);
            }
            index += 1;
        }
        self.note_arrivals();
    }

    /// Hears one frame.
    fn advance(&mut self, frame: usize, scores: &Scores) {
        std::mem::swap(&mut self.before, &mut self.after);
        // A new junction may come alive on the way, so the end is looked up again each time.
        self.after[self.live.clone()].fill(NOBODY);
        let mut index = self.first_arc[self.live.start];
        let mut best = UNREACHED;
        let mut first_live = None;
        while index < self.first_arc[self.live.end] {
            let arc = self.lattice.arcs()[index];
            match arc.label {
                Label::Nothing => self.pass(index, arc, frame + 1),
                Label::Phone(phone) => {
                    let score =
                        self.hear(index, MODEL.transitions(phone), scores.of(frame, phone), frame);
                    best = best.max(score);
                }
                Label::Any => {
                    let score = self.hear(
                        index,
                        &ANY,
                        [scores.best_speech(frame) - ANY_HANDICAP; STATES],
                        frame,
                    );
                    best = best.max(score);
                }
            }
            let is_live = |token: &Token| token.score > self.threshold;
            if first_live.is_none()
                && (is_live(&self.after[arc.from]) || self.inside[index].iter().any(is_live))
            {
                first_live = Some(arc.from);
            }
            index += 1;
        }
        self.live.start = first_live.unwrap_or(self.live.start);
        self.threshold = best - BEAM;
        self.note_arrivals();
    }

    /// Goes along an arc that consumes nothing.
    fn pass(&mut self, index: usize, arc: Arc, frame: usize) {
        let token = self.after[arc.from];
        if token.score > self.threshold {
            let token = self.departing(token, index, arc, frame);
            self.arrive(arc.to, token);
        }
    }

    /// Hears a frame within an arc; returns the best score there.
    fn hear(
        &mut self,
        index: usize,
        transitions: &[Transition; STATES],
        emission: [f32; STATES],
        frame: usize,
    ) -> f32 {
        let arc = self.lattice.arcs()[index];
        let [first, second, third] = self.inside[index];
        let mut entering = self.before[arc.from];
        if entering.score > self.threshold {
            entering = self.departing(entering, index, arc, frame);
        }
        let step = |here: Token, comes: Token, leave: f32, state: usize| {
            let stays = here.score + transitions[state].stay;
            let comes_score = comes.score + leave;
            let (score, origin) = if stays >= comes_score {
                (stays, here.origin)
            } else {
                (comes_score, comes.origin)
            };
            Token { score: (score + emission[state]).max(UNREACHED), origin }
        };
        let now = [
            step(first, entering, 0.0, 0),
            step(second, first, transitions[0].leave, 1),
            step(third, second, transitions[1].leave, 2),
        ];
        let best = now
            .iter()
            .fold(UNREACHED, |best, token| best.max(token.score));
        let is_dead = best < self.threshold || !self.is_in_time(arc, frame);
        self.inside[index] = if is_dead { [NOBODY; STATES] } else { now };
        if is_dead {
            return UNREACHED;
        }
        let leaving = Token { score: now[2].score + transitions[2].leave, ..now[2] };
        self.arrive(arc.to, leaving);
        best
    }

    /// Whether the frames that are left suffice for the shortest path from the end of the arc.
    fn is_in_time(&self, arc: Arc, frame: usize) -> bool {
        self.lattice.least_frames_after(arc.to) < self.frames.end - frame
    }

    fn departing(&self, token: Token, index: usize, arc: Arc, frame: usize) -> Token {
        let origin = if (self.is_marked)(arc.from) {
            Origin { arc: short(index), frame: short(frame) }
        } else {
            token.origin
        };
        Token { score: token.score + arc.weight, origin }
    }

    fn arrive(&mut self, junction: usize, token: Token) {
        if token.score <= UNREACHED / 2.0 {
            return;
        }
        while self.live.end <= junction {
            self.after[self.live.end] = NOBODY;
            self.before[self.live.end] = NOBODY;
            self.live.end += 1;
        }
        if token.score > self.after[junction].score {
            self.after[junction] = token;
        }
    }

    fn note_arrivals(&mut self) {
        for junction in self.live.clone() {
            let token = self.after[junction];
            if (self.is_marked)(junction) && token.score > UNREACHED / 2.0 {
                self.arrivals
                    .push(Arrival { junction: short(junction), origin: token.origin });
            }
        }
        self.arrivals_after.push(self.arrivals.len());
    }

    fn path(&self) -> Option<Path> {
        let last = self.lattice.junctions() - 1;
        let score = self.after[last].score;
        if score <= UNREACHED / 2.0 || !self.live.contains(&last) {
            return None;
        }
        let mut visits = vec![Visit { junction: last, frame: self.frames.end, leaves_by: None }];
        let (mut junction, mut frame) = (last, self.frames.end);
        while junction != 0 {
            let origin = self.arrival(junction, frame)?.origin;
            let arc = origin.arc as usize;
            (junction, frame) = (self.lattice.arcs()[arc].from, origin.frame as usize);
            visits.push(Visit { junction, frame, leaves_by: Some(arc) });
        }
        visits.reverse();
        Some(Path { score, visits })
    }

    fn arrival(&self, junction: usize, frame: usize) -> Option<&Arrival> {
        let step = frame - self.frames.start;
        let begin = step
            .checked_sub(1)
            .map_or(0, |previous| self.arrivals_after[previous]);
        let then = &self.arrivals[begin..self.arrivals_after[step]];
        then.iter()
            .find(|arrival| arrival.junction as usize == junction)
    }
}

/// Lattices and audio are far too short for this to cut anything off.
fn short(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
