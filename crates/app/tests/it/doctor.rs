//! `f5tts doctor`.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{Outcome, Sandbox};

/// A bucket on a port where nobody listens.
const NO_BUCKET: [(&str, &str); 5] = [
    ("S3_BUCKET", "speech"),
    ("AWS_ACCESS_KEY_ID", "key"),
    ("AWS_SECRET_ACCESS_KEY", "hush-hush"),
    ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
    ("STARTUP_TIMEOUT", "0"),
];

fn run(sandbox: &Sandbox, arguments: &[&str], environment: &[(&str, &str)]) -> Outcome {
    let mut command = sandbox.command(arguments);
    Outcome::of(command.envs(environment.iter().copied()).output().unwrap())
}

fn check<'a>(diagnosis: &'a Value, name: &str) -> &'a Value {
    let mut checks = diagnosis["checks"].as_array().unwrap().iter();
    checks.find(|check| check["name"] == name).unwrap()
}

#[test]
fn a_fresh_machine_is_in_order() {
    let sandbox = Sandbox::new();
    let table = sandbox.run(&["doctor"]).ok();
    assert!(table.starts_with("CHECK          VERDICT  MS "), "{table}");
    for line in [
        "settings       ok",
        "store          ok",
        "default voice  ok",
        "model          ok",
    ] {
        assert!(table.contains(&format!("\n{line} ")), "{table}");
    }
    let diagnosis = sandbox.run(&["doctor", "--json"]).json(0);
    assert_eq!(diagnosis["status"], "ok");
    assert_eq!(check(&diagnosis, "settings")["value"], "all are defaults");
    assert!(
        check(&diagnosis, "model")["value"]
            .as_str()
            .unwrap()
            .starts_with("demo on cpu")
    );
}

#[test]
fn a_bucket_that_does_not_answer_is_told_at_once_with_what_to_do() {
    let sandbox = Sandbox::new();
    let start = Instant::now();
    let outcome = run(&sandbox, &["doctor", "--json"], &NO_BUCKET);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert!(
        outcome
            .stderr
            .starts_with("error: store: the bucket `speech` at "),
        "{}",
        outcome.stderr
    );
    assert!(!outcome.stderr.contains("hush-hush"));
    let diagnosis = outcome.json(1);
    let store = check(&diagnosis, "store");
    assert_eq!(
        (diagnosis["status"].as_str(), store["verdict"].as_str()),
        (Some("failed"), Some("failed"))
    );
    assert_eq!(
        store["advice"],
        "check AWS_ENDPOINT_URL, the network and whether the store is up"
    );
    assert!(!diagnosis.to_string().contains("hush-hush"), "{diagnosis}");
    for arguments in [
        &["voices", "list"][..],
        &["jobs", "list"],
        &["job", "run", "{\"input\": {}}"],
    ] {
        let message = run(&sandbox, arguments, &NO_BUCKET).error(1);
        assert!(message.contains("check AWS_ENDPOINT_URL"), "{message}");
    }
}

#[test]
fn a_bucket_without_credentials_is_told() {
    let sandbox = Sandbox::new();
    let diagnosis = run(&sandbox, &["doctor", "--json"], &NO_BUCKET[..1]).json(1);
    assert_eq!(
        check(&diagnosis, "store")["value"],
        "S3_BUCKET is `speech`, but AWS_ACCESS_KEY_ID is not set"
    );
}

#[test]
fn settings_models_and_voices_that_cannot_be_used_are_told() {
    let sandbox = Sandbox::new();
    let environment = [
        ("F5TTS_SPEED", "9"),
        ("F5TTS_MODEL", "nonsense"),
        ("F5TTS_DEFAULT_VOICE", "nobody"),
    ];
    let diagnosis = run(&sandbox, &["doctor", "--json"], &environment[..1]).json(1);
    assert!(
        check(&diagnosis, "settings")["value"]
            .as_str()
            .unwrap()
            .contains("speed is 9")
    );
    assert_eq!(check(&diagnosis, "model")["verdict"], "ok");
    let diagnosis = run(&sandbox, &["doctor", "--json"], &environment[1..2]).json(1);
    let model = check(&diagnosis, "model")["value"].as_str().unwrap();
    assert!(model.starts_with("there is no model `nonsense`"), "{model}");
    let diagnosis = run(&sandbox, &["doctor", "--json"], &environment[2..]).json(1);
    let voice = check(&diagnosis, "default voice");
    assert_eq!(voice["advice"], "set F5TTS_DEFAULT_VOICE to one of `f5tts voices list`");
}
