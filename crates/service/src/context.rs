//! What surrounds a job while it runs.

use tokio_util::sync::CancellationToken;

use crate::synthesis::ProgressCell;

/// What surrounds a job while it runs.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Stops the job.
    pub cancel: CancellationToken,
    /// How far it is.
    pub progress: ProgressCell,
    /// Whether the process lives on once the job is answered.
    pub lifetime: Lifetime,
}

/// Whether a process lives on once it has answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lifetime {
    /// It may be stopped as soon as it looks idle, as a RunPod worker is.
    #[default]
    OneJob,
    /// A server.
    Stays,
}
