//! `f5tts job run`: the job contract without any server.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow};
use f5tts_service::{Context, Job, request::ReturnAudio, storage::JobId};
use serde_json::Value;

use crate::{
    assembly::{self, MissingModel},
    cli::{JobAction, JobArguments, JobRunArguments},
    failure::{Failure, OrBadInput},
    output::print,
};

/// A job may bring a recording in base64.
const MAX_BYTES: u64 = 256 << 20;

/// Does what was asked for.
pub(crate) fn run(arguments: &JobArguments) -> Result<(), Failure> {
    match &arguments.action {
        JobAction::Run(arguments) => run_job(arguments),
    }
}

fn run_job(arguments: &JobRunArguments) -> Result<(), Failure> {
    let job = job(&read(&arguments.job)?)?;
    let answer = assembly::run(async {
        let service = assembly::service(
            arguments.service.settings(),
            ReturnAudio::Url,
            MissingModel::Refused,
        )
        .await?;
        let context = Context::default();
        let answer = service.handle(job, &context);
        tokio::pin!(answer);
        tokio::select! {
            answer = &mut answer => Ok(answer),
            _ = tokio::signal::ctrl_c() => {
                context.cancel.cancel();
                // So that the job's record says how it ended, unless that takes too long for somebody.
                tokio::select! {
                    _ = answer => {}
                    _ = tokio::signal::ctrl_c() => {}
                }
                Err(Failure::Interrupted)
            }
        }
    })?;
    let (json, failure) = match &answer {
        Ok(answer) => (answer.clone(), None),
        Err(failure) => (failure.to_json(), Some(failure)),
    };
    let text = serde_json::to_string_pretty(&json).context("could not write JSON")?;
    print(&(text + "\n"))?;
    failure.map_or(Ok(()), |failure| {
        Err(Failure::Failed(anyhow!("the job failed: {}", failure.message())))
    })
}

/// A file, standard input, or the JSON itself.
pub(crate) fn read(given: &str) -> Result<String, Failure> {
    if given.trim_start().starts_with('{') {
        return Ok(given.to_owned());
    }
    let mut text = String::new();
    if given == "-" {
        std::io::stdin()
            .take(MAX_BYTES)
            .read_to_string(&mut text)
            .or_bad_input_in("could not read standard input")?;
        return Ok(text);
    }
    let path = PathBuf::from(given);
    read_file(&path, &mut text).or_bad_input_in(format!("could not read `{}`", path.display()))?;
    Ok(text)
}

fn read_file(path: &Path, text: &mut String) -> std::io::Result<usize> {
    std::fs::File::open(path)?
        .take(MAX_BYTES)
        .read_to_string(text)
}

/// A job as RunPod's queue gives it.
fn job(text: &str) -> Result<Job, Failure> {
    let mut value: Value = serde_json::from_str(text).or_bad_input_in("the job is no JSON")?;
    let id = match value.get("id") {
        None | Some(Value::Null) => None,
        Some(Value::String(id)) => Some(JobId::try_from(id.as_str()).or_bad_input()?),
        Some(other) => {
            return Err(Failure::bad_input(format!("`id` is {other}, allowed is a text")));
        }
    };
    let input = match value.get_mut("input") {
        Some(input) => input.take(),
        None => {
            let message = "the job has no `input`: write {\"input\": {\"text\": \"Hello.\"}}";
            return Err(Failure::bad_input(message));
        }
    };
    Ok(Job { id, input })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_what_the_platform_gives() {
        let found = job(r#"{"id": "a-1", "input": {"text": "Hello."}, "webhook": "x"}"#).unwrap();
        assert_eq!(found.id.unwrap().as_str(), "a-1");
        assert_eq!(found.input["text"], "Hello.");
        for wrong in [
            "",
            "{",
            "[]",
            r#"{"text": "Hello."}"#,
            r#"{"id": 7, "input": {}}"#,
            r#"{"id": "../x", "input": {}}"#,
        ] {
            assert!(matches!(job(wrong), Err(Failure::BadInput(_))), "{wrong}");
        }
    }
}
