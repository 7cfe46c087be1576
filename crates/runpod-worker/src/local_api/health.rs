//! What a load balancer asks a worker.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::ServeError;
use crate::settings::Settings;

const LOADING: u8 = 0;
const READY: u8 = 1;
const FAILED: u8 = 2;

/// Whether a worker can serve requests. Clones share one state, which begins as "loading".
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicU8>);

impl Readiness {
    /// Requests may come.
    pub fn set_ready(&self) {
        self.0.store(READY, Ordering::Release);
    }

    /// Requests shall go elsewhere.
    pub fn set_failed(&self) {
        self.0.store(FAILED, Ordering::Release);
    }

    /// Whether requests may come.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::Acquire) == READY
    }
}

/// `GET /ping`: 204 while the worker loads, 200 when it is ready, 503 when it cannot serve.
pub fn health_routes(readiness: Readiness) -> Router {
    Router::new()
        .route("/ping", get(ping))
        .with_state(readiness)
}

async fn ping(State(readiness): State<Readiness>) -> Response {
    let status = |status, word| (status, Json(json!({ "status": word }))).into_response();
    match readiness.0.load(Ordering::Acquire) {
        LOADING => StatusCode::NO_CONTENT.into_response(),
        READY => status(StatusCode::OK, "healthy"),
        _ => status(StatusCode::SERVICE_UNAVAILABLE, "unhealthy"),
    }
}

/// Serves a load-balancing endpoint, which has no queue, until `stop`.
///
/// `routes` are on [`Settings::port`], `/ping` is there and on [`Settings::health_port`]. Requests that are
/// open at the end are answered.
///
/// # Errors
/// [`ServeError`]
pub async fn serve_load_balanced(
    settings: &Settings,
    routes: Router,
    readiness: Readiness,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let main = listen(settings.port).await?;
    let health = if settings.health_port == settings.port {
        None
    } else {
        Some(listen(settings.health_port).await?)
    };
    let serve = |listener, routes| {
        axum::serve(listener, routes).with_graceful_shutdown(stop.clone().cancelled_owned())
    };
    let own = health_routes(readiness);
    let main = serve(main, routes.merge(own.clone()));
    let served = match health {
        None => main.await,
        Some(health) => {
            tokio::try_join!(main.into_future(), serve(health, own).into_future()).map(drop)
        }
    };
    served.map_err(ServeError::Serve)
}

async fn listen(port: u16) -> Result<TcpListener, ServeError> {
    let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    TcpListener::bind(address)
        .await
        .map_err(|source| ServeError::Listen { address, source })
}
