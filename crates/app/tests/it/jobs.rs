//! `f5tts job run` and `f5tts jobs`.

use std::{fs, io::Write, process::Stdio};

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::{Outcome, Sandbox};

/// A job that is done quickly.
fn job(id: &str) -> String {
    json!({ "id": id, "input": { "text": "Hello there.", "nfe_step": 4, "seed": 7, "return_word_timings": false } })
        .to_string()
}

fn ask(sandbox: &Sandbox, input: &Value) -> Outcome {
    sandbox.run(&["job", "run", &json!({ "input": input }).to_string()])
}

fn file_of(url: &Value) -> Vec<u8> {
    let url = url::Url::parse(url.as_str().unwrap()).unwrap();
    fs::read(url.to_file_path().unwrap()).unwrap()
}

#[test]
fn a_job_comes_from_the_command_line_a_file_or_standard_input() {
    let sandbox = Sandbox::new();
    let given = sandbox.run(&["job", "run", &job("given")]).json(0);
    assert_eq!((&given["status"], &given["job_id"]), (&json!("COMPLETED"), &json!("given")));
    assert_eq!(given["sample_rate"], 22_050);
    let audio = file_of(&given["audio_url"]);
    assert!(audio.starts_with(b"RIFF"));

    sandbox.write("job.json", job("file"));
    let from_file = sandbox.run(&["job", "run", "job.json"]).json(0);
    assert!(file_of(&from_file["audio_url"]) == audio);

    let mut child = sandbox
        .command(&["job", "run", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(job("input").as_bytes()).unwrap();
    drop(input);
    let from_input = Outcome::of(child.wait_with_output().unwrap()).json(0);
    assert!(file_of(&from_input["audio_url"]) == audio);
}

#[test]
fn a_job_that_fails_says_so_in_json_and_in_a_line() {
    let sandbox = Sandbox::new();
    let outcome = ask(&sandbox, &json!({"text": "Hello there.", "speed": 9}));
    assert_eq!(
        outcome.stderr,
        "error: the job failed: `speed` is 9, allowed is a number from 0.5 to 2\n"
    );
    let expected = json!({
        "error": "`speed` is 9, allowed is a number from 0.5 to 2", "error_code": "invalid_input",
    });
    assert_eq!(outcome.json(1), expected);
    let answer = ask(&sandbox, &json!({"text": "Hello there.", "local_voice": "nobody"})).json(1);
    assert_eq!(answer["error_code"], "voice_not_found");
}

#[test]
fn what_is_no_job_is_bad_input() {
    let sandbox = Sandbox::new();
    let run = |job: &str| sandbox.run(&["job", "run", job]).error(2);
    assert_snapshot!(run("{\"input\": "), @"error: the job is no JSON: EOF while parsing a value at line 1 column 10");
    assert_snapshot!(run("{}"), @r#"error: the job has no `input`: write {"input": {"text": "Hello."}}"#);
    assert_snapshot!(run("none.json"), @"error: could not read `none.json`: No such file or directory (os error 2)");
    assert_snapshot!(run(r#"{"id": "../x", "input": {}}"#), @"error: `job_id` is `../x`, which begins with a dot; allowed is 1 to 128 letters of ASCII, digits, `_`, `.` and `-`, not beginning with a dot");
}

#[test]
fn jobs_are_listed_shown_and_removed() {
    let sandbox = Sandbox::new();
    sandbox.run(&["job", "run", &job("one")]).json(0);
    ask(&sandbox, &json!({"text": "Hello there.", "local_voice": "nobody"})).json(1);
    let table = sandbox.run(&["jobs", "list"]).ok();
    assert!(table.starts_with("JOB "), "{table}");
    let list = sandbox.run(&["jobs", "list", "--json"]).json(0);
    let states: Vec<_> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|job| &job["status"])
        .collect();
    assert_eq!(states, ["COMPLETED", "ERROR"], "{list}");
    assert_eq!(list[0]["job_id"], "one");

    let shown = sandbox.run(&["jobs", "show", "one"]).json(0);
    assert_eq!(shown["order"]["seed"], 7);
    assert_eq!(shown["last"]["state"], "COMPLETED");
    let message = sandbox.run(&["jobs", "show", "two"]).error(2);
    assert_snapshot!(message, @"error: there is no job `two`: see `f5tts jobs list`");

    let message = sandbox
        .run(&["jobs", "gc", "--job-retention-days", "0"])
        .error(2);
    assert_snapshot!(message, @"error: JOB_RETENTION_DAYS is 0, so jobs are kept for ever: give `--job-retention-days`");
    let nothing = json!({"jobs": 0, "keys": 0});
    assert_eq!(sandbox.run(&["jobs", "gc", "--json"]).json(0), nothing);
    age(&sandbox, 31);
    assert_eq!(sandbox.run(&["jobs", "gc"]).ok(), "removed 2 jobs and 0 idempotency keys\n");
    assert_eq!(sandbox.run(&["jobs", "list", "--json"]).json(0), json!([]));
    assert_eq!(
        fs::read_dir(sandbox.path(".local/share/f5tts/output"))
            .unwrap()
            .count(),
        0
    );
}

/// Makes all that is in the store look as if it had been written some days ago.
fn age(sandbox: &Sandbox, days: u64) {
    let then = std::time::SystemTime::now() - std::time::Duration::from_secs(days * 86_400);
    let mut pending = vec![sandbox.path(".local/share/f5tts")];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else {
                let file = fs::File::options().write(true).open(path).unwrap();
                file.set_modified(then).unwrap();
            }
        }
    }
}

/// A job that was accepted, as a process leaves it that ended before it began to work.
fn leave_queued(sandbox: &Sandbox, id: &str) {
    let directory = sandbox.path(&format!(".local/share/f5tts/jobs/{id}"));
    fs::create_dir_all(&directory).unwrap();
    let record = json!({
        "writer": "w", "written_at": "2026-01-01T00:00:00Z", "state": "QUEUED",
        "input": {"text": "Hello there.", "nfe_step": 4}, "seed": 5,
    });
    fs::write(directory.join("0000.json"), record.to_string()).unwrap();
}

#[test]
fn a_job_that_waits_is_cancelled() {
    let sandbox = Sandbox::new();
    leave_queued(&sandbox, "left");
    assert_eq!(sandbox.run(&["jobs", "cancel", "left"]).ok(), "job left is cancelled\n");
    let status = ask(&sandbox, &json!({"endpoint": "status", "job_id": "left"})).json(0);
    assert_eq!(
        (&status["status"], &status["error_code"]),
        (&json!("ERROR"), &json!("cancelled"))
    );
    sandbox.run(&["job", "run", &job("done")]).json(0);
    let message = sandbox.run(&["jobs", "cancel", "done"]).error(2);
    assert_snapshot!(message, @"error: job done is complete and cannot be cancelled");
    let message = sandbox
        .run(&["jobs", "cancel", "nobody", "--json"])
        .error(2);
    assert!(message.contains("there is no job `nobody`"), "{message}");
}

#[test]
fn whoever_comes_next_finishes_what_was_left_and_keeps_its_seed() {
    let sandbox = Sandbox::new();
    leave_queued(&sandbox, "left");
    let again = json!({"id": "left", "input": {"text": "Hello there.", "nfe_step": 4}});
    let answer = sandbox.run(&["job", "run", &again.to_string()]).json(0);
    assert_eq!((&answer["status"], &answer["seed"]), (&json!("COMPLETED"), &json!(5)));
}

#[test]
fn a_damaged_record_is_named_in_the_list() {
    let sandbox = Sandbox::new();
    let directory = sandbox.path(".local/share/f5tts/jobs/bad");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("0000.json"), "{\"state\": ").unwrap();
    let table = sandbox.run(&["jobs", "list"]).ok();
    assert!(table.contains("? record 0 of job bad is damaged"), "{table}");
    ask(&sandbox, &json!({"endpoint": "delete_job", "job_id": "bad"})).json(0);
    assert_eq!(sandbox.run(&["jobs", "list", "--json"]).json(0), json!([]));
}
