//! Noise and bandwidth, from a spectrogram.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "frequencies and indices are small and not negative"
)]

use realfft::RealFftPlanner;

/// The model hears nothing above.
const HIGHEST_HZ: f64 = 12_000.0;
/// Windows are at least so long: long enough for a deep voice, short against a syllable.
const WINDOW_SECONDS: f64 = 0.032;
/// Frames whose power is below this are no recording but filled in, such as by a noise gate.
const DIGITAL_SILENCE: f32 = 1e-12;
/// Bandwidth is told in bands of this width.
const BAND_HZ: f64 = 250.0;
/// What lies this far below the strongest band of speech is not heard.
const BAND_RANGE_DB: f64 = 60.0;

/// Power by time and frequency; a sine at full scale has a power of one half.
#[derive(Debug)]
pub(super) struct Spectrogram {
    /// Frame by frame, `bins` each.
    power: Vec<f32>,
    bins: usize,
    bin_hz: f64,
    frame_seconds: f64,
}

impl Spectrogram {
    /// Analyses mono samples in windows that overlap by half; there are none if they are too few.
    pub(super) fn new(samples: &[f32], sample_rate_hz: u32) -> Self {
        let rate_hz = f64::from(sample_rate_hz);
        let window = ((rate_hz * WINDOW_SECONDS) as usize).next_power_of_two();
        let transform = RealFftPlanner::<f32>::new().plan_fft_forward(window);
        let hann: Vec<f32> = (0..window)
            .map(|index| std::f64::consts::TAU * index as f64 / window as f64)
            .map(|turn| (0.5 - 0.5 * turn.cos()) as f32)
            .collect();
        // The mean of a squared Hann window is 3/8; the other half of the spectrum is its mirror.
        let scale = 2.0 / (0.375 * (window as f32).powi(2));
        let (mut frame, mut spectrum) = (transform.make_input_vec(), transform.make_output_vec());
        let mut power = Vec::new();
        for piece in samples.windows(window).step_by(window / 2) {
            for ((value, sample), weight) in frame.iter_mut().zip(piece).zip(&hann) {
                *value = sample * weight;
            }
            transform
                .process(&mut frame, &mut spectrum)
                .expect("the buffers come from the transform itself");
            power.extend(spectrum.iter().map(|bin| bin.norm_sqr() * scale));
        }
        Self {
            power,
            bins: window / 2 + 1,
            bin_hz: rate_hz / window as f64,
            frame_seconds: window as f64 / 2.0 / rate_hz,
        }
    }

    fn frames(&self) -> impl Iterator<Item = &[f32]> {
        self.power.chunks_exact(self.bins)
    }

    /// Bins that the model hears.
    fn audible(&self) -> usize {
        self.bins.min((HIGHEST_HZ / self.bin_hz) as usize)
    }

    /// The middle of a frame.
    fn seconds(&self, frame: usize) -> f64 {
        (frame as f64 + 1.0) * self.frame_seconds
    }

    /// The power of steady noise, under speech and between it.
    ///
    /// Speech leaves every frequency alone now and then, noise does not: what a frequency has in its
    /// quieter moments is noise. Nor can there be more noise than there is sound in the quietest
    /// moments. So this needs no pause, but short recordings without any seem noisier than they are.
    pub(super) fn noise_power(&self) -> f64 {
        /// Bins on either side that share their noise.
        const REACH: usize = 8;
        let frames = self.recorded_frames();
        let by_bin: Vec<Vec<f32>> = (1..self.audible())
            .map(|bin| sorted(frames.iter().map(|frame| frame[bin])))
            .collect();
        let guesses: Vec<f32> = by_bin.iter().map(|powers| noise_guess(powers)).collect();
        let noise = by_bin.iter().enumerate().map(|(bin, powers)| {
            let near = &guesses[bin.saturating_sub(REACH)..(bin + REACH + 1).min(guesses.len())];
            f64::from(noise_mean(powers, near.iter().sum::<f32>() / near.len() as f32))
        });
        noise.sum::<f64>().min(self.quietest_power(&frames))
    }

    /// The mean power of the quietest tenth of the frames.
    fn quietest_power(&self, frames: &[&[f32]]) -> f64 {
        const SHARE: usize = 10;
        let powers = frames
            .iter()
            .map(|frame| frame[1..self.audible()].iter().sum());
        let powers = sorted(powers);
        let quietest = &powers[..powers.len().div_ceil(SHARE)];
        let sum: f64 = quietest.iter().copied().map(f64::from).sum();
        sum / quietest.len().max(1) as f64
    }

    /// How much the sound changes: the standard deviation of the level over time, mean of all bands.
    ///
    pub(super) fn variation_db(&self) -> f64 {
        /// Third octaves from 100 Hz, but never less than four bins, as noise in few bins varies.
        const LOWEST_HZ: f64 = 100.0;
        const FEWEST_BINS: usize = 4;
        /// What lies so far below the loudest band is not heard beside it.
        const RANGE: f64 = 1e-6;
        let frames = self.recorded_frames();
        let mut bands = Vec::new();
        let mut first = (LOWEST_HZ / self.bin_hz).ceil() as usize;
        while first + FEWEST_BINS <= self.audible() {
            let width = ((first as f64 * 0.26) as usize).max(FEWEST_BINS);
            let band = first..(first + width).min(self.audible());
            let powers = frames
                .iter()
                .map(|frame| f64::from(frame[band.clone()].iter().sum::<f32>()));
            bands.push(powers.collect::<Vec<f64>>());
            first = band.end;
        }
        let loudest = bands.iter().flatten().copied().fold(0.0, f64::max);
        let deviations = bands
            .iter()
            .map(|powers| deviation_db(powers, loudest * RANGE));
        deviations.sum::<f64>() / bands.len().max(1) as f64
    }

