//! Whether this machine is fit for jobs.

use std::{error::Error, fmt, pin::Pin, time::Duration};

use tokio::time::timeout;

use crate::{
    settings::SystemChecks,
    source::{JobSource, SourceError},
};

/// Why a check failed.
pub type CheckError = Box<dyn Error + Send + Sync>;
type Checking = Pin<Box<dyn Future<Output = Result<(), CheckError>> + Send>>;

const REPORT_WITHIN: Duration = Duration::from_secs(2);
const GIB: f64 = 1_073_741_824.0;

/// Something that must be true before a worker takes jobs.
pub(crate) struct Check {
    pub(crate) name: String,
    run: Box<dyn FnOnce() -> Checking + Send>,
}

impl fmt::Debug for Check {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Check")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A check failed.
#[derive(Debug, thiserror::Error)]
#[error("the check `{check}` failed")]
pub struct Unfit {
    /// Name of the check.
    pub check: String,
    /// What it said.
    #[source]
    pub source: CheckError,
}

#[derive(Debug, thiserror::Error)]
enum SystemError {
    #[error("{available_gib:.2} GiB of memory are available, {wanted_gib} GiB are wanted")]
    Memory { available_gib: f64, wanted_gib: f64 },
    #[error("{free_percent:.1} % of the file system / are free, {wanted_percent} % are wanted")]
    Disk {
        free_percent: f64,
        wanted_percent: f64,
    },
}

impl Check {
    pub(crate) fn new<F, R>(name: impl Into<String>, check: F) -> Self
    where
        F: FnOnce() -> R + Send + 'static,
        R: Future<Output = Result<(), CheckError>> + Send + 'static,
    {
        Self { name: name.into(), run: Box::new(move || Box::pin(check())) }
    }
}

/// Runs the checks in order, then those of the system. The first that fails is reported to the platform.
pub(crate) async fn check_all<S: JobSource>(
    checks: Vec<Check>,
    system: SystemChecks,
    source: &S,
) -> Result<(), Unfit> {
    let memory = Check::new("_memory_check", move || async move { check_memory(system) });
    let disk = Check::new("_disk_check", move || async move { check_disk(system) });
    for check in checks.into_iter().chain([memory, disk]) {
        if let Err(error) = (check.run)().await {
            let unfit = Unfit { check: check.name, source: error };
            tracing::error!(error = &unfit as &dyn Error, "this worker takes no jobs");
            report(source, &unfit).await;
            return Err(unfit);
        }
    }
    Ok(())
}

async fn report<S: JobSource>(source: &S, unfit: &Unfit) {
    let reason = unfit.source.to_string();
    let report = timeout(REPORT_WITHIN, source.report_unhealthy(&unfit.check, &reason)).await;
    let report = report.unwrap_or(Err(SourceError::TimedOut { after: REPORT_WITHIN }));
    if let Err(error) = report {
        tracing::warn!(error = &error as &dyn Error, "could not tell the platform");
    }
}

fn check_memory(system: SystemChecks) -> Result<(), CheckError> {
    let Some(wanted_gib) = system.min_memory_gib else {
        return Ok(());
    };
    // Where this cannot be found out it cannot be judged.
    match available_memory() {
        #[expect(
            clippy::cast_precision_loss,
            reason = "an amount for a comparison of coarse numbers"
        )]
        Some(bytes) if (bytes as f64) < wanted_gib * GIB => {
            Err(SystemError::Memory { available_gib: bytes as f64 / GIB, wanted_gib }.into())
        }
        _ => Ok(()),
    }
}

/// What the machine has left, or the container if it may have less.
fn available_memory() -> Option<u64> {
    let machine = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = machine
        .lines()
        .find(|line| line.starts_with("MemAvailable:"))?;
    let available = line
        .split_whitespace()
        .nth(1)?
        .parse::<u64>()
        .ok()?
        .saturating_mul(1024);
    let number = |file: &str| -> Option<u64> {
        std::fs::read_to_string(format!("/sys/fs/cgroup/{file}"))
            .ok()?
            .trim()
            .parse()
            .ok()
    };
    let container = number("memory.max")
        .zip(number("memory.current"))
        .map(|(limit, used)| limit.saturating_sub(used));
    Some(container.map_or(available, |left| left.min(available)))
}

fn check_disk(system: SystemChecks) -> Result<(), CheckError> {
    let Some(wanted_percent) = system.min_disk_percent else {
        return Ok(());
    };
    match free_disk_percent() {
        Some(free_percent) if free_percent < wanted_percent => {
            Err(SystemError::Disk { free_percent, wanted_percent }.into())
        }
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn free_disk_percent() -> Option<f64> {
    let disk = rustix::fs::statvfs("/").ok()?;
    #[expect(
        clippy::cast_precision_loss,
        reason = "a ratio for a comparison of coarse numbers"
    )]
    let free = 100.0 * disk.f_bavail as f64 / disk.f_blocks.max(1) as f64;
    Some(free)
}

#[cfg(not(unix))]
fn free_disk_percent() -> Option<f64> {
    None
}
