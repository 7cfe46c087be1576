//! The local API, as a client sees it.

use std::time::Duration;

use axum::{Router, extract::State, routing::post};
use reqwest::{Client, Method, StatusCode};
use runpod_worker::{
    Answer, Context, Failure, Job, Outcome, Worker, handler,
    local_api::{LocalApi, LocalLimits, Readiness, health_routes, serve_load_balanced},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::fake::{SECOND, settings};

/// The API with a worker behind it.
struct Api {
    base: String,
    client: Client,
    api: LocalApi,
    stop: CancellationToken,
    worker: JoinHandle<Result<(), runpod_worker::WorkerError>>,
}

async fn run(job: Job, context: Context) -> Outcome {
    let input = &job.input;
    if input["fail"] == true {
        return Err(Failure::message("as it was asked for"));
    }
    for part in 0..input["parts"].as_u64().unwrap_or(0) {
        context.stream(part).await?;
    }
    if let Some(update) = input.get("progress") {
        context.progress(update.clone());
    }
    let time = Duration::from_millis(input["sleep_ms"].as_u64().unwrap_or(0));
    tokio::select! {
        () = sleep(time) => {}
        () = context.cancellation().cancelled() => return Err(Failure::message("stopped")),
    }
    Ok(if input["parts"].is_u64() {
        Answer::streamed()
    } else {
        Answer::verbatim(job.input)
    })
}

async fn serve(routes: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, routes).into_future());
    base
}

impl Api {
    async fn start() -> Self {
        Self::with_limits(LocalLimits::default()).await
    }

    async fn with_limits(limits: LocalLimits) -> Self {
        let (api, stop) = (LocalApi::new(limits), CancellationToken::new());
        let worker = Worker::new(settings(), handler(run));
        let worker = tokio::spawn(worker.run_with(api.queue(), stop.clone()));
        let base = serve(api.routes()).await;
        // The client of the crate itself sets up TLS; this one comes without.
        drop(rustls::crypto::ring::default_provider().install_default());
        Self {
            base,
            client: Client::builder().no_proxy().build().unwrap(),
            api,
            stop,
            worker,
        }
    }

    async fn call(&self, method: Method, path: &str, body: &str) -> (StatusCode, Value) {
        let request = self.client.request(method, format!("{}{path}", self.base));
        let response = request.body(body.to_owned()).send().await.unwrap();
        let status = response.status();
        (status, serde_json::from_str(&response.text().await.unwrap()).unwrap())
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let (status, value) = self.call(Method::POST, path, &body.to_string()).await;
        assert_eq!(status, StatusCode::OK, "{value}");
        value
    }

    async fn get(&self, path: &str) -> Value {
        let (status, value) = self.call(Method::GET, path, "").await;
        assert_eq!(status, StatusCode::OK, "{value}");
        value
    }

    /// Submits a job and returns its id.
    async fn submit(&self, input: Value) -> String {
        let view = self.post("/v2/any/run", &json!({ "input": input })).await;
        assert_eq!(view["status"], "IN_QUEUE");
        view["id"].as_str().unwrap().to_owned()
    }

