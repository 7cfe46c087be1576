//! The jobs that this worker has.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::context::{CancelReason, Cancellation};

/// The jobs that this worker has, from the take until the result was delivered.
#[derive(Debug, Default)]
pub(crate) struct ActiveJobs(Mutex<HashMap<String, Cancellation>>);

/// One entry; dropping it removes it.
#[derive(Debug)]
pub(crate) struct ActiveJob {
    jobs: Arc<ActiveJobs>,
    id: String,
    cancellation: Cancellation,
}

impl ActiveJobs {
    /// `None` if the job is there already.
    pub(crate) fn add(self: &Arc<Self>, id: &str) -> Option<ActiveJob> {
        let cancellation = Cancellation::default();
        let mut jobs = self.lock();
        if jobs.contains_key(id) {
            return None;
        }
        jobs.insert(id.to_owned(), cancellation.clone());
        drop(jobs);
        Some(ActiveJob { jobs: Arc::clone(self), id: id.to_owned(), cancellation })
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Whether there was such a job that was to go on until now.
    pub(crate) fn cancel(&self, id: &str, reason: CancelReason) -> bool {
        let cancellation = self.lock().get(id).cloned();
        cancellation.is_some_and(|job| job.cancel(reason))
    }

    pub(crate) fn cancel_all(&self, reason: CancelReason) {
        let all: Vec<_> = self.lock().values().cloned().collect();
        for job in &all {
            job.cancel(reason);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Cancellation>> {
        // Nothing panics half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ActiveJob {
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn cancellation(&self) -> &Cancellation {
        &self.cancellation
    }
}

impl Drop for ActiveJob {
    fn drop(&mut self) {
        self.jobs.lock().remove(&self.id);
    }
}