    /// The frames with any sound.
    fn recorded_frames(&self) -> Vec<&[f32]> {
        let is_recorded = |frame: &&[f32]| frame.iter().sum::<f32>() > DIGITAL_SILENCE;
        self.frames().filter(is_recorded).collect()
    }

    /// The mean power while `is_speech` holds at a time in seconds, noise included.
    pub(super) fn speech_power(&self, is_speech: impl Fn(f64) -> bool) -> Option<f64> {
        let powers: Vec<f64> = self
            .speech_frames(is_speech)
            .map(|frame| f64::from(frame[1..self.audible()].iter().sum::<f32>()))
            .collect();
        (!powers.is_empty()).then(|| powers.iter().sum::<f64>() / powers.len() as f64)
    }

    /// The highest frequency that is heard in the loudest moments of each band.
    pub(super) fn bandwidth_hz(&self, is_speech: impl Fn(f64) -> bool) -> Option<u32> {
        /// Hisses are short: the loudest twentieth of the time shows them.
        const LOUD: f64 = 0.95;
        let frames: Vec<&[f32]> = self.speech_frames(is_speech).collect();
        let width = ((BAND_HZ / self.bin_hz) as usize).max(1);
        let rank = (LOUD * frames.len() as f64) as usize;
        let bands: Vec<f64> = (1..self.bins)
            .step_by(width)
            .map(|first| first..(first + width).min(self.bins))
            .map(|band| {
                let mut levels: Vec<f32> = frames
                    .iter()
                    .map(|frame| frame[band.clone()].iter().sum())
                    .collect();
                let rank = rank.min(levels.len().saturating_sub(1));
                if levels.is_empty() {
                    return 0.0;
                }
                f64::from(*levels.select_nth_unstable_by(rank, f32::total_cmp).1)
            })
            .collect();
        let strongest = bands.iter().copied().fold(0.0, f64::max);
        let least = strongest * 10_f64.powf(-BAND_RANGE_DB / 10.0);
        let highest = bands
            .iter()
            .rposition(|&power| power > least && strongest > 0.0)?;
        let end = ((highest + 1) * width).min(self.bins - 1);
        Some((end as f64 * self.bin_hz).round() as u32)
    }

    fn speech_frames(&self, is_speech: impl Fn(f64) -> bool) -> impl Iterator<Item = &[f32]> {
        let frames = self.frames().enumerate();
        frames
            .filter(move |(index, _)| is_speech(self.seconds(*index)))
            .map(|(_, frame)| frame)
    }
}

/// Where the mean of noise in a bin may lie: powers of Gaussian noise are distributed exponentially.
///
/// Told from two low quantiles, as a tone shifts both of them alike.
fn noise_guess(powers: &[f32]) -> f32 {
    const LOW: f32 = 0.1;
    const HIGH: f32 = 0.2;
    let at = |share: f32| {
        let rank = (share * powers.len() as f32) as usize;
        powers.get(rank).copied().unwrap_or_default()
    };
    (at(HIGH) - at(LOW)) / ((1.0 - LOW) / (1.0 - HIGH)).ln()
}

/// The mean power of noise in a bin that has speech, too, at times.
///
/// The guess is too high, as quantiles count the time of speech. The mean of all powers below twice
/// the last guess gives the next one, as long as that is less.
fn noise_mean(powers: &[f32], guess: f32) -> f32 {
    const LIMIT: f32 = 2.0;
    const ROUNDS: usize = 5;
    // What the mean of an exponential distribution with mean one is below the limit.
    let mean_below = 1.0 - LIMIT / (LIMIT.exp() - 1.0);
    let mut mean = guess;
    for _ in 0..ROUNDS {
        let below = &powers[..powers.partition_point(|&power| power < LIMIT * mean)];
        let sum: f32 = below.iter().sum();
        mean = mean.min(sum / below.len().max(1) as f32 / mean_below);
    }
    mean
}

/// The standard deviation of levels; below the floor all levels are one.
fn deviation_db(powers: &[f64], floor: f64) -> f64 {
    let levels = || {
        powers
            .iter()
            .map(|power| 10.0 * power.max(floor).max(f64::MIN_POSITIVE).log10())
    };
    let count = powers.len().max(1) as f64;
    let mean = levels().sum::<f64>() / count;
    (levels().map(|level| (level - mean).powi(2)).sum::<f64>() / count).sqrt()
}

fn sorted(powers: impl Iterator<Item = f32>) -> Vec<f32> {
    let mut powers: Vec<f32> = powers.collect();
    powers.sort_unstable_by(f32::total_cmp);
    powers
}
