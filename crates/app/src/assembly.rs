//! From settings to a store and a service.

use std::{future::Future, sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow};
use f5tts_service::{
    Parts, Service, ServiceOptions,
    doctor::{Check, StoreDiagnosis, check_store},
    fetch::{Fetcher, Limits, Rules},
    jobs::{Exclusion, LeaseTimes},
    request::{ParseOptions, ReturnAudio},
    storage::{
        DirectoryConfig, DirectoryStorage, Durability, LinkConfig, RetryPolicy, Retrying, S3Config,
        S3Credentials, S3Storage, Storage,
    },
    synthesis::{EngineThread, LoadEngine},
    voices::{BundledVoice, Voices},
};

use crate::{
    config::{
        DefaultVoice, HubSettings, JobSettings, ModelSettings, NetworkSettings, StoreSettings,
        TranscriptionSettings,
    },
    demo,
    failure::{Failure, say},
    models::{self, TerminalProgress},
    recogniser::{self, Means},
    wiring,
};

const MEGABYTE: usize = 1_000_000;

/// The settings of whatever keeps voices and does jobs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings<'a> {
    pub(crate) store: &'a StoreSettings,
    pub(crate) jobs: &'a JobSettings,
    pub(crate) voice: &'a DefaultVoice,
    pub(crate) transcription: &'a TranscriptionSettings,
    pub(crate) model: &'a ModelSettings,
    pub(crate) hub: &'a HubSettings,
}

/// Runs what waits for the network or a disk.
pub(crate) fn run<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Runtime::new().context("could not start the runtime")?;
    runtime.block_on(work)
}

/// The store, which is not asked anything yet. Each operation is one attempt.
pub(crate) fn store(
    settings: &StoreSettings,
    network: NetworkSettings,
) -> Result<Arc<dyn Storage>, Failure> {
    if let Some(bucket) = &settings.s3_bucket {
        return s3(settings, network, bucket);
    }
    let root = settings.data.path().ok_or_else(|| {
        Failure::bad_input(
            "there is no home directory: say with `--data-dir` where voices and jobs are kept",
        )
    })?;
    let config = DirectoryConfig {
        root,
        durability: Durability::Synced,
        links: LinkConfig::Files,
    };
    let storage = DirectoryStorage::open(config).context("could not open the store")?;
    Ok(Arc::new(storage))
}

/// The store, once it is known to work. From then on a bucket that does not answer is asked again.
pub(crate) async fn working_store(
    settings: &StoreSettings,
    network: NetworkSettings,
) -> Result<(Arc<dyn Storage>, Exclusion), Failure> {
    let storage = store(settings, network)?;
    let StoreDiagnosis { check, exclusion } = patient_check(&*storage, settings.patience()).await;
    let exclusion = exclusion.ok_or_else(|| failed(&check))?;
    let is_bucket = settings.s3_bucket.is_some();
    let storage = if is_bucket {
        asked_again(storage)
    } else {
        storage
    };
    Ok((storage, exclusion))
}

/// A store that is asked again where it does not answer.
pub(crate) fn asked_again(storage: Arc<dyn Storage>) -> Arc<dyn Storage> {
    Arc::new(Retrying::new(storage, RetryPolicy::default()))
}

/// Tries a store for as long as `patience` lasts, and does not wait without a word.
async fn patient_check(storage: &dyn Storage, patience: Duration) -> StoreDiagnosis {
    const SILENCE: Duration = Duration::from_secs(3);
    let checked = check_store(storage, patience);
    tokio::pin!(checked);
    if let Ok(diagnosis) = tokio::time::timeout(SILENCE, &mut checked).await {
        return diagnosis;
    }
    let (place, seconds) = (storage.description(), patience.as_secs());
    say(format_args!("waiting for {place} (at most {seconds} s: STARTUP_TIMEOUT)"));
    checked.await
}

/// The failure that a check found.
pub(crate) fn failed(check: &Check) -> Failure {
    let Check { name, value, advice, .. } = check;
    let advice = advice
        .as_ref()
        .map_or_else(String::new, |advice| format!(": {advice}"));
    Failure::Failed(anyhow!("{name}: {value}{advice}"))
}

