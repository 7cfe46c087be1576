use std::time::Duration;

use super::{level::rms, recording::playing_time};

/// What samples count as clipped: the two largest 16-bit values and beyond.
const CLIPPED: f32 = 32_766.0 / 32_768.0;
/// Speech levels are measured in pieces of this length.
const PIECE_MS: u32 = 30;
/// Pieces this far below the loudest are no speech.
const SPEECH_RANGE_DB: f32 = 25.0;
/// Speech fades by at least so much before it ends.
const FADE_DB: f32 = 15.0;

/// What can be said about a recording without understanding it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inspection {
    /// How long it plays.
    pub duration: Duration,
    /// The largest magnitude; 1 is full scale.
    pub peak: f32,
    /// The share of samples at or beyond full scale, 0 to 1.
    pub clipped_share: f32,
    /// The level of all of it, in dB below full scale; minus infinity for silence.
    pub rms_dbfs: f32,
    /// How far its last 30 ms lie below its speech, in dB.
    pub fade_db: f32,
}

impl Inspection {
    /// Whether the recording stops in the middle of a sound, not in a pause.
    ///
    /// What follows such a reference tends to begin with the rest of its last word.
    pub fn ends_abruptly(&self) -> bool {
        self.fade_db < FADE_DB
    }
}

/// Measures mono samples: of a reference before it is trimmed, which takes the end of its last sound.
pub fn inspect(samples: &[f32], sample_rate_hz: u32) -> Inspection {
    let clipped = samples
        .iter()
        .filter(|sample| sample.abs() >= CLIPPED)
        .count();
    Inspection {
        duration: playing_time(samples.len(), sample_rate_hz),
        peak: samples
            .iter()
            .fold(0.0, |peak, sample| peak.max(sample.abs())),
        clipped_share: clipped as f32 / samples.len().max(1) as f32,
        rms_dbfs: decibels(rms(samples)),
        fade_db: fade_db(samples, sample_rate_hz),
    }
}

/// How far the end lies below the mean level of the speech; infinite for silence.
fn fade_db(samples: &[f32], sample_rate_hz: u32) -> f32 {
    let piece = (sample_rate_hz * PIECE_MS / 1000).max(1) as usize;
    // From the end, so that the last piece is a whole one.
    let levels: Vec<f32> = samples.rchunks(piece).map(rms).collect();
    let loudest = levels.iter().copied().fold(0.0, f32::max);
    if loudest == 0.0 {
        return f32::INFINITY;
    }
    let quietest = loudest * 10_f32.powf(-SPEECH_RANGE_DB / 20.0);
    let speech: Vec<f32> = levels
        .iter()
        .copied()
        .filter(|&level| level >= quietest)
        .collect();
    decibels(rms(&speech)) - decibels(levels[0])
}

fn decibels(ratio: f32) -> f32 {
    20.0 * ratio.log10()
}
