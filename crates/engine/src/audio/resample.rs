#![expect(
    clippy::cast_possible_truncation,
    reason = "taps in double precision, results in single"
)]

use std::f64::consts::PI;

use super::segment::gcd;

/// A band-limiting filter, cut off by a window.
#[derive(Clone, Copy, Debug)]
struct Filter {
    /// Zero crossings of the sinc on either side.
    zero_crossings: f64,
    /// The cut-off as a share of the lower Nyquist frequency.
    rolloff: f64,
    window: Window,
    /// PyTorch divides integers in single precision, so torchaudio places its filters by that.
    single_precision_places: bool,
}

#[derive(Clone, Copy, Debug)]
enum Window {
    Hann,
    Kaiser { beta: f64 },
}

impl Window {
    /// What the window is in the middle, before it is made one.
    fn height(self) -> f64 {
        match self {
            Self::Hann => 1.0,
            Self::Kaiser { beta } => bessel_i0(beta),
        }
    }
}

/// torchaudio's default, with which the model's training data and references are made.
const REFERENCE: Filter = Filter {
    zero_crossings: 6.0,
    rolloff: 0.99,
    window: Window::Hann,
    single_precision_places: true,
};

/// The `kaiser_best` setting of the same resampler.
const OUTPUT: Filter = Filter {
    zero_crossings: 64.0,
    rolloff: 0.947_593_716_739_959_6,
    window: Window::Kaiser { beta: 14.769_656_459_379_492 },
    single_precision_places: false,
};

/// Changes the rate of a reference as `torchaudio.transforms.Resample` does by default.
///
/// The result has ⌈samples · `to_hz` / `from_hz`⌉ samples. Both rates must be above zero.
pub fn resample(samples: &[f32], from_hz: u32, to_hz: u32) -> Vec<f32> {
    apply(REFERENCE, samples, from_hz, to_hz)
}

/// Changes the rate of speech for the listener: a much steeper filter than [`resample`].
///
/// The result has ⌈samples · `to_hz` / `from_hz`⌉ samples. Both rates must be above zero.
pub fn resample_output(samples: &[f32], from_hz: u32, to_hz: u32) -> Vec<f32> {
    apply(OUTPUT, samples, from_hz, to_hz)
}

fn apply(filter: Filter, samples: &[f32], from_hz: u32, to_hz: u32) -> Vec<f32> {
    if from_hz == to_hz {
        return samples.to_vec();
    }
    let divisor = gcd(from_hz, to_hz);
    let (from, to) = ((from_hz / divisor) as usize, (to_hz / divisor) as usize);
    let length = (samples.len() * to).div_ceil(from);
    // Unrelated rates have as many phases as there are samples in a second.
    let phases: Vec<_> = (0..to.min(length))
        .map(|phase| filter.phase(phase, from, to))
        .collect();
    (0..length)
        .map(|index| phases[index % to].value(samples, index / to * from))
        .collect()
}

/// The taps for one position between two input samples.
struct Phase {
    /// The first tap's distance from the input sample at or before the output sample.
    first: isize,
    taps: Vec<f32>,
}

impl Filter {
    /// <https://github.com/pytorch/audio/blob/v2.11.0/src/torchaudio/functional/functional.py>
    fn phase(self, phase: usize, from: usize, to: usize) -> Phase {
        let cutoff = from.min(to) as f64 * self.rolloff;
        let width = (self.zero_crossings * from as f64 / cutoff).ceil() as isize;
        let shift = if self.single_precision_places {
            f64::from(-(phase as f32) / to as f32)
        } else {
            -(phase as f64) / to as f64
        };
        let tap = |index: isize| self.tap((shift + index as f64 / from as f64) * cutoff);
        // Outside of the window the taps are zero: most of them, as `from` is mostly large.
        let center = (phase * from / to) as isize;
        let first = (center - width).max(-width);
        let last = (center + width + 1).min(width + from as isize - 1);
        let scale = cutoff / from as f64 / self.window.height();
        Phase {
            first,
            taps: (first..=last)
                .map(|index| (tap(index) * scale) as f32)
                .collect(),
        }
    }

    /// The windowed sinc at `time`, in zero crossings.
    fn tap(self, time: f64) -> f64 {
        let time = time.clamp(-self.zero_crossings, self.zero_crossings);
        let relative = time / self.zero_crossings;
        let window = match self.window {
            Window::Hann => (relative * PI / 2.0).cos().powi(2),
            Window::Kaiser { beta } => bessel_i0(beta * (1.0 - relative * relative).sqrt()),
        };
        if time == 0.0 {
            window
        } else {
            window * (PI * time).sin() / (PI * time)
        }
    }
}

impl Phase {
    /// The sum of taps around the input sample `at`; there is silence around the samples.
    fn value(&self, samples: &[f32], at: usize) -> f32 {
        let begin = at as isize + self.first;
        let skipped = usize::try_from(-begin).unwrap_or(0).min(self.taps.len());
        let begin = usize::try_from(begin).unwrap_or(0).min(samples.len());
        dot(&samples[begin..], &self.taps[skipped..])
    }
}

/// The sum of products, as far as both reach; in lanes, which the compiler makes vectors of.
fn dot(samples: &[f32], taps: &[f32]) -> f32 {
    const LANES: usize = 8;
    let length = samples.len().min(taps.len());
    let (samples, samples_rest) = samples[..length].as_chunks::<LANES>();
    let (taps, taps_rest) = taps[..length].as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (samples, taps) in samples.iter().zip(taps) {
        for lane in 0..LANES {
            sums[lane] += samples[lane] * taps[lane];
        }
    }
    let rest: f32 = samples_rest
        .iter()
        .zip(taps_rest)
        .map(|(sample, tap)| sample * tap)
        .sum();
    sums.iter().sum::<f32>() + rest
}

/// The modified Bessel function of the first kind and order zero.
fn bessel_i0(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let (mut term, mut sum, mut k) = (1.0, 1.0, 1.0);
    while term > sum * f64::EPSILON {
        term *= quarter / (k * k);
        sum += term;
        k += 1.0;
    }
    sum
}
