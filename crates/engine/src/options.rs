//! How a text is spoken: checked values, so that nothing downstream checks again.

use crate::{
    duration::{OutOfRange, Speed},
    sampler::{
        Method,
        grid::{Nfe, Sway},
    },
    stitch::CrossFade,
};

/// The strength of classifier-free guidance; 0 turns it off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CfgStrength(f32);

impl CfgStrength {
    /// What [`CfgStrength::try_from`] takes.
    pub const RANGE: (f32, f32) = (0.0, 10.0);

    /// The strength `s` of `v = v_c + (v_c − v_u)·s`.
    pub const fn get(self) -> f32 {
        self.0
    }
}

impl Default for CfgStrength {
    fn default() -> Self {
        Self(2.0)
    }
}

impl TryFrom<f32> for CfgStrength {
    type Error = OutOfRange;

    fn try_from(value: f32) -> Result<Self, OutOfRange> {
        let (least, most) = Self::RANGE;
        let range = (f64::from(least), f64::from(most));
        OutOfRange::check("cfg_strength", f64::from(value), range).map(|_| Self(value))
    }
}

/// A wanted length of speech.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpeechSeconds(f64);

impl SpeechSeconds {
    /// What [`SpeechSeconds::try_from`] takes.
    pub const RANGE: (f64, f64) = (0.1, 3600.0);

    /// Seconds.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for SpeechSeconds {
    type Error = OutOfRange;

    fn try_from(value: f64) -> Result<Self, OutOfRange> {
        OutOfRange::check("duration_seconds", value, Self::RANGE).map(Self)
    }
}

/// What to do with the pauses of the result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Silence {
    /// Leave them.
    #[default]
    Keep,
    /// Shorten those of more than a second, as the official `remove_silence` does.
    Remove,
}

/// How a text is spoken. The default is the official one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SpeakOptions {
    /// Steps of the integration.
    pub nfe: Nfe,
    /// The method of the integration.
    pub method: Method,
    /// The strength of guidance.
    pub cfg_strength: CfgStrength,
    /// Sway sampling.
    pub sway: Sway,
    /// The pace, against the reference's.
    pub speed: Speed,
    /// The length of the speech, in place of the estimate from the reference's pace.
    pub duration: Option<SpeechSeconds>,
    /// The fade between chunks.
    pub cross_fade: CrossFade,
    /// The seed of the noise. Equal input, seed and build give equal samples.
    pub seed: u64,
    /// What to do with pauses.
    pub silence: Silence,
}
