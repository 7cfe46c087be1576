#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "ticks of an axis: below a thousand, and never below zero"
)]

/// What stands at a tick, and where, from 0 to 1 along the axis.
pub(super) type Tick = (String, f64);

/// Ticks at round times, at most about `most` of them.
pub(super) fn time_ticks(seconds: f64, most: usize) -> Vec<Tick> {
    let step = round_step(seconds / most.max(1) as f64);
    let digits = if step < 1.0 { 1 } else { 0 };
    let count = (seconds / step).floor() as usize;
    (0..=count)
        .map(|index| index as f64 * step)
        .map(|time| (format!("{time:.digits$}"), time / seconds))
        .collect()
}

/// The next of 0.1, 0.2, 0.5, 1, 2, 5, … seconds.
fn round_step(least: f64) -> f64 {
    let mut decade = 0.1;
    loop {
        for factor in [1.0, 2.0, 5.0] {
            if factor * decade >= least {
                return factor * decade;
            }
        }
        decade *= 10.0;
    }
}

/// Ticks in kilohertz where they lie on the mel scale of the model.
pub(super) fn frequency_ticks(sample_rate_hz: u32) -> Vec<Tick> {
    let highest = mel(f64::from(sample_rate_hz) / 2.0);
    [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 12.0]
        .into_iter()
        .map(|kilohertz: f64| (format!("{kilohertz}"), mel(1000.0 * kilohertz) / highest))
        .filter(|(_, part)| *part <= 1.0)
        .collect()
}

/// The scale of HTK, which the official mel spectrogram has.
fn mel(hertz: f64) -> f64 {
    2595.0 * (1.0 + hertz / 700.0).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &[Tick]) -> Vec<&str> {
        ticks.iter().map(|(label, _)| label.as_str()).collect()
    }

    #[test]
    fn times_are_round() {
        assert_eq!(labels(&time_ticks(2.7, 6)), ["0.0", "0.5", "1.0", "1.5", "2.0", "2.5"]);
        assert_eq!(labels(&time_ticks(61.0, 6)), ["0", "20", "40", "60"]);
        assert_eq!(labels(&time_ticks(0.01, 6)), ["0.0"]);
    }

    #[test]
    fn frequencies_reach_half_the_sample_rate() {
        let ticks = frequency_ticks(24_000);
        assert_eq!(labels(&ticks), ["0", "0.5", "1", "2", "4", "8", "12"]);
        assert!((ticks[6].1 - 1.0).abs() < 1e-12);
        assert!(ticks.windows(2).all(|pair| pair[0].1 < pair[1].1));
    }
}
