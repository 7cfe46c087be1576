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
