//! From a decoded recording to numbers.

use ebur128::{EbuR128, Mode};
use f5tts_engine::audio::{self, Recording};

use super::{report::Measurements, spectrum::Spectrogram, speech::Speech};

/// Only so much is analysed: five times what the model hears.
const ANALYSED_SECONDS: u32 = 60;
/// The range in which the signal-to-noise ratio is told: 16 bits have no more.
const SNR_DB: std::ops::RangeInclusive<f64> = -20.0..=90.0;

/// Measures a recording as it was given, and the length of what the model hears of it.
pub(super) fn measure(recording: &Recording, trimmed: &Recording) -> Measurements {
    let format = recording.format();
    let mut samples = recording.to_mono();
    samples.truncate(format.sample_rate_hz.saturating_mul(ANALYSED_SECONDS) as usize);
    let inspection = audio::inspect(&samples, format.sample_rate_hz);
    let duration_seconds = recording.duration().as_secs_f64();
    let speech = Speech::find(&samples, format.sample_rate_hz);
    let spectrogram = Spectrogram::new(&samples, format.sample_rate_hz);
    let clipped_share = f64::from(inspection.clipped_share).max(flat_share(recording));
    let analysed_seconds = inspection.duration.as_secs_f64();
    Measurements {
        container: String::new(),
        sample_rate_hz: format.sample_rate_hz,
        channels: format.channels,
        duration_seconds: rounded(duration_seconds, 3),
        trimmed_seconds: rounded(trimmed.duration().as_secs_f64(), 3),
        speech_seconds: rounded(speech.seconds(), 3),
        speech_share: rounded(speech.share(), 3),
        leading_silence_seconds: rounded(speech.begin_seconds().unwrap_or(analysed_seconds), 3),
        trailing_silence_seconds: speech
            .end_seconds()
            .map_or(0.0, |end| rounded((analysed_seconds - end).max(0.0), 3)),
        loudness_lufs: loudness_lufs(&samples, format.sample_rate_hz),
        peak_dbfs: finite(20.0 * f64::from(inspection.peak).log10(), 1),
        clipped_share: rounded(clipped_share, 5),
        snr_db: snr_db(&spectrogram, &speech),
        variation_db: rounded(spectrogram.variation_db(), 1),
        bandwidth_hz: spectrogram.bandwidth_hz(|seconds| speech.is_at(seconds)),
        dc_offset: rounded(mean(&samples), 4),
        begins_abruptly: begins_abruptly(&samples, format.sample_rate_hz),
        ends_abruptly: inspection.ends_abruptly(),
        characters_per_second: None,
    }
}

/// Speech over noise.
fn snr_db(spectrogram: &Spectrogram, speech: &Speech) -> Option<f64> {
    let power = spectrogram.speech_power(|seconds| speech.is_at(seconds))?;
    let noise = spectrogram.noise_power();
    let ratio_db = 10.0 * ((power - noise).max(0.0) / noise.max(f64::MIN_POSITIVE)).log10();
    finite(ratio_db.clamp(*SNR_DB.start(), *SNR_DB.end()), 1)
}

fn loudness_lufs(samples: &[f32], sample_rate_hz: u32) -> Option<f64> {
    let mut meter = EbuR128::new(1, sample_rate_hz, Mode::I).ok()?;
    meter.add_frames_f32(samples).ok()?;
    finite(meter.loudness_global().ok()?, 1)
}

/// The share of samples on flat tops: clipped, and then made quieter.
///
/// A top is flat where three samples in a row equal the channel's extreme. Samples of 8 bits are too
/// coarse to tell, and so are those of very quiet recordings.
fn flat_share(recording: &Recording) -> f64 {
    const QUIETEST_PEAK: f64 = 0.05;
    const SHORTEST_TOP: usize = 3;
    let format = recording.format();
    if format.bits_per_sample < 16 {
        return 0.0;
    }
    let least = QUIETEST_PEAK * f64::from(1_u32 << (format.bits_per_sample - 1));
    let flat_in = |channel: usize| {
        let samples = || {
            recording
                .samples()
                .iter()
                .skip(channel)
                .step_by(format.channels)
        };
        let extremes = [samples().min(), samples().max()];
        let extremes = extremes.map(|extreme| extreme.copied().unwrap_or_default());
        let (mut flat, mut run, mut before) = (0, 0, 0);
        for &sample in samples() {
            let is_top = extremes.contains(&sample) && f64::from(sample.unsigned_abs()) >= least;
            run = match (is_top, sample == before) {
                (true, true) => run + 1,
                (true, false) => 1,
                (false, _) => 0,
            };
            before = sample;
            flat += match run {
                0..SHORTEST_TOP => 0,
                SHORTEST_TOP => SHORTEST_TOP,
                _ => 1,
            };
        }
        flat
    };
    let flat: usize = (0..format.channels).map(flat_in).max().unwrap_or_default();
    flat as f64 / recording.frames().max(1) as f64
}

/// Whether the very first samples are as loud as speech: the beginnings of words rise more slowly.
fn begins_abruptly(samples: &[f32], sample_rate_hz: u32) -> bool {
    const BEGINNING_HZ: u32 = 200;
    const RISE_DB: f32 = 15.0;
    let beginning = (sample_rate_hz / BEGINNING_HZ) as usize;
    let level = audio::rms(&samples[..beginning.min(samples.len())]);
    level > audio::rms(samples) * 10_f32.powf(-RISE_DB / 20.0)
}

fn mean(samples: &[f32]) -> f64 {
    let sum: f64 = samples.iter().copied().map(f64::from).sum();
    sum / samples.len().max(1) as f64
}

/// What can stand in JSON.
fn finite(value: f64, digits: i32) -> Option<f64> {
    value.is_finite().then(|| rounded(value, digits))
}

/// Rounded to what is worth telling.
pub(super) fn rounded(value: f64, digits: i32) -> f64 {
    let unit = 10_f64.powi(digits);
    (value * unit).round() / unit
}
