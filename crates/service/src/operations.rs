//! The operations of the contract, one function each.

use std::sync::Arc;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};

use crate::{
    answer,
    context::{Context, Lifetime},
    failure::{ErrorCode, Failure},
    jobs::{self, Event, History, JobLog, Order, Outcome},
    pipeline::SpeechJob,
    request::{DownloadFile, DownloadRequest, Parsed, Request, ReturnAudio, SpeechRequest},
    service::{Service, random_id, random_seed},
    storage::{AudioExtension, JobId, Link, ObjectKey, TimingExtension},
};

/// The longest file that is answered in base64.
const MAX_AUDIO_BYTES: u64 = 1 << 30;

/// A request with the id that its platform gave it.
#[derive(Clone, Debug)]
pub struct Job {
    /// The id; a fresh one if there is none.
    pub id: Option<JobId>,
    /// What is asked for.
    pub input: Value,
}

impl Service {
    /// Answers a request.
    ///
    /// # Errors
    /// One sentence and a code, as the client reads them.
    pub async fn handle(self: &Arc<Self>, job: Job, context: &Context) -> Result<Value, Failure> {
        let Parsed { request, warnings } = Request::parse(&job.input, &self.options().parse)
            .map_err(|error| Failure::because(ErrorCode::InvalidInput, &error))?;
        let mut answer = match request {
            // Its warnings are kept with the job.
            Request::Speech(request) => {
                return self.speech(job, *request, warnings, context).await;
            }
            Request::Upload(request) => self.voices().upload(request).await?,
            Request::Status(Some(job)) => self.status(&job).await?,
            Request::Status(None) => self.self_test().await.to_json(),
            Request::Result(job) => self.result(&job).await?,
            Request::ListVoices => self.list_voices().await?,
            Request::DeleteVoice(name) => {
                let name = self.voices().delete(&name).await?;
                json!({ "status": format!("Voice '{}' deleted.", name.as_str()) })
            }
            Request::Download(request) => self.download(&request).await?,
            Request::Cancel(job) => self.cancel(&job).await?,
            Request::DeleteJob(job) => self.delete_job(&job).await?,
        };
        answer::warn(&mut answer, warnings);
        Ok(answer)
    }

    async fn speech(
        self: &Arc<Self>,
        job: Job,
        request: SpeechRequest,
        mut warnings: Vec<String>,
        context: &Context,
    ) -> Result<Value, Failure> {
        self.check_model(request.model.as_deref())?;
        let input = answer::object(job.input);
        let own_id = match job.id {
            Some(id) => id,
            None => fresh_job_id()?,
        };
        let id = match &request.idempotency_key {
            Some(key) => {
                let exclusion = self.log().exclusion();
                jobs::job_of_key(&**self.storage(), exclusion, key, own_id, &input).await?
            }
            None => own_id,
        };
        let seed = match request.seed {
            Some(seed) => seed,
            None => random_seed()?,
        };
        let order = Order { input, seed };
        let is_async = request.is_async && context.lifetime == Lifetime::Stays;
        if request.is_async && !is_async {
            warnings.push(
                "`async` was answered synchronously, since this worker may be stopped once it looks idle: use the platform's `/run`"
                    .to_owned(),
            );
        }
        let job = SpeechJob { id, log: self.log_of_one_job()?, request, warnings };
        let history = jobs::accept(&job.log, &job.id, order).await?;
        if is_async {
            return Ok(self.speak_later(job, history));
        }
        let history = self.run(&job, history, context).await?;
        self.announce(&history).await
    }

    /// Answers for a job that was accepted, and works on.
    fn speak_later(self: &Arc<Self>, job: SpeechJob, history: History) -> Value {
        let answer = json!({ "job_id": job.id.as_str(), "status": history.state().name() });
        let service = Arc::clone(self);
        tokio::spawn(async move {
            let context = Context { lifetime: Lifetime::Stays, ..Context::default() };
            if let Err(failure) = service.run(&job, history, &context).await {
                tracing::warn!(job = job.id.as_str(), %failure, "an asynchronous job failed");
            }
        });
        answer
    }