    async fn until(&self, id: &str, status: &str) -> Value {
        loop {
            let view = self.get(&format!("/status/{id}")).await;
            if view["status"] == status {
                return view;
            }
            sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn a_job_runs_in_the_background() {
    let api = Api::start().await;
    let id = api
        .submit(json!({"sleep_ms": 300, "progress": {"step": 1}}))
        .await;
    let view = loop {
        let view = api.until(&id, "IN_PROGRESS").await;
        if view.get("output").is_some() {
            break view;
        }
    };
    assert_eq!(view["output"], json!({"step": 1}));
    let view = api.until(&id, "COMPLETED").await;
    assert_eq!(view["output"]["sleep_ms"], 300);
    assert_eq!(view["workerId"], "local");
    assert!(view["executionTime"].as_u64().unwrap() >= 300 && view["delayTime"].is_u64());
    let health = api.get("/v2/any/health").await;
    assert_eq!(
        (&health["jobs"]["completed"], &health["workers"]["idle"]),
        (&json!(1), &json!(1))
    );
}

#[tokio::test]
async fn run_sync_answers_with_the_result_or_with_the_state_so_far() {
    let api = Api::start().await;
    let view = api.post("/runsync", &json!({"input": {"a": 1}})).await;
    assert_eq!((&view["status"], &view["output"]), (&json!("COMPLETED"), &json!({"a": 1})));
    assert!(view["id"].as_str().unwrap().starts_with("sync-"));
    let view = api
        .post("/v2/x/runsync", &json!({"input": {"fail": true}}))
        .await;
    assert_eq!(
        (&view["status"], &view["error"]),
        (&json!("FAILED"), &json!("as it was asked for"))
    );
    let view = api
        .post("/runsync?wait=1", &json!({"input": {"sleep_ms": 60_000}}))
        .await;
    assert_eq!(view["status"], "IN_PROGRESS");
    let id = view["id"].as_str().unwrap();
    let (path, nothing, next) = (format!("/cancel/{id}"), json!(null), json!({"input": {}}));
    let (next, cancelled) = tokio::join!(api.post("/runsync", &next), api.post(&path, &nothing));
    assert_eq!(
        (&next["status"], &cancelled["status"]),
        (&json!("COMPLETED"), &json!("CANCELLED"))
    );
}

#[tokio::test]
async fn a_stream_is_read_part_by_part() {
    let api = Api::start().await;
    let id = api.submit(json!({"parts": 5, "sleep_ms": 50})).await;
    let mut parts = Vec::new();
    loop {
        let answer = api.get(&format!("/v2/any/stream/{id}")).await;
        let new = answer["stream"].as_array().unwrap();
        parts.extend(new.iter().map(|part| part["output"].as_u64().unwrap()));
        if answer["status"] == "COMPLETED" && new.is_empty() {
            break;
        }
    }
    assert_eq!(parts, [0, 1, 2, 3, 4]);
    assert_eq!(api.until(&id, "COMPLETED").await["output"], json!([]));
}

#[tokio::test]
async fn jobs_are_cancelled_wherever_they_are() {
    let api = Api::start().await;
    let running = api.submit(json!({"sleep_ms": 60_000})).await;
    let waiting = api.submit(json!({})).await;
    let purged = api.submit(json!({})).await;
    api.until(&running, "IN_PROGRESS").await;
    for id in [&waiting, &running] {
        let view = api.post(&format!("/cancel/{id}"), &json!(null)).await;
        assert_eq!(view["status"], "CANCELLED");
    }
    // The place of the running one is free at once, unless the purge was faster.
    let removed = api.post("/purge-queue", &json!(null)).await;
    assert_eq!(removed["status"], "completed");
    let state = api.get(&format!("/status/{purged}")).await;
    let expected = if removed["removed"] == 1 {
        "CANCELLED"
    } else {
        "COMPLETED"
    };
    api.until(&purged, expected).await;
    assert!(state["id"].is_string());
    let view = api
        .post("/runsync", &json!({"input": {"after": true}}))
        .await;
    assert_eq!(view["status"], "COMPLETED");
    assert_eq!(api.get(&format!("/status/{running}")).await["status"], "CANCELLED");
}

#[tokio::test]
async fn a_failed_job_can_be_tried_again_under_its_id() {
    let api = Api::start().await;
    let id = api.submit(json!({"fail": true})).await;
    api.until(&id, "FAILED").await;
    let view = api.post(&format!("/retry/{id}"), &json!(null)).await;
    assert_eq!((&view["id"], &view["status"]), (&json!(id), &json!("IN_QUEUE")));
    api.until(&id, "FAILED").await;
    assert_eq!(api.get("/health").await["jobs"]["retried"], 1);
    let fine = api.submit(json!({})).await;
    api.until(&fine, "COMPLETED").await;
    let (status, _) = api.call(Method::POST, &format!("/retry/{fine}"), "").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn mistakes_of_clients_are_named() {
    let limits = LocalLimits {
        max_waiting: 1,
        max_run_bytes: 1000,
        ..LocalLimits::default()
    };
    let api = Api::with_limits(limits).await;
    let large = json!({"input": "x".repeat(2000)}).to_string();
    for (method, path, body, status) in [
        (Method::POST, "/run", "{", 400),
        (Method::POST, "/run", "[]", 400),
        (Method::POST, "/run", "{\"webhook\": \"x\"}", 400),
        (Method::POST, "/run", "{\"input\": {}, \"s3Config\": {}}", 400),
        (Method::POST, "/run", &large, 413),
        (Method::GET, "/status/unknown", "", 404),
        (Method::GET, "/stream/unknown", "", 404),
        (Method::POST, "/cancel/unknown", "", 404),
        (Method::POST, "/retry/unknown", "", 404),
    ] {
        let (code, answer) = api.call(method, path, body).await;
        assert_eq!(code.as_u16(), status, "{path} {body}");
        assert!(answer["error"].is_string(), "{answer}");
    }
    let running = api.submit(json!({"sleep_ms": 60_000})).await;
    api.until(&running, "IN_PROGRESS").await;
    api.submit(json!({})).await;
    let (code, _) = api.call(Method::POST, "/run", "{\"input\": {}}").await;
    assert_eq!(code, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn results_are_kept_for_their_time_and_within_their_space() {
    let limits = LocalLimits {
        keep_run_results: Duration::from_millis(50),
        max_kept_bytes: 20_000,
        ..LocalLimits::default()
    };
    let api = Api::with_limits(limits).await;
    let first = api.submit(json!({})).await;
    loop {
        let (status, _) = api.call(Method::GET, &format!("/status/{first}"), "").await;
        if status == StatusCode::NOT_FOUND {
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    // Two of them fit, not three.
    let text = "x".repeat(8000);
    let mut ids = Vec::new();
    for _ in 0..4 {
        let view = api.post("/runsync", &json!({"input": text})).await;
        ids.push(view["id"].as_str().unwrap().to_owned());
    }
    let (oldest, _) = api
        .call(Method::GET, &format!("/status/{}", ids[0]), "")
        .await;
    assert_eq!(oldest, StatusCode::NOT_FOUND);
    assert_eq!(api.get(&format!("/status/{}", ids[3])).await["status"], "COMPLETED");
}

#[tokio::test]
async fn a_webhook_gets_the_view() {
    let (sender, mut calls) = mpsc::channel::<String>(4);
    let hook = Router::new()
        .route(
            "/hook",
            post(|State(sender): State<mpsc::Sender<String>>, body: String| async move {
                sender.send(body).await.unwrap();
            }),
        )
        .with_state(sender);
    let webhook = format!("{}/hook", serve(hook).await);
    let api = Api::start().await;
    let sent = api
        .post("/run", &json!({"input": {"a": 1}, "webhook": webhook}))
        .await;
    let view: Value = serde_json::from_str(&calls.recv().await.unwrap()).unwrap();
    assert_eq!((&view["id"], &view["status"]), (&sent["id"], &json!("COMPLETED")));
    assert_eq!(view["output"], json!({"a": 1}));
}

#[tokio::test]
async fn the_end_leaves_no_client_waiting() {
    let api = Api::start().await;
    let running = api.submit(json!({"sleep_ms": 2000})).await;
    api.until(&running, "IN_PROGRESS").await;
    let waiting = json!({"input": {}});
    let waiting = api.post("/runsync", &waiting);
    let end = async {
        while api.get("/health").await["jobs"]["inQueue"] != 1 {
            sleep(Duration::from_millis(5)).await;
        }
        api.api.close();
        api.stop.cancel();
    };
    let (view, ()) = tokio::join!(waiting, end);
    assert_eq!(view["status"], "CANCELLED");
    tokio::time::timeout(10 * SECOND, api.worker)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    let client = Client::builder().no_proxy().build().unwrap();
    let finished = client
        .get(format!("{}/status/{running}", api.base))
        .send()
        .await
        .unwrap();
    let finished: Value = serde_json::from_str(&finished.text().await.unwrap()).unwrap();
    assert_eq!(finished["status"], "COMPLETED");
    let refused = client
        .post(format!("{}/run", api.base))
        .body("{\"input\": 1}")
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_load_balancer_sees_how_the_worker_is() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let readiness = Readiness::default();
    let base = serve(health_routes(readiness.clone())).await;
    let client = Client::builder().no_proxy().build().unwrap();
    let ping = || async {
        client
            .get(format!("{base}/ping"))
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(ping().await, 204);
    readiness.set_ready();
    assert_eq!(ping().await, 200);
    readiness.set_failed();
    assert_eq!(ping().await, 503);
}

#[tokio::test]
async fn a_load_balanced_worker_serves_its_routes_and_its_health() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let free = |_| async {
        TcpListener::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap()
            .port()
    };
    let mut settings = settings();
    (settings.port, settings.health_port) = (free(0).await, free(1).await);
    let (main, health) = (settings.port, settings.health_port);
    let routes = Router::new().route("/speak", post(|| async { "spoken" }));
    let (readiness, stop) = (Readiness::default(), CancellationToken::new());
    let (ready, until) = (readiness.clone(), stop.clone());
    let server =
        tokio::spawn(async move { serve_load_balanced(&settings, routes, ready, until).await });
    let client = Client::builder().no_proxy().build().unwrap();
    let ping = |port: u16| client.get(format!("http://127.0.0.1:{port}/ping")).send();
    while ping(health).await.is_err() || ping(main).await.is_err() {
        sleep(Duration::from_millis(10)).await;
    }
    readiness.set_ready();
    assert_eq!(ping(main).await.unwrap().status(), StatusCode::OK);
    assert_eq!(ping(health).await.unwrap().status(), StatusCode::OK);
    let spoken = client
        .post(format!("http://127.0.0.1:{main}/speak"))
        .send()
        .await
        .unwrap();
    assert_eq!(spoken.text().await.unwrap(), "spoken");
    // A connection that is kept open for later must not hold up the end.
    stop.cancel();
    tokio::time::timeout(10 * SECOND, server)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}
