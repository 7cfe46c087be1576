//! The sign of life.

use std::{io, sync::Arc, thread, time::Duration};

use tokio::{runtime, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{active::ActiveJobs, source::JobSource};

/// Pings until `stop`, on a thread and a runtime of its own: a handler that blocks the others must not
/// make the worker look dead, and a worker that is dead must not look alive.
pub(crate) fn start<S: JobSource>(
    source: Arc<S>,
    active: Arc<ActiveJobs>,
    interval: Duration,
    stop: CancellationToken,
) -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let pings = move || {
        runtime.block_on(stop.run_until_cancelled(ping_for_ever(&*source, &active, interval)));
    };
    thread::Builder::new()
        .name("ping".to_owned())
        .spawn(pings)
        .map(drop)
}

async fn ping_for_ever<S: JobSource>(source: &S, active: &ActiveJobs, interval: Duration) {
    let mut failures = 0_u32;
    loop {
        let pause = match source.ping(&active.ids()).await {
            Ok(()) => {
                failures = 0;
                interval
            }
            Err(error) => {
                // Not each of them: an hour without a network has 360.
                if failures.is_multiple_of(30) {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(failures, error, "a ping failed");
                }
                failures = failures.saturating_add(1);
                Duration::from_secs(1 << failures.min(6)).min(interval)
            }
        };
        sleep(pause).await;
    }
}
