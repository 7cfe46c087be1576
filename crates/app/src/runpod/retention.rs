//! An idle worker removes what is older than the retention time, where it may list.

use std::{convert::Infallible, time::Duration};

use f5tts_service::{Service, jobs::sweep};

/// A worker that had nothing to do for so long is idle.
const IDLE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// Sweeps once a day, for as long as it is polled.
pub(super) async fn sweep_when_idle(service: &Service, retention: Option<Duration>) -> ! {
    let Some(retention) = retention else {
        match std::future::pending::<Infallible>().await {}
    };
    loop {
        wait_until_idle(service).await;
        match sweep(service.log(), &**service.storage(), retention).await {
            Ok(swept) => {
                tracing::info!(jobs = swept.jobs, keys = swept.keys, "old jobs removed")
            }
            Err(failure) => tracing::info!(%failure, "old jobs are not removed by this worker"),
        }
        tokio::time::sleep(DAY).await;
    }
}

async fn wait_until_idle(service: &Service) {
    loop {
        tokio::time::sleep(IDLE).await;
        if service.is_idle() {
            return;
        }
    }
}
