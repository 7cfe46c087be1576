//! Where speech is.

use f5tts_engine::audio;

/// What the detector listens to.
const RATE_HZ: u32 = 16_000;
const FRAME: usize = 256;
const FRAME_SECONDS: f64 = 0.016;
/// The score from which the detector means speech.
///
/// On flite and espeak with white noise of 30 to 0 dB SNR, it finds 0.84 to 0.99 of the frames of
/// speech, and takes up to 0.6 of the noise for speech; a threshold over the level finds 0.1 at 0 dB.
const SPEECH_SCORE: f32 = 0.5;
/// Frames this far below the loud ones are pauses, even if the detector still lingers in speech.
const RANGE_DB: f32 = 40.0;

/// Frames of 16 ms, each speech or not.
#[derive(Debug)]
pub(super) struct Speech {
    frames: Vec<bool>,
}

impl Speech {
    /// Looks for speech in mono samples, with earshot's detector.
    pub(super) fn find(samples: &[f32], sample_rate_hz: u32) -> Self {
        let mut samples = audio::resample(samples, sample_rate_hz, RATE_HZ);
        // Filters overshoot, and the detector insists on the range.
        for sample in &mut samples {
            *sample = sample.clamp(-1.0, 1.0);
        }
        let levels: Vec<f32> = samples.chunks_exact(FRAME).map(audio::rms).collect();
        let mut detector = earshot::Detector::default();
        let scores = samples
            .chunks_exact(FRAME)
            .map(|frame| detector.predict_f32(frame));
        let quietest = loud(&levels) * 10_f32.powf(-RANGE_DB / 20.0);
        let frames = scores
            .zip(&levels)
            .map(|(score, &level)| score > SPEECH_SCORE && level > quietest)
            .collect();
        Self { frames }
    }

    /// All of it.
    pub(super) fn seconds(&self) -> f64 {
        self.count() as f64 * FRAME_SECONDS
    }

    /// The share of speech from its first frame to its last.
    pub(super) fn share(&self) -> f64 {
        match self.bounds() {
            Some((first, last)) => self.count() as f64 / (last + 1 - first) as f64,
            None => 0.0,
        }
    }

    /// The time before the first frame of speech.
    pub(super) fn begin_seconds(&self) -> Option<f64> {
        self.bounds().map(|(first, _)| first as f64 * FRAME_SECONDS)
    }

    /// The time at the end of the last frame of speech.
    pub(super) fn end_seconds(&self) -> Option<f64> {
        self.bounds()
            .map(|(_, last)| (last + 1) as f64 * FRAME_SECONDS)
    }

    /// Whether there is speech at a time.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "times are not negative"
    )]
    pub(super) fn is_at(&self, seconds: f64) -> bool {
        let frame = (seconds / FRAME_SECONDS) as usize;
        self.frames.get(frame).copied().unwrap_or(false)
    }

    fn count(&self) -> usize {
        self.frames.iter().filter(|&&is_speech| is_speech).count()
    }

    fn bounds(&self) -> Option<(usize, usize)> {
        let is_speech = |&frame: &bool| frame;
        let first = self.frames.iter().position(is_speech)?;
        let last = self.frames.iter().rposition(is_speech)?;
        Some((first, last))
    }
}

/// The level that only a twentieth of the frames exceeds.
fn loud(levels: &[f32]) -> f32 {
    let mut levels = levels.to_vec();
    levels.sort_by(f32::total_cmp);
    levels
        .get(levels.len() * 19 / 20)
        .copied()
        .unwrap_or_default()
}
