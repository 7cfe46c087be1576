//! What is there of old jobs, and its removal.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::Serialize;

use super::{log::JobLog, record::State};
use crate::{
    failure::Failure,
    storage::{
        AudioExtension, IdempotencyHash, JobId, ObjectKey, ObjectMeta, Prefix, Storage,
        TimingExtension, WriterId,
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
    /// Files and keys without a job.
    pub others: usize,
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

/// Removes whatever has not been touched for longer than `retention`: jobs with their files, files without a job
/// and idempotency keys. Needs the permission to list.
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
    for prefix in [
        Prefix::Outputs,
        Prefix::Timings,
        Prefix::Idempotency,
        Prefix::Probes,
    ] {
        for entry in storage.list(&prefix).await? {
            let key = key_of(&prefix, &entry.name);
            if let Some(key) = key.filter(|_| is_old(&entry.meta, retention)) {
                storage.delete(&key).await?;
                swept.others += 1;
            }
        }
    }
    Ok(swept)
}

fn is_old(meta: &ObjectMeta, retention: Duration) -> bool {
    meta.age() > retention
}

/// Names that are none of ours are left alone.
fn key_of(prefix: &Prefix, name: &str) -> Option<ObjectKey> {
    match prefix {
        Prefix::Idempotency => {
            IdempotencyHash::parse(name.strip_suffix(".json")?).map(ObjectKey::Idempotency)
        }
        Prefix::Probes => WriterId::try_from(name).ok().map(ObjectKey::Probe),
        Prefix::Outputs | Prefix::Timings => ObjectKey::of_link(&format!("{prefix}{name}")),
        Prefix::Voices | Prefix::Jobs | Prefix::JobRecords(_) | Prefix::Model(_) => None,
    }
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