    fn log_of_one_job(&self) -> Result<JobLog, Failure> {
        let log = self.log().by_another_writer();
        log.map_err(|error| Failure::because(ErrorCode::Internal, &error))
    }

    /// Does the job of a record, whoever accepted it.
    ///
    /// # Errors
    /// There is no such job, or it fails.
    pub async fn resume(self: &Arc<Self>, id: &JobId, context: &Context) -> Result<Value, Failure> {
        let history = self.history(id).await?;
        let input = Value::Object(history.order().input.clone());
        let Parsed { request, warnings } = Request::parse(&input, &self.options().parse)
            .map_err(|error| Failure::because(ErrorCode::InvalidInput, &error))?;
        let Request::Speech(request) = request else {
            let message = format!("job {} is no speech", id.as_str());
            return Err(Failure::new(ErrorCode::RecordDamaged, message));
        };
        let log = self.log_of_one_job()?;
        let job = SpeechJob { id: id.clone(), log, request: *request, warnings };
        let history = self.run(&job, history, context).await?;
        self.announce(&history).await
    }

    fn check_model(&self, asked: Option<&str>) -> Result<(), Failure> {
        let served = self.synthesizer().model();
        match asked {
            Some(model) if !model.is_empty() && !model.eq_ignore_ascii_case(served) => {
                let message = format!("`model` is {}, served here is {served}", Value::from(model));
                Err(Failure::new(ErrorCode::InvalidInput, message))
            }
            _ => Ok(()),
        }
    }

    async fn status(&self, job: &JobId) -> Result<Value, Failure> {
        let history = self.history(job).await?;
        let live = self.running(job).map(|context| context.progress.get());
        Ok(answer::status(&history, live))
    }

    async fn result(&self, job: &JobId) -> Result<Value, Failure> {
        let history = self.history(job).await?;
        if let Event::Error { error, error_code } = &history.last().event {
            return Err(Failure::new(*error_code, error.clone()));
        }
        self.announce(&history).await
    }

    async fn history(&self, job: &JobId) -> Result<History, Failure> {
        self.log()
            .read(job)
            .await?
            .ok_or_else(|| jobs::not_found(job))
    }

    /// The answer of a finished job, with fresh links.
    async fn announce(&self, history: &History) -> Result<Value, Failure> {
        let Event::Completed(outcome) = &history.last().event else {
            let message = format!("Job is not complete. Status: {}", history.state().name());
            return Err(Failure::new(ErrorCode::JobNotComplete, message));
        };
        let mut answer = outcome.answer.clone();
        let audio = ObjectKey::Output {
            job: history.job().clone(),
            extension: parsed(&outcome.audio)?,
        };
        if self.wants_base64(&history.order().input) {
            let found = self.storage().get(&audio, MAX_AUDIO_BYTES).await;
            let bytes = match found {
                Ok(object) => object.bytes,
                Err(error) if error.is_missing() => return Err(no_output(history.job())),
                Err(error) => return Err(error.into()),
            };
            answer.insert("audio_base64".to_owned(), BASE64_STANDARD.encode(bytes).into());
        } else {
            answer.insert("audio_url".to_owned(), self.link(&audio).await?.into());
        }
        if !outcome.timings.is_empty() {
            answer.insert("timing_files".to_owned(), self.timing_links(history, outcome).await?);
        }
        Ok(Value::Object(answer))
    }

    fn wants_base64(&self, input: &Map<String, Value>) -> bool {
        match input.get("return_audio").and_then(Value::as_str) {
            Some(asked) => asked.eq_ignore_ascii_case("base64"),
            None => self.options().parse.return_audio == ReturnAudio::Base64,
        }
    }

