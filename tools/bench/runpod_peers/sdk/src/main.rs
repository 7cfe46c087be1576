//! Answers every job with its input.

use runpod_sdk::serverless::ServerlessWorker;

#[tokio::main]
async fn main() -> runpod_sdk::Result<()> {
    ServerlessWorker::from_env()?.run(|job| async move { Ok(job.input) }).await
}
