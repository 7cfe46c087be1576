//! How well each sound fits each frame: Gaussian mixtures from CMU Sphinx's US English model.

use std::sync::LazyLock;

use half::f16;

use super::{
    features::Frame,
    phone::{PHONES, Phone, STATES},
};

/// Written by `tools/align/export_model.py`, which tells the layout. The licence lies beside it.
static EMBEDDED: &[u8] = include_bytes!("model/en-us.bin");

/// The model.
pub(super) static MODEL: LazyLock<Model> = LazyLock::new(|| Model::read(EMBEDDED));

const STREAMS: usize = 3;
const GAUSSIANS: usize = 128;
const DIMENSIONS: usize = 13;
const SENONES: usize = PHONES * STATES;

const MEANS: usize = PHONES * STREAMS * GAUSSIANS * DIMENSIONS;
const WEIGHTS: usize = SENONES * STREAMS * GAUSSIANS;
const TRANSITIONS: usize = PHONES * STATES * 2;
const _: () = assert!(EMBEDDED_BYTES == 888_048, "the layout agrees with the exported file");
const EMBEDDED_BYTES: usize = 2 * 2 * MEANS + WEIGHTS + 4 * TRANSITIONS;

/// A Gaussian this much less likely than the best of its mixture, as a logarithm, adds nothing.
const NEGLIGIBLE: f32 = 16.0;

/// The parameters, arranged for [`Model::scores`].
#[derive(Debug)]
pub(super) struct Model {
    /// [phone][stream]
    mixtures: Vec<Mixture>,
    /// [phone][stream][state][gaussian], linear.
    weights: Vec<[[f32; GAUSSIANS]; STATES]>,
    /// [phone][state]: logarithms of the probabilities to stay and to go on.
    transitions: Vec<[Transition; STATES]>,
}

/// Logarithms of the probabilities to stay in a state and to go on to the next.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Transition {
    pub(super) stay: f32,
    pub(super) leave: f32,
}

/// The log-density of Gaussian `g` at `x` is `constant[g] + Σ x·(linear[·][g] + x·square[·][g])`.
#[derive(Debug)]
struct Mixture {
    constant: [f32; GAUSSIANS],
    linear: [[f32; GAUSSIANS]; DIMENSIONS],
    square: [[f32; GAUSSIANS]; DIMENSIONS],
}

/// How well each state fits each frame: logarithms of likelihoods.
#[derive(Clone, Debug)]
pub(super) struct Scores {
    /// (frames, 126)
    values: Vec<f32>,
    /// For each frame, the state of speech that fits best.
    best_speech: Vec<f32>,
}

impl Scores {
    fn new(values: Vec<f32>) -> Self {
        let mut scores = Self {
            best_speech: Vec::with_capacity(values.len() / SENONES),
            values,
        };
        for frame in 0..scores.frames() {
            let states = Phone::speech().flat_map(|phone| scores.of(frame, phone));
            scores.best_speech.push(states.fold(f32::MIN, f32::max));
        }
        scores
    }

    /// How many frames there are.
    pub(super) fn frames(&self) -> usize {
        self.values.len() / SENONES
    }

    /// The three states of a phone at a frame.
    pub(super) fn of(&self, frame: usize, phone: Phone) -> [f32; STATES] {
        let first = frame * SENONES + phone.index() * STATES;
        std::array::from_fn(|state| self.values[first + state])
    }

    /// The state of any sound of speech that fits a frame best.
    pub(super) fn best_speech(&self, frame: usize) -> f32 {
        self.best_speech[frame]
    }
}

impl Model {
    fn read(bytes: &[u8]) -> Self {
        let (means, rest) = bytes.split_at(2 * MEANS);
        let (variances, rest) = rest.split_at(2 * MEANS);
        let (weights, transitions) = rest.split_at(WEIGHTS);
        let of_mixture = 2 * GAUSSIANS * DIMENSIONS;
        Self {
            mixtures: means
                .chunks_exact(of_mixture)
                .zip(variances.chunks_exact(of_mixture))
                .map(|(means, variances)| Mixture::new(&halves(means), &halves(variances)))
                .collect(),
            weights: read_weights(weights),
            transitions: read_transitions(transitions),
        }
    }

