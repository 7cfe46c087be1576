//! Jobs: what is known of them, who works on them, and how they end.

mod idempotency;
mod lease;
mod log;
mod record;
mod retention;

pub use self::{
    idempotency::job_of_key,
    lease::{Entry, Held, LeaseTimes, accept, cancel, follow},
    log::{Appended, Exclusion, History, JobLog},
    record::{Event, Order, Outcome, Record, State},
    retention::{JobSummary, Swept, list, remove, sweep},
};

use crate::{
    failure::{ErrorCode, Failure},
    storage::JobId,
};

pub(crate) fn cancelled() -> Failure {
    Failure::new(ErrorCode::Cancelled, "the job was cancelled")
}

pub(crate) fn not_found(job: &JobId) -> Failure {
    let message =
        format!("there is no job `{job}`; it may have been removed after its retention time");
    Failure::new(ErrorCode::JobNotFound, message)
}
