//! Stores: one contract for all of them, and what each does beyond it.

mod contract;
mod directory;
#[cfg(unix)]
mod directory_faults;
mod fake_server;
mod memory;
pub(crate) mod real_s3;
mod retry;
mod s3_faults;

use std::time::Duration;

use f5tts_service::storage::{AudioExtension, JobId, Link, LinkLifetime, ObjectKey, VoiceName};

fn voice(name: &str) -> ObjectKey {
    ObjectKey::Voice(VoiceName::try_from(name).unwrap())
}

fn output(job: &str) -> ObjectKey {
    ObjectKey::Output { job: job_id(job), extension: AudioExtension::Wav }
}

fn record(job: &JobId, number: u32) -> ObjectKey {
    ObjectKey::JobRecord { job: job.clone(), number, writer: None }
}

fn job_id(id: &str) -> JobId {
    JobId::try_from(id).unwrap()
}

fn link(file_name: Option<&str>) -> Link {
    let lifetime = LinkLifetime::try_from(Duration::from_secs(600)).unwrap();
    Link { lifetime, file_name: file_name.map(str::to_owned) }
}
