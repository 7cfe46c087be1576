//! Requests that name a key run once: whoever comes later with the same key gets the first one's job.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::log::Exclusion;
use crate::{
    failure::{ErrorCode, Failure},
    storage::{Created, IdempotencyHash, JobId, ObjectKey, Storage, hexadecimal},
};

const MAX_BYTES: u64 = 4_096;

#[derive(Debug, Deserialize, Serialize)]
struct Claim {
    job_id: String,
    /// So that a key is not used for two different requests.
    request: String,
}

/// The job of a key: `job` itself, if nobody used the key before.
///
/// # Errors
/// The key belongs to another request, or the store does not answer.
pub async fn job_of_key(
    storage: &dyn Storage,
    exclusion: Exclusion,
    key: &str,
    job: JobId,
    input: &Map<String, Value>,
) -> Result<JobId, Failure> {
    let object = ObjectKey::Idempotency(IdempotencyHash::of(key));
    let claim = Claim { job_id: job.to_string(), request: fingerprint(input) };
    let bytes = serde_json::to_vec(&claim).expect("two texts can be written as JSON");
    if create(storage, exclusion, &object, bytes.into()).await? {
        return Ok(job);
    }
    let stored = storage.get(&object, MAX_BYTES).await?;
    let stored: Claim = serde_json::from_slice(&stored.bytes).map_err(|error| {
        let message = format!("the object `{object}` is damaged: {error}; remove it");
        Failure::new(ErrorCode::RecordDamaged, message)
    })?;
    if stored.request != claim.request {
        let message = "`idempotency_key` was used for another request: use another key";
        return Err(Failure::new(ErrorCode::JobConflict, message));
    }
    JobId::try_from(stored.job_id.as_str()).map_err(|error| {
        let message = format!("the object `{object}` is damaged: {error}; remove it");
        Failure::new(ErrorCode::RecordDamaged, message)
    })
}

/// Whether the object is ours. A store without exclusive creation may let two requests of the same moment both run.
async fn create(
    storage: &dyn Storage,
    exclusion: Exclusion,
    key: &ObjectKey,
    bytes: Bytes,
) -> Result<bool, Failure> {
    if exclusion == Exclusion::Create {
        return Ok(storage.create(key, bytes).await? != Created::AlreadyThere);
    }
    let is_there = storage.head(key).await?.is_some();
    if !is_there {
        storage.put(key, bytes).await?;
    }
    Ok(!is_there)
}

/// Equal for equal requests, whatever the order of their fields.
fn fingerprint(input: &Map<String, Value>) -> String {
    hexadecimal(&Sha256::digest(Value::Object(input.clone()).to_string()))
}
