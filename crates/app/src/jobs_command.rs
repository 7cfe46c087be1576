//! `f5tts jobs`: what is known of jobs.

use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use f5tts_service::{
    ErrorCode,
    jobs::{self, JobLog, JobSummary},
    storage::{JobId, Storage},
};
use serde_json::json;

use crate::{
    assembly,
    cli::{JobsAction, JobsArguments},
    failure::{Failure, OrBadInput},
    output::{answer, print},
    table::{seconds, table},
};

/// Does what was asked for.
pub(crate) fn run(arguments: &JobsArguments) -> Result<(), Failure> {
    assembly::run(async {
        let (storage, exclusion) =
            assembly::working_store(&arguments.store, arguments.network).await?;
        let log = JobLog::new(Arc::clone(&storage), exclusion)
            .context("the system gives no random numbers")?;
        let json = arguments.json;
        match &arguments.action {
            JobsAction::List => list(&log, &*storage, json).await,
            JobsAction::Show { job } => show(&log, &id(job)?).await,
            JobsAction::Cancel { job } => cancel(&log, &id(job)?, json).await,
            JobsAction::Gc { jobs } => match jobs.retention() {
                Some(retention) => {
                    let swept = jobs::sweep(&log, &*storage, retention).await?;
                    answer(json, &swept, || {
                        format!("removed {} jobs and {} idempotency keys\n", swept.jobs, swept.keys)
                    })
                }
                None => Err(Failure::bad_input(
                    "JOB_RETENTION_DAYS is 0, so jobs are kept for ever: give `--job-retention-days`",
                )),
            },
        }
    })
}

impl From<f5tts_service::Failure> for Failure {
    fn from(failure: f5tts_service::Failure) -> Self {
        let error = anyhow!("{}", failure.message());
        if failure.code().is_callers() {
            Self::BadInput(error)
        } else {
            Self::Failed(error)
        }
    }
}

fn id(text: &str) -> Result<JobId, Failure> {
    JobId::try_from(text).or_bad_input()
}

async fn list(log: &JobLog, storage: &dyn Storage, json: bool) -> Result<(), Failure> {
    let jobs = jobs::list(log, storage).await?;
    answer(json, &jobs, || {
        let head = ["JOB", "STATUS", "CREATED", "UPDATED"]
            .map(str::to_owned)
            .to_vec();
        let rows: Vec<_> = [head].into_iter().chain(jobs.iter().map(row)).collect();
        table(&rows)
    })
}

fn row(job: &JobSummary) -> Vec<String> {
    let status = match (&job.status, &job.problem) {
        (Some(status), _) => status.name().to_owned(),
        (None, Some(problem)) => format!("? {problem}"),
        (None, None) => "removed".to_owned(),
    };
    vec![
        job.job_id.clone(),
        status,
        seconds(&job.created_at),
        seconds(&job.updated_at),
    ]
}

async fn show(log: &JobLog, job: &JobId) -> Result<(), Failure> {
    let history = log.read(job).await?.ok_or_else(|| {
        Failure::bad_input(format!("there is no job `{job}`: see `f5tts jobs list`"))
    })?;
    let text = serde_json::to_string_pretty(&json!({
        "job_id": job.as_str(),
        "created_at": history.created().to_string(),
        "updated_at": history.changed().to_string(),
        "order": history.order(),
        "last": history.last(),
    }));
    Ok(print(&(text.context("could not write JSON")? + "\n"))?)
}

async fn cancel(log: &JobLog, job: &JobId, json: bool) -> Result<(), Failure> {
    jobs::cancel(log, job).await?;
    let code = ErrorCode::Cancelled;
    let value = json!({ "job_id": job.as_str(), "status": "ERROR", "error_code": code });
    answer(json, &value, || format!("job {job} is cancelled\n"))
}
