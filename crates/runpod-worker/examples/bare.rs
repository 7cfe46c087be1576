//! Takes jobs and answers them, and nothing else: what a control plane can be asked for at most.
//!
//! The measure for the worker's throughput in `tools/bench/runpod.py`. One argument: jobs at once.

use std::sync::Arc;

use runpod_worker::{ControlPlane, JobSource as _, Offer, Post, PostKind, Settings, TakeRequest};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

type Failed = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let jobs_at_once: usize = std::env::args().nth(1).map_or(Ok(1), |text| text.parse())?;
    let source = Arc::new(ControlPlane::new(&Settings::from_env()?)?);
    let stop = CancellationToken::new();
    let mut posts = JoinSet::new();
    loop {
        let request = TakeRequest {
            max_jobs: jobs_at_once - posts.len(),
            job_in_progress: !posts.is_empty(),
        };
        for offer in source.take(request, &stop).await? {
            let Offer::Job(job) = offer else { continue };
            let source = Arc::clone(&source);
            posts.spawn(async move {
                let body = format!("{{\"output\":{}}}", job.input).into();
                let kind = PostKind::Result { is_stream: false };
                source.post(&Post { job_id: job.id, kind, body }).await
            });
        }
        while posts.len() >= jobs_at_once
            && let Some(posted) = posts.join_next().await
        {
            posted??;
        }
        while let Some(posted) = posts.try_join_next() {
            posted??;
        }
    }
}
