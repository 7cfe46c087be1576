//! The channel on which the platform stops jobs.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{
    active::ActiveJobs,
    backoff::Backoff,
    context::CancelReason,
    source::{JobSource, SourceError},
};

/// From a poll that stopped nothing to the next, as in the official worker.
const PAUSE: Duration = Duration::from_secs(1);
/// Where there is no such channel there may be one after the next release.
const PAUSE_WITHOUT_CHANNEL: Duration = Duration::from_secs(300);
const PAUSE_WHEN_BUSY: Duration = Duration::from_secs(5);

/// Cancels jobs as the platform says, for ever.
pub(crate) async fn listen<S: JobSource>(source: &S, active: &ActiveJobs) {
    let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
    loop {
        let asked = Instant::now();
        let pause = match source.stop_signals().await {
            Ok(ids) => {
                backoff.reset();
                let mut stopped = false;
                for id in &ids {
                    if active.cancel(id, CancelReason::Stopped) {
                        tracing::info!(job.id = id, "stopped by the platform");
                        stopped = true;
                    }
                }
                // A platform that says the same again and again is not asked at full speed.
                if stopped {
                    Duration::ZERO
                } else {
                    PAUSE.saturating_sub(asked.elapsed())
                }
            }
            Err(SourceError::NoAddress { .. }) => {
                tracing::warn!(
                    "the platform gave no address for stop signals; jobs cannot be stopped"
                );
                return;
            }
            Err(SourceError::Status { status: status @ (404 | 405 | 501), .. }) => {
                tracing::info!(status, "the platform has no stop signals");
                PAUSE_WITHOUT_CHANNEL
            }
            Err(SourceError::Status { status: 429, .. }) => PAUSE_WHEN_BUSY,
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "no stop signals");
                backoff.next_pause()
            }
        };
        sleep(pause).await;
    }
}