    async fn timing_links(&self, history: &History, outcome: &Outcome) -> Result<Value, Failure> {
        let mut links = Map::new();
        for extension in &outcome.timings {
            let key =
                ObjectKey::Timings { job: history.job().clone(), extension: parsed(extension)? };
            links.insert(extension.clone(), self.link(&key).await?.into());
        }
        Ok(Value::Object(links))
    }

    async fn link(&self, key: &ObjectKey) -> Result<String, Failure> {
        let link = Link { lifetime: self.options().link_lifetime, file_name: None };
        Ok(self.storage().signed_url(key, &link).await?.into())
    }

    async fn list_voices(&self) -> Result<Value, Failure> {
        let voices = self.voices().list().await?;
        Ok(json!({ "count": voices.len(), "voices": voices, "status": "success" }))
    }

    /// Also for files that have no job record: those of the original.
    async fn download(&self, request: &DownloadRequest) -> Result<Value, Failure> {
        let job = &request.job;
        let (candidates, url_field): (Vec<_>, _) = match request.file {
            DownloadFile::Audio(extension) => {
                let extensions = some_or_all(extension, AudioExtension::ALL).into_iter();
                let keys =
                    extensions.map(|extension| ObjectKey::Output { job: job.clone(), extension });
                (keys.collect(), "audio_url")
            }
            DownloadFile::Timing(extension) => {
                let extensions = some_or_all(extension, TimingExtension::ALL).into_iter();
                let keys =
                    extensions.map(|extension| ObjectKey::Timings { job: job.clone(), extension });
                (keys.collect(), "timing_url")
            }
        };
        for key in candidates {
            if self.storage().head(&key).await?.is_some() {
                let path = key.to_string();
                let file_name = path.rsplit('/').next().unwrap_or_default();
                return Ok(json!({
                    url_field: self.link(&key).await?,
                    "content_type": key.content_type(),
                    "format": file_name.rsplit('.').next(),
                    "filename": file_name,
                    "status": "ready",
                }));
            }
        }
        Err(no_output(job))
    }

    async fn cancel(&self, job: &JobId) -> Result<Value, Failure> {
        jobs::cancel(self.log(), job).await?;
        if let Some(context) = self.running(job) {
            context.cancel.cancel();
        }
        let code = ErrorCode::Cancelled;
        Ok(json!({ "job_id": job.as_str(), "status": "ERROR", "error_code": code }))
    }

    async fn delete_job(&self, job: &JobId) -> Result<Value, Failure> {
        match self.cancel(job).await {
            Ok(_) => {}
            // Then nobody works on it, or nobody can.
            Err(failure)
                if matches!(
                    failure.code(),
                    ErrorCode::JobNotFound | ErrorCode::JobFinished | ErrorCode::RecordDamaged
                ) => {}
            Err(failure) => return Err(failure),
        }
        let found = jobs::remove(self.log(), &**self.storage(), job).await?;
        if !found {
            return Err(jobs::not_found(job));
        }
        Ok(json!({ "status": format!("Job '{}' deleted.", job.as_str()) }))
    }
}

fn some_or_all<T: Copy>(one: Option<T>, all: &[T]) -> Vec<T> {
    one.map_or_else(|| all.to_vec(), |one| vec![one])
}

fn parsed<T: std::str::FromStr<Err = crate::storage::UnknownExtension>>(
    text: &str,
) -> Result<T, Failure> {
    text.parse()
        .map_err(|error| Failure::because(ErrorCode::RecordDamaged, &error))
}

fn no_output(job: &JobId) -> Failure {
    let message = format!("there is no such file of job {job}");
    Failure::new(ErrorCode::OutputNotFound, message)
}

fn fresh_job_id() -> Result<JobId, Failure> {
    let id = random_id().map_err(|error| Failure::because(ErrorCode::Internal, &error))?;
    Ok(JobId::try_from(id.as_str()).expect("hexadecimal digits are an identifier"))
}