    /// The transitions of a phone's states.
    pub(super) fn transitions(&self, phone: Phone) -> &[Transition; STATES] {
        &self.transitions[phone.index()]
    }

    /// Rates every state at every frame.
    pub(super) fn scores(&self, frames: &[Frame]) -> Scores {
        let mut values = vec![0.0; frames.len() * SENONES];
        // The parameters of one mixture stay in the cache while all frames pass.
        for (index, (mixture, weights)) in self.mixtures.iter().zip(&self.weights).enumerate() {
            let (phone, stream) = (index / STREAMS, index % STREAMS);
            for (frame, values) in frames.iter().zip(values.chunks_exact_mut(SENONES)) {
                let part = &frame[stream * DIMENSIONS..][..DIMENSIONS];
                let states = mixture.states(part, weights);
                for (value, score) in values[phone * STATES..].iter_mut().zip(states) {
                    *value += score;
                }
            }
        }
        Scores::new(values)
    }
}

impl Mixture {
    /// `means` and `variances` are (gaussians, dimensions).
    fn new(means: &[f32], variances: &[f32]) -> Self {
        let mut mixture = Self {
            constant: [0.0; GAUSSIANS],
            linear: [[0.0; GAUSSIANS]; DIMENSIONS],
            square: [[0.0; GAUSSIANS]; DIMENSIONS],
        };
        for (index, (mean, variance)) in means.iter().zip(variances).enumerate() {
            let (gaussian, dimension) = (index / DIMENSIONS, index % DIMENSIONS);
            mixture.linear[dimension][gaussian] = mean / variance;
            mixture.square[dimension][gaussian] = -0.5 / variance;
            mixture.constant[gaussian] -=
                0.5 * (std::f32::consts::TAU * variance).ln() + 0.5 * mean * mean / variance;
        }
        mixture
    }

    /// The log-likelihood of each state of the phone, given its mixture weights.
    fn states(&self, part: &[f32], weights: &[[f32; GAUSSIANS]; STATES]) -> [f32; STATES] {
        let mut density = self.constant;
        for ((&x, linear), square) in part.iter().zip(&self.linear).zip(&self.square) {
            for ((density, linear), square) in density.iter_mut().zip(linear).zip(square) {
                *density += x * (linear + x * square);
            }
        }
        let best = density.iter().copied().fold(f32::MIN, f32::max);
        let mut sums = [f32::MIN_POSITIVE; STATES];
        for (gaussian, &density) in density.iter().enumerate() {
            if density > best - NEGLIGIBLE {
                let likelihood = (density - best).exp();
                for (sum, weights) in sums.iter_mut().zip(weights) {
                    *sum += likelihood * weights[gaussian];
                }
            }
        }
        sums.map(|sum| best + sum.ln())
    }
}

fn halves(bytes: &[u8]) -> Vec<f32> {
    bytes
        .chunks_exact(2)
        .map(|pair| f16::from_le_bytes([pair[0], pair[1]]).to_f32())
        .collect()
}

/// From [senone][stream][gaussian] in steps of a logarithm to [phone][stream][state][gaussian].
fn read_weights(bytes: &[u8]) -> Vec<[[f32; GAUSSIANS]; STATES]> {
    let step = 0.102_394_88; // 1024 · log 1.0001
    let weight = |phone: usize, stream: usize, state: usize, gaussian: usize| {
        let senone = phone * STATES + state;
        let steps = bytes[(senone * STREAMS + stream) * GAUSSIANS + gaussian];
        (-f32::from(steps) * step).exp()
    };
    (0..PHONES * STREAMS)
        .map(|index| {
            std::array::from_fn(|state| {
                std::array::from_fn(|gaussian| {
                    weight(index / STREAMS, index % STREAMS, state, gaussian)
                })
            })
        })
        .collect()
}

fn read_transitions(bytes: &[u8]) -> Vec<[Transition; STATES]> {
    let logarithms: Vec<f32> = bytes
        .chunks_exact(4)
        .map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]]).ln())
        .collect();
    logarithms
        .chunks_exact(2 * STATES)
        .map(|phone| {
            std::array::from_fn(|state| Transition {
                stay: phone[2 * state],
                leave: phone[2 * state + 1],
            })
        })
        .collect()
}
