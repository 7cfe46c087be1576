//! Pauses that grow.

use std::time::Duration;

/// Pauses that double from `first` to `longest`, each shortened by chance to as little as a half, so that
/// workers that failed together do not come back together.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    pub(crate) const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    pub(crate) fn next_pause(&mut self) -> Duration {
        let doubled = self.first.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        doubled
            .min(self.longest)
            .mul_f64(0.5 + 0.5 * fastrand::f64())
    }

    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(10));
        for expected in [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000] {
            let pause = backoff.next_pause().as_millis();
            assert!((expected / 2..=expected).contains(&pause), "{pause} ms for {expected} ms");
        }
        for _ in 0..100 {
            assert!(backoff.next_pause() <= Duration::from_secs(10));
        }
        backoff.reset();
        assert!(backoff.next_pause() <= Duration::from_millis(200));
    }
}
