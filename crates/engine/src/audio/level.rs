#![expect(
    clippy::cast_possible_truncation,
    reason = "sums in double precision, results in single"
)]

/// The root of the mean square; zero for no samples.
pub fn rms(samples: &[f32]) -> f32 {
    if samples.is_empty() {
        return 0.0;
    }
    let sum: f64 = samples
        .iter()
        .map(|&sample| f64::from(sample).powi(2))
        .sum();
    (sum / samples.len() as f64).sqrt() as f32
}

/// Amplifies to `target_rms` what is quieter, and returns the level found.
///
/// Nothing is ever attenuated, and silence stays as it is.
pub fn normalize(samples: &mut [f32], target_rms: f32) -> f32 {
    let found = rms(samples);
    if found > 0.0 && found < target_rms {
        for sample in samples {
            *sample = *sample * target_rms / found;
        }
    }
    found
}
