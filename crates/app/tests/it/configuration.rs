//! Settings from flags, environment and file, as the whole program reads them.

use serde_json::Value;

use crate::{FAST, Outcome, Sandbox};

fn seed(sandbox: &Sandbox, flags: &[&str], environment: &[(&str, &str)]) -> Result<u64, String> {
    let arguments = [
        &["say", "Hello there.", "-o", "out.wav", "--json"],
        &FAST[..],
        flags,
    ]
    .concat();
    let mut command = sandbox.command(&arguments);
    command.envs(environment.iter().copied());
    let outcome = Outcome::of(command.output().unwrap());
    if outcome.code != Some(0) {
        return Err(outcome.error(2));
    }
    let report: Value = serde_json::from_str(&outcome.ok()).unwrap();
    Ok(report["seed"].as_u64().unwrap())
}

#[test]
fn a_flag_beats_the_environment_and_that_the_file() {
    let sandbox = Sandbox::new();
    std::fs::create_dir_all(sandbox.path(".config/f5tts")).unwrap();
    sandbox.write(".config/f5tts/config.toml", "seed = 1\n");
    assert_eq!(seed(&sandbox, &[], &[]), Ok(1));
    assert_eq!(seed(&sandbox, &[], &[("F5TTS_SEED", "2")]), Ok(2));
    assert_eq!(seed(&sandbox, &["--seed", "3"], &[("F5TTS_SEED", "2")]), Ok(3));
    assert_eq!(seed(&sandbox, &[], &[("F5TTS_SEED", "")]), Ok(1));
}

#[test]
fn the_file_may_be_named() {
    let sandbox = Sandbox::new();
    sandbox.write("mine.toml", "seed = 5\nquiet = true\n");
    assert_eq!(seed(&sandbox, &["--config", "mine.toml"], &[]), Ok(5));
    assert_eq!(seed(&sandbox, &[], &[("F5TTS_CONFIG", "mine.toml")]), Ok(5));
}

#[test]
fn what_is_wrong_in_the_file_is_told_with_its_name() {
    let sandbox = Sandbox::new();
    sandbox.write("mine.toml", "seed = -5\n");
    let message = seed(&sandbox, &["--config", "mine.toml"], &[]).unwrap_err();
    insta::assert_snapshot!(message, @"error: the configuration file `mine.toml`: `seed`: it is not a whole number");
    let message = seed(&sandbox, &["--config", "none.toml"], &[]).unwrap_err();
    insta::assert_snapshot!(message, @"error: the configuration file `none.toml`: could not read it: No such file or directory (os error 2)");
}

#[test]
fn a_wrong_variable_is_told() {
    let message = seed(&Sandbox::new(), &[], &[("F5TTS_SEED", "x")]).unwrap_err();
    assert!(message.contains("invalid value 'x' for '--seed <NUMBER>'"), "{message}");
}

#[test]
fn secrets_are_never_printed() {
    let sandbox = Sandbox::new();
    for arguments in [
        &["models", "list", "--help"][..],
        &["page", "configuration"],
        &["models", "list"],
    ] {
        let mut command = sandbox.command(arguments);
        let outcome = Outcome::of(command.env("HF_TOKEN", "hf_secret").output().unwrap());
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        assert!(!outcome.stderr.contains("hf_secret"));
        assert!(!outcome.ok().contains("hf_secret"));
    }
}

fn config(sandbox: &Sandbox, environment: &[(&str, &str)], flags: &[&str]) -> Outcome {
    let mut command = sandbox.command(&[&["config"], flags].concat());
    Outcome::of(command.envs(environment.iter().copied()).output().unwrap())
}

fn setting<'a>(settings: &'a Value, name: &str) -> &'a Value {
    let mut settings = settings.as_array().unwrap().iter();
    settings
        .find(|setting| setting["setting"] == name)
        .expect(name)
}

#[test]
fn every_setting_is_shown_with_where_it_comes_from() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "mine.toml",
        "s3_bucket = \"speech\"\naws_region = \"eu-west-1\"\nurl_ttl = 60\n",
    );
    let environment = [
        ("F5TTS_CONFIG", "mine.toml"),
        ("BUCKET_SECRET_ACCESS_KEY", "hush-hush"),
        ("URL_TTL", "120"),
    ];
    let table = config(&sandbox, &environment, &[]).ok();
    assert!(!table.contains("hush-hush"), "{table}");
    let settings = config(&sandbox, &environment, &["--json"]).json(0);
    for (name, value, origin) in [
        ("s3_bucket", "speech", "file"),
        ("aws_region", "eu-west-1", "file"),
        ("url_ttl", "120", "environment"),
        ("aws_secret_access_key", "set", "environment"),
        ("startup_timeout", "60", "default"),
    ] {
        let found = setting(&settings, name);
        assert_eq!((&found["value"], &found["origin"]), (&value.into(), &origin.into()), "{name}");
        assert_eq!(found["problem"], Value::Null, "{name}");
        let words = [name, value, origin];
        let shown = |line: &str| line.split_whitespace().eq(words);
        assert!(table.lines().any(shown), "{words:?} in {table}");
    }
}

#[test]
fn a_setting_that_cannot_be_used_is_named() {
    let sandbox = Sandbox::new();
    let environment = [("URL_TTL", "0"), ("F5TTS_ALLOW_HTTP_URLS", "maybe")];
    let outcome = config(&sandbox, &environment, &["--json"]);
    assert_eq!(outcome.stderr, "error: 2 settings cannot be used\n");
    let settings = outcome.json(2);
    let problem = setting(&settings, "url_ttl")["problem"].as_str().unwrap();
    assert!(problem.ends_with("allowed are 1 to 604800 seconds"), "{problem}");
    let problem = setting(&settings, "allow_http_urls")["problem"]
        .as_str()
        .unwrap();
    assert!(problem.contains("'maybe'"), "{problem}");
}

#[test]
fn the_store_may_stand_in_the_file() {
    let sandbox = Sandbox::new();
    sandbox.write("mine.toml", "data_dir = \"kept\"\nvoice = \"slt\"\nallowed_hosts = [\"minio.corp:9000\", \"10.1.0.0/16\"]\n");
    let job = r#"{"id": "a", "input": {"text": "Hello there.", "nfe_step": 4}}"#;
    let answer = sandbox
        .run(&["job", "run", job, "--config", "mine.toml"])
        .json(0);
    assert_eq!(answer["voice"], "slt");
    assert!(sandbox.path("kept/output/a.wav").is_file());
    sandbox.write("mine.toml", "startup_timeout = -1\n");
    let message = sandbox
        .run(&["voices", "list", "--config", "mine.toml"])
        .error(2);
    assert!(
        message.starts_with("error: the configuration file `mine.toml`: `startup_timeout`: "),
        "{message}"
    );
}
