//! One job, without a platform.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{
    job::{Job, JobError, Offer},
    source::{JobSource, Post, PostKind, SourceError, TakeRequest},
    worker::{Worker, WorkerError},
};

/// What became of a job that was run alone.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct TestResult {
    /// The body that the platform would get: `output`, `error`, `stopPod`.
    pub body: Value,
    /// The parts that were streamed before.
    pub parts: Vec<Value>,
}

/// A job on the command line cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TestInputError {
    /// It is not JSON.
    #[error("the test input is not JSON")]
    NotJson(#[source] serde_json::Error),
    /// It is no job.
    #[error("the test input cannot be used")]
    Job(#[source] JobError),
}

impl TestResult {
    /// Whether the client would see FAILED.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        self.body.get("error").is_some()
    }
}

impl Job {
    /// The name of a job that came without one.
    pub const TEST_ID: &str = "local_test";

    /// Reads the value of `--test_input`. The id may be missing.
    ///
    /// # Errors
    /// [`TestInputError`]
    pub fn from_test_input(text: &str) -> Result<Self, TestInputError> {
        let mut job: Value = serde_json::from_str(text).map_err(TestInputError::NotJson)?;
        if let Value::Object(keys) = &mut job {
            keys.entry("id").or_insert_with(|| Self::TEST_ID.into());
        }
        Self::from_value(job).map_err(TestInputError::Job)
    }
}

impl Worker {
    /// Runs one job and returns what the platform would have got. Progress is logged.
    ///
    /// # Errors
    /// [`WorkerError`], if a check failed.
    pub async fn run_one(self, job: Job) -> Result<TestResult, WorkerError> {
        let stop = CancellationToken::new();
        let source = Arc::new(OneJob {
            offer: Mutex::new(VecDeque::from([Offer::Job(Box::new(job))])),
            result: Mutex::default(),
            done: stop.clone(),
        });
        self.run_with(Arc::clone(&source), stop).await?;
        Ok(source
            .result
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone())
    }
}

struct OneJob {
    offer: Mutex<VecDeque<Offer>>,
    result: Mutex<TestResult>,
    done: CancellationToken,
}

impl JobSource for OneJob {
    async fn take(
        &self,
        _request: TakeRequest,
        stop: &CancellationToken,
    ) -> Result<Vec<Offer>, SourceError> {
        let offer = self
            .offer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front();
        if offer.is_none() {
            stop.cancelled().await;
        }
        Ok(offer.into_iter().collect())
    }

    async fn stop_signals(&self) -> Result<Vec<String>, SourceError> {
        std::future::pending().await
    }

    async fn post(&self, post: &Post) -> Result<(), SourceError> {
        let bytes = post.body.len();
        let malformed = |source| SourceError::Malformed { bytes, source: Some(source) };
        let mut body: Value = serde_json::from_slice(&post.body).map_err(malformed)?;
        let mut result = self.result.lock().unwrap_or_else(PoisonError::into_inner);
        match post.kind {
            PostKind::Progress => {
                tracing::info!(job.id = post.job_id, "progress: {}", body["output"]);
            }
            PostKind::StreamPart => result.parts.push(body["output"].take()),
            PostKind::Result { .. } => {
                result.body = body;
                self.done.cancel();
            }
        }
        Ok(())
    }

    async fn ping(&self, _active_jobs: &[String]) -> Result<(), SourceError> {
        Ok(())
    }

    async fn report_unhealthy(&self, _check: &str, _reason: &str) -> Result<(), SourceError> {
        Ok(())
    }

    fn wants_pings(&self) -> bool {
        false
    }
}
