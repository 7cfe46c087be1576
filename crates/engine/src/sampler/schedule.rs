//! Which evaluations an integration makes, and what becomes of each.

use super::grid::Nfe;

/// The method of integration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// One evaluation a step.
    #[default]
    Euler,
    /// Two evaluations a step: at its begin and at its middle.
    Midpoint,
}

impl Method {
    /// Evaluations of the network, guidance not counted.
    pub const fn evaluations(self, steps: Nfe) -> usize {
        match self {
            Self::Euler => steps.get(),
            Self::Midpoint => 2 * steps.get(),
        }
    }
}
/// One evaluation of the network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// Where in time the velocity is taken, from 0 (noise) to 1 (mel).
    pub time: f32,
    /// How far the state moves along it.
    pub step: f32,
    /// Whether the state moves for good, or only to the point of the next evaluation.
    pub completes: bool,
}

/// All evaluations of one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    evaluations: Vec<Evaluation>,
    guidance: f32,
}

/// Below this guidance strength the official code leaves out the unconditional branch.
const LEAST_GUIDANCE: f32 = 1e-5;

impl Schedule {
    /// Walks along `grid`, a list of times from 0 to 1, with a strength of classifier-free guidance.
    pub fn new(grid: &[f32], method: Method, guidance: f32) -> Self {
        let steps = grid.windows(2).map(|times| (times[0], times[1] - times[0]));
        let evaluations = match method {
            Method::Euler => steps
                .map(|(time, step)| Evaluation { time, step, completes: true })
                .collect(),
            Method::Midpoint => steps
                .flat_map(|(time, step)| {
                    let half = 0.5 * step;
                    [
                        Evaluation { time, step: half, completes: false },
                        Evaluation { time: time + half, step, completes: true },
                    ]
                })
                .collect(),
        };
        Self { evaluations, guidance }
    }

    /// The evaluations in order.
    pub fn evaluations(&self) -> &[Evaluation] {
        &self.evaluations
    }

    /// The strength of guidance; `None` if only the conditional branch is evaluated.
    pub fn guidance(&self) -> Option<f32> {
        (self.guidance >= LEAST_GUIDANCE).then_some(self.guidance)
    }

    /// The times of all evaluations.
    pub fn times(&self) -> Vec<f32> {
        self.evaluations
            .iter()
            .map(|evaluation| evaluation.time)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_midpoint_step_evaluates_twice_and_moves_once() {
        let schedule = Schedule::new(&[0.0, 0.5, 1.0], Method::Midpoint, 2.0);
        assert_eq!(schedule.times(), [0.0, 0.25, 0.5, 0.75]);
        let moved = schedule
            .evaluations()
            .iter()
            .filter(|evaluation| evaluation.completes);
        assert!((moved.map(|evaluation| evaluation.step).sum::<f32>() - 1.0).abs() < f32::EPSILON);
    }

    #[test]
    fn no_guidance_means_one_branch() {
        assert_eq!(Schedule::new(&[0.0, 1.0], Method::Euler, 0.0).guidance(), None);
        assert_eq!(Schedule::new(&[0.0, 1.0], Method::Euler, 2.0).guidance(), Some(2.0));
    }
}
