//! Jobs that bring a bucket of their own for what they make.

use std::{sync::Arc, time::Duration};

use f5tts_service::{
    ErrorCode, Failure, Parts, Service,
    doctor::{StoreDiagnosis, check_store},
    storage::{S3Config, S3Credentials, S3Storage, Secret},
};
use runpod_worker::S3Config as Given;
use tokio::sync::Mutex;

use crate::assembly;

/// As many as a client may alternate between without each being tried again.
const MOST: usize = 8;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// The services of jobs that bring a bucket, the latest at the end.
#[derive(Debug)]
pub(super) struct Buckets {
    own: Arc<Service>,
    known: Mutex<Vec<(Given, Arc<Service>)>>,
}

impl Buckets {
    pub(super) fn new(own: Arc<Service>) -> Self {
        Self { own, known: Mutex::default() }
    }

    /// The service that speaks with the same voices and model, and stores in the job's bucket.
    pub(super) async fn service(&self, given: &Given) -> Result<Arc<Service>, Failure> {
        let mut known = self.known.lock().await;
        if let Some((_, service)) = known.iter().find(|(bucket, _)| bucket == given) {
            return Ok(Arc::clone(service));
        }
        let service = Arc::new(self.open(given).await?);
        if known.len() == MOST {
            known.remove(0);
        }
        known.push((given.clone(), Arc::clone(&service)));
        Ok(service)
    }

    async fn open(&self, given: &Given) -> Result<Service, Failure> {
        let bucket = S3Storage::new(&config(given)?)?;
        let StoreDiagnosis { check, exclusion } = check_store(&bucket, Duration::ZERO).await;
        let exclusion = exclusion.ok_or_else(|| {
            let why = assembly::failed(&check).text();
            Failure::new(ErrorCode::StoreUnavailable, format!("the bucket of `s3Config`: {why}"))
        })?;
        let parts = Parts {
            storage: assembly::asked_again(Arc::new(bucket)),
            exclusion,
            voices: Arc::clone(self.own.voices()),
            synthesizer: Arc::clone(self.own.synthesizer()),
        };
        let mut options = self.own.options().clone();
        options.parse.return_audio = f5tts_service::request::ReturnAudio::Url;
        Service::new(parts, options).map_err(|error| Failure::because(ErrorCode::Internal, &error))
    }
}

fn config(given: &Given) -> Result<S3Config, Failure> {
    let invalid = |message: &str| Failure::new(ErrorCode::InvalidInput, message);
    let bucket = given.bucket_name.clone();
    let endpoint = given.endpoint_url.as_deref().map(str::parse).transpose();
    Ok(S3Config {
        bucket: bucket.ok_or_else(|| invalid("`s3Config` has no `bucketName`"))?,
        region: "us-east-1".to_owned(),
        endpoint: endpoint.map_err(|_| invalid("`endpointUrl` of `s3Config` is no URL"))?,
        public_endpoint: None,
        credentials: S3Credentials {
            access_key_id: given.access_id.clone(),
            secret_access_key: Secret::new(given.access_secret.clone()),
            session_token: None,
        },
        request_timeout: REQUEST_TIMEOUT,
    })
}
