//! RunPod's public API on this machine, for any handler.

mod entry;
mod health;
mod queue;
mod routes;
mod webhook;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use tokio::{net::TcpListener, time::timeout};
use tokio_util::sync::CancellationToken;

pub use self::{
    health::{Readiness, health_routes, serve_load_balanced},
    queue::LocalQueue,
};
use crate::worker::{Worker, WorkerError};

/// How long connections may take to end once all jobs are done.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// What the local API takes in and keeps.
#[derive(Clone, Debug)]
pub struct LocalLimits {
    /// Jobs that wait to be run; more are refused with status 429.
    pub max_waiting: usize,
    /// Size of a request to `/run`.
    pub max_run_bytes: usize,
    /// Size of a request to `/runsync`.
    pub max_runsync_bytes: usize,
    /// How long results of `/run` are kept.
    pub keep_run_results: Duration,
    /// How long results of `/runsync` are kept.
    pub keep_runsync_results: Duration,
    /// How long a job may wait, unless its policy says so.
    pub time_to_live: Duration,
    /// What all jobs may occupy together. The oldest results give way.
    pub max_kept_bytes: usize,
    /// Whether clients may name an address that is called at the end of their job. Not for a server that
    /// strangers reach: it calls any address.
    pub webhooks: bool,
}

impl Default for LocalLimits {
    fn default() -> Self {
        Self {
            max_waiting: 1000,
            max_run_bytes: 10_000_000,
            max_runsync_bytes: 20_000_000,
            keep_run_results: Duration::from_secs(30 * 60),
            keep_runsync_results: Duration::from_secs(60),
            time_to_live: Duration::from_secs(24 * 60 * 60),
            max_kept_bytes: 512 << 20,
            webhooks: true,
        }
    }
}

/// RunPod's public API on this machine: a queue, and the routes that fill it.
///
/// The queue is a [`JobSource`](crate::JobSource): give it to [`Worker::run_with`] and the routes to a
/// server, or both to [`serve_local_api`].
#[derive(Clone, Debug)]
pub struct LocalApi {
    queue: Arc<LocalQueue>,
}

/// The local API could not be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address is taken or not ours.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The worker could not work.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// The server failed later.
    #[error("the server failed")]
    Serve(#[source] io::Error),
}

impl LocalApi {
    /// An empty queue.
    #[must_use]
    pub fn new(limits: LocalLimits) -> Self {
        Self { queue: Arc::new(LocalQueue::new(limits)) }
    }

    /// What a worker takes jobs from.
    #[must_use]
    pub fn queue(&self) -> Arc<LocalQueue> {
        Arc::clone(&self.queue)
    }

    /// `/run`, `/runsync`, `/status/{id}`, `/stream/{id}`, `/cancel/{id}`, `/retry/{id}`, `/purge-queue` and
    /// `/health`; all of them below `/v2/{endpoint}` too, where the official clients look for them.
    pub fn routes(&self) -> Router {
        routes::routes(self.queue())
    }

    /// Takes no more jobs. Those that wait are cancelled; those that run go on.
    pub fn close(&self) {
        self.queue.close();
    }
}

impl Default for LocalApi {
    fn default() -> Self {
        Self::new(LocalLimits::default())
    }
}

/// Serves the local API and runs its jobs with `worker`, until `stop`.
///
/// # Errors
/// [`ServeError`]
pub async fn serve_local_api(
    worker: Worker,
    address: SocketAddr,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let api = LocalApi::default();
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| ServeError::Listen { address, source })?;
    let address = listener.local_addr().map_err(ServeError::Serve)?;
    tracing::info!("the API is at http://{address}, for clients http://{address}/v2");
    let server =
        axum::serve(listener, api.routes()).with_graceful_shutdown(stop.clone().cancelled_owned());
    let mut server = tokio::spawn(server.into_future());
    let (stopped, closing) = (stop.clone(), api.clone());
    tokio::spawn(async move {
        stopped.cancelled().await;
        closing.close();
    });
    let worked = worker.run_with(api.queue(), stop.clone()).await;
    stop.cancel();
    // The last answers are on their way; a poll that waits for more is not worth waiting for.
    match timeout(CLOSE_WITHIN, &mut server).await {
        Ok(Ok(served)) => served.map_err(ServeError::Serve)?,
        Ok(Err(error)) => tracing::error!(%error, "the server ended early"),
        Err(_) => server.abort(),
    }
    Ok(worked?)
}
