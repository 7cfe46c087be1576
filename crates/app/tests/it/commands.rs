//! The commands beside `say`.

use serde_json::Value;

use crate::Sandbox;

#[test]
fn models_are_listed_with_their_licences() {
    let sandbox = Sandbox::new();
    let table = sandbox.run(&["models", "list"]).ok();
    let line = |name: &str| {
        let mut lines = table.lines();
        lines
            .find(|line| line.starts_with(name))
            .unwrap()
            .to_owned()
    };
    assert!(line("demo ").contains("yes"));
    assert!(line("F5TTS_v1_Base ").contains("no"));
    assert!(line("F5TTS_v1_Base ").contains("CC-BY-NC-4.0"));
    let json: Value =
        serde_json::from_str(&sandbox.run(&["models", "list", "--json"]).ok()).unwrap();
    assert_eq!(json[0]["name"], "demo");
    assert_eq!(json[0]["is_here"], true);
}

#[test]
fn models_that_are_not_here_are_told_with_what_to_do() {
    let sandbox = Sandbox::new();
    let message = sandbox.run(&["models", "path", "F5TTS_v1_Base"]).error(2);
    assert!(message.contains("f5tts models get F5TTS_v1_Base"), "{message}");
    let message = sandbox
        .run(&["models", "get", "F5TTS_v1_Base", "--hf-hub-offline"])
        .error(2);
    assert!(message.contains("HF_HUB_OFFLINE"), "{message}");
    let message = sandbox.run(&["models", "path", "demo"]).error(2);
    assert_eq!(message, "error: the model demo is part of this program and has no files\n");
    let outcome = sandbox.run(&["models", "verify", "F5TTS_v1_Base"]);
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("damaged or missing"), "{}", outcome.stderr);
}

#[test]
fn bench_tells_times_and_memory() {
    let sandbox = Sandbox::new();
    let arguments = ["bench", "--frames", "64", "--repeat", "2", "--nfe", "7"];
    let json = sandbox.run(&[&arguments[..], &["--json"]].concat()).ok();
    let json: Value = serde_json::from_str(&json).unwrap();
    for place in [
        "/evaluation_ms/median",
        "/evaluation_ms/min",
        "/vocoder_ms/median",
        "/rtf",
        "/startup_ms",
    ] {
        assert!(json.pointer(place).unwrap().as_f64().unwrap() > 0.0, "{place}: {json}");
    }
    assert_eq!(json["nfe_step"], 7);
    #[cfg(target_os = "linux")]
    for place in [
        "/memory/rss_anon_mb",
        "/memory/rss_file_mb",
        "/memory/peak_anon_mb",
    ] {
        assert!(json.pointer(place).unwrap().as_f64().unwrap() > 1.0, "{place}: {json}");
    }
    let table = sandbox.run(&arguments).ok();
    assert!(table.contains("RTF at 7 steps"), "{table}");
}

#[test]
fn completions_know_the_flags() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = sandbox.run(&["completions", shell]).ok();
        assert!(script.contains("sway-sampling-coef"), "{shell}");
    }
}

#[test]
fn the_manual_describes_all_commands() {
    let page = Sandbox::new().run(&["man"]).ok();
    assert!(page.contains(".SH NAME") && page.contains("cross\\-fade\\-duration"));
}
