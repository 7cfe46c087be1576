//! When the next poll for jobs begins.

use std::time::Duration;

use tokio::time::Instant;

use crate::{backoff::Backoff, source::SourceError};

/// A poll that brought nothing in less than this did not wait for jobs.
const INSTANT: Duration = Duration::from_secs(1);
/// What the official worker does on 429.
const PAUSE_WHEN_BUSY: Duration = Duration::from_secs(5);
/// A server may ask for patience, but not for ever.
const LONGEST_WAIT_ON_REQUEST: Duration = Duration::from_secs(60);

/// When the next poll for jobs begins: at once after a job, later and later while polls fail, or while they
/// bring nothing without having waited.
#[derive(Debug)]
pub(crate) struct TakePace {
    begun: Instant,
    next: Instant,
    failures: Backoff,
    nothing: Backoff,
}

impl TakePace {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self {
            begun: now,
            next: now,
            failures: Backoff::new(Duration::from_millis(200), Duration::from_secs(10)),
            nothing: Backoff::new(Duration::from_millis(50), Duration::from_secs(1)),
        }
    }

    pub(crate) fn next(&self) -> Instant {
        self.next
    }

    pub(crate) fn is_over(&self) -> bool {
        self.next <= Instant::now()
    }

    pub(crate) fn begin(&mut self) {
        self.begun = Instant::now();
    }

    pub(crate) fn answered(&mut self, new_jobs: usize) {
        self.failures.reset();
        if new_jobs > 0 || self.begun.elapsed() >= INSTANT {
            self.nothing.reset();
            self.next = Instant::now();
        } else {
            self.next = self.begun + self.nothing.next_pause();
        }
    }

    pub(crate) fn failed(&mut self, error: &SourceError) {
        if let SourceError::TimedOut { after } = error {
            // The server may hold polls for longer than we do.
            tracing::debug!(?after, "a poll was not answered");
            return self.answered(0);
        }
        let asked = error
            .retry_after()
            .unwrap_or_default()
            .min(LONGEST_WAIT_ON_REQUEST);
        let busy = if error.status() == Some(429) {
            PAUSE_WHEN_BUSY
        } else {
            Duration::ZERO
        };
        let pause = self.failures.next_pause().max(asked).max(busy);
        self.next = Instant::now() + pause;
        let error = error as &dyn std::error::Error;
        tracing::warn!(error, ?pause, "could not take jobs");
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn pause_after(pace: &TakePace) -> u128 {
        pace.next()
            .saturating_duration_since(Instant::now())
            .as_millis()
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_is_followed_by_a_poll_at_once() {
        let mut pace = TakePace::new();
        pace.begin();
        pace.answered(1);
        assert!(pace.is_over());
        pace.begin();
        advance(Duration::from_secs(20)).await;
        pace.answered(0);
        assert!(pace.is_over());
    }

    #[tokio::test(start_paused = true)]
    async fn instant_answers_and_failures_slow_down() {
        let mut pace = TakePace::new();
        for _ in 0..10 {
            pace.begin();
            pace.answered(0);
        }
        assert!((500..=1000).contains(&pause_after(&pace)));
        let unavailable = SourceError::Status { status: 503, retry_after: None };
        for _ in 0..10 {
            pace.failed(&unavailable);
        }
        assert!((5_000..=10_000).contains(&pause_after(&pace)));
        pace.answered(1);
        assert!(pace.is_over());
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_holds_polls_for_longer_than_we_wait_costs_nothing() {
        let mut pace = TakePace::new();
        for _ in 0..10 {
            pace.begin();
            advance(Duration::from_secs(90)).await;
            pace.failed(&SourceError::TimedOut { after: Duration::from_secs(90) });
            assert!(pace.is_over());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_that_a_server_waited_counts() {
        let mut pace = TakePace::new();
        for _ in 0..10 {
            pace.begin();
            advance(Duration::from_millis(900)).await;
            pace.answered(0);
        }
        assert!(pause_after(&pace) <= 100);
    }

    #[tokio::test(start_paused = true)]
    async fn the_server_may_ask_for_patience() {
        let mut pace = TakePace::new();
        pace.failed(&SourceError::Status { status: 429, retry_after: None });
        assert_eq!(pause_after(&pace), 5_000);
        pace.failed(&SourceError::Status {
            status: 503,
            retry_after: Some(Duration::from_secs(30)),
        });
        assert_eq!(pause_after(&pace), 30_000);
        pace.failed(&SourceError::Status { status: 503, retry_after: Some(Duration::MAX) });
        assert_eq!(pause_after(&pace), 60_000);
    }
}
