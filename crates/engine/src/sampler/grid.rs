//! The times at which the sampler asks the network.

use crate::duration::OutOfRange;

/// How many steps lead from noise to speech.
///
/// Invariant: within [`Nfe::RANGE`]. The name is the field's: number of function evaluations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nfe(u8);

impl Nfe {
    /// The least and the largest number of steps.
    pub const RANGE: (u32, u32) = (1, 128);
    /// The original's default.
    pub const DEFAULT: Self = Self(32);
    /// The seven steps of EPSS: four times as fast.
    pub const FAST: Self = Self(7);
    /// The sixteen steps of EPSS: twice as fast.
    pub const BALANCED: Self = Self(16);
    /// As the original.
    pub const BEST: Self = Self::DEFAULT;

    /// The number of steps.
    pub const fn get(self) -> usize {
        self.0 as usize
    }
}

impl Default for Nfe {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl TryFrom<u32> for Nfe {
    type Error = OutOfRange;

    fn try_from(value: u32) -> Result<Self, OutOfRange> {
        let (least, most) = Self::RANGE;
        let out_of_range = || OutOfRange {
            name: "nfe_step",
            value: f64::from(value),
            least: f64::from(least),
            most: f64::from(most),
        };
        u8::try_from(value)
            .ok()
            .filter(|_| (least..=most).contains(&value))
            .map(Self)
            .ok_or_else(out_of_range)
    }
}

/// The sway sampling coefficient: below zero, the steps crowd near the noise.
///
/// Invariant: within [`Sway::RANGE`].
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Sway(f32);

impl Sway {
    /// The least and the largest coefficient; within them the times never run backwards.
    pub const RANGE: (f32, f32) = (-1.0, 1.0);
    /// The original's default.
    pub const DEFAULT: Self = Self(-1.0);
    /// The times as they are spaced.
    pub const NONE: Self = Self(0.0);

    /// The coefficient.
    pub const fn get(self) -> f32 {
        self.0
    }
}

impl Default for Sway {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl TryFrom<f32> for Sway {
    type Error = OutOfRange;

    fn try_from(value: f32) -> Result<Self, OutOfRange> {
        let (least, most) = Self::RANGE;
        let range = (f64::from(least), f64::from(most));
        OutOfRange::check("sway_sampling_coef", f64::from(value), range).map(|_| Self(value))
    }
}

/// How the steps are spaced before the sway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spacing {
    /// The *empirically pruned* steps of Fast-F5 where they are known (5, 6, 7, 10, 12 and 16
    /// steps), else equal ones. The original's default.
    #[default]
    Pruned,
    /// All steps equal.
    Equal,
}

/// The times from 0 (noise) to 1 (speech), one more than there are steps.
pub fn times(steps: Nfe, spacing: Spacing, Sway(coefficient): Sway) -> Vec<f32> {
    let pruned = match spacing {
        Spacing::Pruned => pruned(steps),
        Spacing::Equal => None,
    };
    let mut times = match pruned {
        Some(parts) => parts.iter().map(|&part| f32::from(part) / 32.0).collect(),
        None => equal(steps),
    };
    for time in &mut times {
        *time += coefficient * ((std::f32::consts::FRAC_PI_2 * *time).cos() - 1.0 + *time);
    }
    times
}

/// In parts of 1/32.
const fn pruned(steps: Nfe) -> Option<&'static [u8]> {
    Some(match steps.get() {
        5 => &[0, 2, 4, 8, 16, 32],
        6 => &[0, 2, 4, 6, 8, 16, 32],
        7 => &[0, 2, 4, 6, 8, 16, 24, 32],
        10 => &[0, 2, 4, 6, 8, 12, 16, 20, 24, 28, 32],
        12 => &[0, 2, 4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32],
        16 => &[0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32],
        _ => return None,
    })
}

/// As `torch.linspace` has it: each half is counted from its own end, and rounded once.
fn equal(steps: Nfe) -> Vec<f32> {
    let step = 1.0 / f32::from(steps.0);
    let time = |index| {
        if index < steps.0.div_ceil(2) {
            step * f32::from(index)
        } else {
            step.mul_add(-f32::from(steps.0 - index), 1.0)
        }
    };
    (0..=steps.0).map(time).collect()
}
