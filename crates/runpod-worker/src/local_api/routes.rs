//! The routes of the local API.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::queue::{LocalQueue, Refused};
use crate::job::{Job, JobError};

/// What the platform hands on; all other keys of a request are dropped.
const KEYS: [&str; 4] = ["input", "webhook", "policy", "s3Config"];
/// How long `/runsync` waits, unless it is asked to.
const DEFAULT_WAIT_MS: u64 = 90_000;
/// The official client gives a poll of a stream 10 s.
const STREAM_HOLD: Duration = Duration::from_secs(5);

type Queue = State<Arc<LocalQueue>>;

pub(super) fn routes(queue: Arc<LocalQueue>) -> Router {
    let operations = Router::new()
        .route("/run", post(run))
        .route("/runsync", post(run_sync))
        // The SDK's own server takes POST, the platform takes GET.
        .route("/status/{id}", get(status).post(status))
        .route("/stream/{id}", get(stream).post(stream))
        .route("/cancel/{id}", post(cancel))
        .route("/retry/{id}", post(retry))
        .route("/purge-queue", post(purge))
        .route("/health", get(health));
    Router::new()
        .route("/", get(index))
        .merge(operations.clone())
        .nest("/v2/{endpoint}", operations)
        .with_state(queue)
}

#[derive(Deserialize)]
struct JobPath {
    id: String,
}

#[derive(Deserialize)]
struct Wait {
    wait: Option<u64>,
}

/// What a client did wrong.
#[derive(Debug, thiserror::Error)]
enum BadRequest {
    #[error("the request has more than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the request is not JSON: {0}")]
    NotJson(serde_json::Error),
    #[error("the request must be an object with the key `input`")]
    NoInput,
    #[error("{0}")]
    Job(JobError),
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl axum::response::IntoResponse for BadRequest {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotJson(_) | Self::NoInput | Self::Job(_) => StatusCode::BAD_REQUEST,
            Self::Refused(Refused::Full) => StatusCode::TOO_MANY_REQUESTS,
            Self::Refused(Refused::Closed) => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, Json(json!({ "error": self.to_string() }))).into_response()
    }
}

async fn index() -> Json<Value> {
    Json(json!({
        "name": "runpod-worker",
        "version": env!("CARGO_PKG_VERSION"),
        "routes": [
            "POST /run", "POST /runsync", "GET /status/{id}", "GET /stream/{id}", "POST /cancel/{id}",
            "POST /retry/{id}", "POST /purge-queue", "GET /health",
        ],
    }))
}

async fn run(State(queue): Queue, body: Body) -> Result<Response, BadRequest> {
    let (job, bytes) = read_job(body, queue.limits().max_run_bytes, "").await?;
    let view = queue.submit(job, bytes, queue.limits().keep_run_results)?;
    Ok(Json(view).into_response())
}

async fn run_sync(
    State(queue): Queue,
    Query(Wait { wait }): Query<Wait>,
    body: Body,
) -> Result<Response, BadRequest> {
    let (job, bytes) = read_job(body, queue.limits().max_runsync_bytes, "sync-").await?;
    let view = queue.submit(job, bytes, queue.limits().keep_runsync_results)?;
    let wait = wait.unwrap_or(DEFAULT_WAIT_MS).clamp(1000, 300_000);
    Ok(found(
        queue
            .wait_for_end(&view.id, Duration::from_millis(wait))
            .await,
    ))
}

async fn status(State(queue): Queue, Path(JobPath { id }): Path<JobPath>) -> Response {
    found(queue.view(&id))
}

async fn stream(State(queue): Queue, Path(JobPath { id }): Path<JobPath>) -> Response {
    let parts = queue.parts(&id, STREAM_HOLD).await;
    found(parts.map(|(status, parts)| {
        let parts: Vec<_> = parts
            .into_iter()
            .map(|output| json!({ "output": output }))
            .collect();
        json!({ "status": status, "stream": parts })
    }))
}

async fn cancel(State(queue): Queue, Path(JobPath { id }): Path<JobPath>) -> Response {
    found(queue.cancel(&id))
}

async fn retry(State(queue): Queue, Path(JobPath { id }): Path<JobPath>) -> Response {
    match queue.retry(&id) {
        Some(Err(_)) => {
            let error = json!({ "error": "only a job that failed or timed out can be retried" });
            (StatusCode::BAD_REQUEST, Json(error)).into_response()
        }
        retried => found(retried.and_then(Result::ok)),
    }
}

async fn purge(State(queue): Queue) -> Json<Value> {
    Json(json!({ "removed": queue.purge(), "status": "completed" }))
}

async fn health(State(queue): Queue) -> Json<Value> {
    let totals = queue.totals();
    let running = usize::from(totals.in_progress > 0);
    Json(json!({
        "jobs": {
            "completed": totals.completed,
            "failed": totals.failed,
            "inProgress": totals.in_progress,
            "inQueue": totals.in_queue,
            "retried": totals.retried,
        },
        "workers": { "idle": 1 - running, "running": running, "initializing": 0, "throttled": 0 },
    }))
}

fn found(value: Option<impl serde::Serialize>) -> Response {
    match value {
        Some(value) => Json(value).into_response(),
        None => {
            let error = json!({ "error": "there is no such job, or not any more" });
            (StatusCode::NOT_FOUND, Json(error)).into_response()
        }
    }
}

async fn read_job(body: Body, limit: usize, prefix: &str) -> Result<(Job, usize), BadRequest> {
    let body = to_bytes(body, limit)
        .await
        .map_err(|_| BadRequest::TooLarge { limit })?;
    let request: Value = serde_json::from_slice(&body).map_err(BadRequest::NotJson)?;
    let Value::Object(mut request) = request else {
        return Err(BadRequest::NoInput);
    };
    if !request.contains_key("input") {
        return Err(BadRequest::NoInput);
    }
    let mut keys: Map<_, _> = KEYS
        .into_iter()
        .filter_map(|key| request.remove_entry(key))
        .collect();
    keys.insert("id".to_owned(), Value::String(format!("{prefix}{}", Uuid::new_v4())));
    let job = Job::from_value(Value::Object(keys)).map_err(BadRequest::Job)?;
    Ok((job, body.len()))
}
