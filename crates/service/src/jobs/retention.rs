//! What is there of old jobs, and its removal.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::Serialize;

use super::{log::JobLog, record::State};
use crate::{
    failure::Failure,
    storage::{
        AudioExtension, IdempotencyHash, JobId, ObjectKey, Prefix, Storage, TimingExtension,
    },
};

/// A job as a list shows it.
#[derive(Clone, Debug, Serialize)]
pub struct JobSummary {
    /// Its id.
    pub job_id: String,
    /// Its state; nothing if its records cannot be read.
    pub status: Option<State>,
    /// When it was accepted, by the store's clock.
    pub created_at: String,
    /// When its last record was written, by the store's clock.
    pub updated_at: String,
    /// What cannot be read.
    pub problem: Option<String>,
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Swept {
    /// Jobs with all that they made.
    pub jobs: usize,
    /// Idempotency keys.
    pub keys: usize,
}

/// All jobs of a store, the oldest first. Needs the permission to list.
pub async fn list(log: &JobLog, storage: &dyn Storage) -> Result<Vec<JobSummary>, Failure> {
    let mut summaries = Vec::new();
    for (job, times) in known(storage).await? {
        let (status, problem) = match log.read(&job).await {
            Ok(history) => (history.map(|history| history.state()), None),
            Err(failure) => (None, Some(failure.message().to_owned())),
        };
        summaries.push((
            times.first,
            JobSummary {
                job_id: job.as_str().to_owned(),
                status,
                created_at: times.first.to_string(),
                updated_at: times.last.to_string(),
                problem,
            },
        ));
    }
    summaries.sort_by_key(|(created, _)| *created);
    Ok(summaries.into_iter().map(|(_, summary)| summary).collect())
}

#[derive(Clone, Copy, Debug)]
struct Times {
    first: Timestamp,
    last: Timestamp,
    age: Duration,
}

/// The ids of all jobs, with the times of their first and last records.
async fn known(storage: &dyn Storage) -> Result<BTreeMap<JobId, Times>, Failure> {
    let mut jobs: BTreeMap<JobId, Times> = BTreeMap::new();
    for entry in storage.list(&Prefix::Jobs).await? {
        let Some((id, _)) = entry.name.split_once('/') else {
            continue;
        };
        let Ok(job) = JobId::try_from(id) else {
            continue;
        };
        let modified = entry.meta.modified;
        let age = entry.meta.age();
        let times = jobs
            .entry(job)
            .or_insert(Times { first: modified, last: modified, age });
        times.first = times.first.min(modified);
        times.last = times.last.max(modified);
        times.age = times.age.min(age);
    }
    Ok(jobs)
}

/// Removes jobs that have not been touched for longer than `retention`, with their files, and old idempotency keys.
///
/// Files without a job stay: they are those of the original. Needs the permission to list.
pub async fn sweep(
    log: &JobLog,
    storage: &dyn Storage,
    retention: Duration,
) -> Result<Swept, Failure> {
    let mut swept = Swept::default();
    let jobs = known(storage).await?;
    for (job, times) in &jobs {
        if times.age > retention && remove(log, storage, job).await? {
            swept.jobs += 1;
        }
    }
    for entry in storage.list(&Prefix::Idempotency).await? {
        // Names that are none of ours are left alone.
        let hash = entry
            .name
            .strip_suffix(".json")
            .and_then(IdempotencyHash::parse);
        if let Some(hash) = hash.filter(|_| entry.meta.age() > retention) {
            storage.delete(&ObjectKey::Idempotency(hash)).await?;
            swept.keys += 1;
        }
    }
    Ok(swept)
}

/// Removes a job with all that it made; tells whether there was anything. The records go last, so that what is cut
/// off can be repeated.
pub async fn remove(log: &JobLog, storage: &dyn Storage, job: &JobId) -> Result<bool, Failure> {
    let mut found = false;
    let outputs = AudioExtension::ALL
        .iter()
        .map(|&extension| ObjectKey::Output { job: job.clone(), extension });
    let timings = TimingExtension::ALL
        .iter()
        .map(|&extension| ObjectKey::Timings { job: job.clone(), extension });
    for key in outputs.chain(timings) {
        if storage.head(&key).await?.is_some() {
            storage.delete(&key).await?;
            found = true;
        }
    }
    Ok(log.remove(job).await? || found)
}
