//! `f5tts doctor`: tries everything that the service needs.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::anyhow;
use f5tts_service::{
    doctor::{Check, Diagnosis, Verdict, check_store},
    request::ReturnAudio,
};

use crate::{
    assembly::{self, MissingModel},
    cli::{DoctorArguments, ServiceArguments},
    config::{self, Origin},
    failure::Failure,
    models::{self, FileCheck, FileState},
    output::answer,
    table::table,
    wiring,
};

/// The space that a real model and its outputs need.
const ENOUGH_BYTES: u64 = 4 << 30;

/// Does what was asked for.
pub(crate) fn run(arguments: &DoctorArguments, file: Option<PathBuf>) -> Result<(), Failure> {
    let settings = settings(file)?;
    let diagnosis = assembly::run(diagnose(&arguments.service, settings))?;
    answer(arguments.json, &diagnosis.to_json(), || lines(&diagnosis))?;
    match diagnosis.failed() {
        Some(check) => Err(Failure::Failed(anyhow!("{}: {}", check.name, check.value))),
        None => Ok(()),
    }
}

/// Which settings differ from their defaults, and whether all of them can be used.
fn settings(file: Option<PathBuf>) -> Result<Check, Failure> {
    let start = Instant::now();
    let all = config::effective(file)?;
    let wrong = all.iter().find_map(|setting| setting.problem.as_ref());
    let set = all
        .iter()
        .filter(|setting| setting.origin != Origin::Default)
        .map(|setting| setting.setting.as_str());
    let set: Vec<_> = set.collect();
    Ok(match (wrong, set.is_empty()) {
        (Some(problem), _) => Check::new("settings", Verdict::Failed, problem, start)
            .advise("`f5tts config` shows all settings and where they come from"),
        (None, true) => Check::new("settings", Verdict::Ok, "all are defaults", start),
        (None, false) => {
            Check::new("settings", Verdict::Ok, format!("set are {}", set.join(", ")), start)
        }
    })
}

async fn diagnose(arguments: &ServiceArguments, settings: Check) -> Result<Diagnosis, Failure> {
    let mut checks = vec![settings];
    checks.extend(space(arguments));
    checks.extend(model_files(arguments));
    let store = match assembly::store(&arguments.store, arguments.hub.network) {
        Ok(storage) => {
            check_store(&*storage, std::time::Duration::ZERO)
                .await
                .check
        }
        Err(failure) => Check::new("store", Verdict::Failed, failure.text(), Instant::now()),
    };
    let works = store.verdict != Verdict::Failed;
    checks.push(store);
    if !works {
        return Ok(Diagnosis { checks }); // Voices and models may lie in it.
    }
    match assembly::service(arguments.settings(), ReturnAudio::Url, MissingModel::Refused).await {
        Ok(service) => {
            let tried = service.self_test().await.checks.into_iter();
            checks.extend(tried.filter(|check| check.name != "store"));
        }
        Err(failure) => {
            checks.push(Check::new("model", Verdict::Failed, failure.text(), Instant::now()));
        }
    }
    Ok(Diagnosis { checks })
}

/// The space where models are kept.
fn space(arguments: &ServiceArguments) -> Option<Check> {
    let start = Instant::now();
    let cache = arguments.hub.for_models().cache_directory()?;
    let existing = cache.ancestors().find(|path| path.exists())?;
    let bytes = free_bytes(existing)?;
    let gigabytes = bytes >> 30;
    let value = format!("{gigabytes} GiB free for models in {}", cache.display());
    let verdict = if bytes < ENOUGH_BYTES {
        Verdict::Warning
    } else {
        Verdict::Ok
    };
    let check = Check::new("disk", verdict, value, start);
    Some(match verdict {
        Verdict::Ok => check,
        Verdict::Warning | Verdict::Failed => {
            check.advise("a real model needs 1.4 GB: make room, or set HF_HOME to a larger disk")
        }
    })
}

/// The files of a model that is known by name, if they are here, against their known sizes and checksums.
fn model_files(arguments: &ServiceArguments) -> Option<Check> {
    let start = Instant::now();
    let hub = arguments.hub.for_models();
    let files = wiring::find(&arguments.model, &arguments.hub).ok()?;
    let checks = models::verify(&files.name, &hub).ok()?;
    let is_bad =
        |check: &&FileCheck| matches!(check.state, FileState::Damaged | FileState::Missing);
    let bad: Vec<_> = checks
        .iter()
        .filter(is_bad)
        .map(|check| check.file)
        .collect();
    Some(if bad.is_empty() {
        let value = format!("{} files of {} are whole", checks.len(), files.name);
        Check::new("model files", Verdict::Ok, value, start)
    } else {
        let value = format!("damaged or missing: {}", bad.join(", "));
        Check::new("model files", Verdict::Failed, value, start)
            .advise(format!("remove them and run `f5tts models get {}`", files.name))
    })
}

#[cfg(unix)]
fn free_bytes(path: &Path) -> Option<u64> {
    let system = rustix::fs::statvfs(path).ok()?;
    Some(system.f_bavail.saturating_mul(system.f_frsize))
}

#[cfg(not(unix))]
fn free_bytes(_: &Path) -> Option<u64> {
    None
}

fn lines(diagnosis: &Diagnosis) -> String {
    let head = ["CHECK", "VERDICT", "MS", "FOUND"]
        .map(str::to_owned)
        .to_vec();
    let mut rows = vec![head];
    for check in &diagnosis.checks {
        rows.push(vec![
            check.name.clone(),
            check.verdict.to_string(),
            check.milliseconds.to_string(),
            check.value.clone(),
        ]);
        if let Some(advice) = &check.advice {
            rows.push(vec![
                String::new(),
                String::new(),
                String::new(),
                format!("→ {advice}"),
            ]);
        }
    }
    table(&rows)
}