/// The voices of the store and of the program.
pub(crate) fn voices(settings: Settings<'_>, storage: Arc<dyn Storage>) -> Result<Voices, Failure> {
    let rules = Rules {
        allow_http: settings.jobs.allow_http_urls,
        allowed: settings.jobs.allowed_hosts.clone(),
    };
    let limits = Limits {
        bytes: megabytes(settings.jobs.max_upload_mb),
        total: settings.hub.network.timeout(),
        ..Limits::default()
    };
    let fetcher = Fetcher::new(rules, limits).context("recordings could not be fetched")?;
    let bundled = demo::VOICES.iter().map(|voice| BundledVoice {
        name: voice.name,
        recording: voice.recording,
        transcript: voice.transcript,
    });
    let bucket = settings.store.has_models().then(|| Arc::clone(&storage));
    let voices = Voices::new(storage, fetcher, bundled.collect(), settings.voice.voice.clone());
    let limit = Duration::from_secs(settings.jobs.processing_timeout);
    Ok(voices.heard_by(recogniser::transcription(
        settings.transcription,
        settings.hub,
        Means {
            device: settings.model.device(),
            threads: settings.model.threads,
            bucket,
            limit,
        },
    )))
}

/// The whole service. Its model is loaded meanwhile.
pub(crate) async fn service(
    settings: Settings<'_>,
    return_audio: ReturnAudio,
    missing: MissingModel,
) -> Result<Arc<Service>, Failure> {
    let (storage, exclusion) = working_store(settings.store, settings.hub.network).await?;
    bring_model(settings, &storage, missing).await?;
    let synthesizer = synthesizer(settings)?;
    let voices = voices(settings, Arc::clone(&storage))?;
    let options = ServiceOptions {
        parse: ParseOptions {
            max_characters: settings.jobs.limit.max_characters as usize,
            max_upload_bytes: megabytes(settings.jobs.max_upload_mb),
            return_audio,
        },
        processing_timeout: Duration::from_secs(settings.jobs.processing_timeout),
        lease: LeaseTimes::lasting(Duration::from_secs(settings.jobs.lease_seconds)),
        link_lifetime: settings.store.url_ttl,
    };
    let parts = Parts {
        storage,
        exclusion,
        voices: Arc::new(voices),
        synthesizer: Arc::new(synthesizer),
    };
    let service = Service::new(parts, options).context("the system gives no random numbers")?;
    Ok(Arc::new(service))
}

/// What becomes of a model that is known by name, and neither here nor in the bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MissingModel {
    /// An error that says how to fetch it.
    Refused,
    /// It is fetched from the hub.
    Fetched,
}

async fn bring_model(
    settings: Settings<'_>,
    storage: &Arc<dyn Storage>,
    missing: MissingModel,
) -> Result<(), Failure> {
    let hub = settings.hub.for_models();
    let name = settings.model.model.clone();
    if settings.store.has_models() {
        let fetched = models::fetch_from_bucket(&name, &hub, storage).await;
        fetched.context("could not bring the model from the bucket")?;
    }
    if missing == MissingModel::Fetched && models::is_to_be_fetched(&name, &hub) {
        let get = move || models::get(&name, &hub, &mut TerminalProgress::new(|| false)).map(drop);
        let fetched = tokio::task::spawn_blocking(get);
        fetched.await.context("the download broke down")??;
    }
    Ok(())
}

fn synthesizer(settings: Settings<'_>) -> Result<EngineThread, Failure> {
    let files = wiring::find(settings.model, settings.hub)?;
    let name = files.name.clone();
    let model = settings.model.clone();
    let load: LoadEngine =
        Box::new(move || wiring::load(&files, &model).map_err(|failure| failure.text()));
    let places = usize::from(settings.jobs.max_waiting_jobs);
    let thread = EngineThread::start(name, places, load);
    Ok(thread.context("could not start the model's thread")?)
}

fn megabytes(count: u16) -> usize {
    usize::from(count) * MEGABYTE
}

fn s3(
    settings: &StoreSettings,
    network: NetworkSettings,
    bucket: &str,
) -> Result<Arc<dyn Storage>, Failure> {
    let missing =
        |name: &str| Failure::bad_input(format!("S3_BUCKET is `{bucket}`, but {name} is not set"));
    let id = settings
        .aws_access_key_id
        .as_ref()
        .ok_or_else(|| missing("AWS_ACCESS_KEY_ID"))?;
    let secret = settings.aws_secret_access_key.clone();
    let config = S3Config {
        bucket: bucket.to_owned(),
        region: settings.aws_region.clone(),
        endpoint: settings.aws_endpoint_url.clone(),
        public_endpoint: settings.s3_public_endpoint_url.clone(),
        credentials: S3Credentials {
            access_key_id: id.reveal().to_owned(),
            secret_access_key: secret.ok_or_else(|| missing("AWS_SECRET_ACCESS_KEY"))?,
            session_token: settings.aws_session_token.clone(),
        },
        request_timeout: network.timeout(),
    };
    let bucket = S3Storage::new(&config).context("the settings of the bucket cannot be used")?;
    Ok(Arc::new(bucket))
}
