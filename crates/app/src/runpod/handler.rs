//! A job of the platform becomes a job of the service, and its answer one of the platform.

use std::{sync::Arc, time::Duration};

use f5tts_service::{
    Context, ErrorCode, Failure, Job, Service, storage::JobId, synthesis::ProgressCell,
};
use runpod_worker::{self as platform, Handler, HandlerFuture};
use serde_json::{Value, json};

use super::buckets::Buckets;

/// How often the platform is told how far a job is.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);
/// What the platform adds around an answer.
const ENVELOPE_BYTES: usize = 1_024;

/// Answers jobs of the platform.
#[derive(Debug)]
pub(super) struct SpeechHandler {
    service: Arc<Service>,
    buckets: Buckets,
    /// The largest answer that the platform takes.
    max_bytes: usize,
}

impl SpeechHandler {
    pub(super) fn new(service: Arc<Service>, max_bytes: usize) -> Self {
        let buckets = Buckets::new(Arc::clone(&service));
        Self { service, buckets, max_bytes }
    }

    async fn answer(
        &self,
        job: platform::Job,
        context: &platform::Context,
    ) -> Result<Value, Failure> {
        refuse_dialects(&job.input)?;
        let service = match &job.s3_config {
            Some(bucket) => self.buckets.service(bucket).await?,
            None => Arc::clone(&self.service),
        };
        let surroundings = Context {
            cancel: context.cancellation().token().clone(),
            ..Context::default()
        };
        let job = Job { id: id(&job.id)?, input: job.input };
        let progress = surroundings.progress.clone();
        let answer = tokio::select! {
            answer = service.handle(job, &surroundings) => answer?,
            never = report_progress(&progress, context) => match never {},
        };
        self.fits(answer)
    }

    fn fits(&self, answer: Value) -> Result<Value, Failure> {
        let bytes = answer.to_string().len() + ENVELOPE_BYTES;
        if bytes <= self.max_bytes {
            return Ok(answer);
        }
        let [megabytes, most] = [bytes, self.max_bytes].map(|bytes| bytes.div_ceil(1_000_000));
        let message = format!(
            "the answer has {megabytes} MB, RunPod takes {most}: set S3_BUCKET, so that audio is answered as a link, \
             or ask for `output_format` opus or mp3"
        );
        Err(Failure::new(ErrorCode::ResultTooLarge, message))
    }
}

impl Handler for SpeechHandler {
    fn handle(self: Arc<Self>, job: platform::Job, context: platform::Context) -> HandlerFuture {
        Box::pin(async move {
            match self.answer(job, &context).await {
                Ok(answer) => Ok(platform::Answer::verbatim(answer)),
                Err(failure) => Err(platform::Failure::verbatim(failure.to_json())),
            }
        })
    }
}

/// The platform's id; that of a test is none, since every test has it.
fn id(id: &str) -> Result<Option<JobId>, Failure> {
    if id == platform::Job::TEST_ID {
        return Ok(None);
    }
    JobId::try_from(id)
        .map(Some)
        .map_err(|error| Failure::because(ErrorCode::InvalidInput, &error))
}

/// Inputs that RunPod's gateways make of requests to other APIs.
fn refuse_dialects(input: &Value) -> Result<(), Failure> {
    let is_openai = input.get("openai_route").is_some() || input.get("openai_input").is_some();
    let is_routed = input.get("route").is_some() && input.get("method").is_some();
    if is_openai || is_routed {
        let version = env!("CARGO_PKG_VERSION");
        let message = format!(
            "f5tts {version} does not speak other APIs through the queue: send `{{\"input\": {{\"text\": \"…\"}}}}` to `/run` or `/runsync`"
        );
        return Err(Failure::new(ErrorCode::InvalidInput, message));
    }
    Ok(())
}

/// Tells the platform how far a job is, for as long as it is polled.
async fn report_progress(
    progress: &ProgressCell,
    context: &platform::Context,
) -> std::convert::Infallible {
    let mut told = 0.0;
    loop {
        tokio::time::sleep(PROGRESS_EVERY).await;
        let share = (progress.get() * 100.0).round() / 100.0;
        if share > told {
            told = share;
            context.progress(json!({ "progress": share }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_to_other_apis_are_named() {
        for input in [
            json!({"openai_route": "/v1/audio/speech", "openai_input": {}}),
            json!({"route": "/x", "method": "POST", "body": {}}),
        ] {
            let failure = refuse_dialects(&input).unwrap_err();
            assert!(failure.message().contains(env!("CARGO_PKG_VERSION")), "{failure}");
        }
        refuse_dialects(&json!({"text": "Hello."})).unwrap();
    }

    #[test]
    fn tests_have_no_id() {
        assert_eq!(id("local_test"), Ok(None));
        assert_eq!(id("abc-u1").unwrap().unwrap().as_str(), "abc-u1");
        assert!(id("../x").is_err());
    }
}
