//! The smallest worker.

use runpod_worker::{Context, Failure, Job, handler, start};
use serde_json::{Value, json};

async fn hello(job: Job, _: Context) -> Result<Value, Failure> {
    let name = job.input["name"].as_str().unwrap_or("world");
    Ok(json!({ "greeting": format!("Hello, {name}!") }))
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    start(handler(hello)).await
}
