//! `f5tts transcribe`, and voices without a transcript.

use std::fs;

use f5tts_testkit::Golden;
use insta::assert_snapshot;

use crate::Sandbox;

fn mute(name: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let recording = sandbox.recording(name);
    fs::remove_file(recording.with_extension("txt")).unwrap();
    sandbox
}

/// A random model of the real layout; it understands nothing, and says the same of all that it hears.
fn whisper() -> String {
    Golden::path("asr/large").display().to_string()
}

const HEARD: &str = "weeeeeeeeeeeeeeeeeeeeeee";

#[test]
fn a_recording_is_written_down() {
    let (sandbox, whisper) = (mute("a.wav"), whisper());
    let transcribe = ["transcribe", "a.wav", "--asr-model", &whisper];
    let outcome = sandbox.run(&transcribe);
    assert!(
        outcome.stderr.contains("does not seem to be what is said"),
        "{}",
        outcome.stderr
    );
    assert_eq!(outcome.ok(), format!("{HEARD}\n"));
    let report = sandbox
        .run(&[&transcribe[..], &["--json", "--asr-language", "yue"]].concat())
        .json(0);
    assert!(report["text"].as_str().unwrap().starts_with("wee"), "{report}");
    assert_eq!(report["language"], "yue");
    let confidence = report["confidence"].as_f64().unwrap();
    assert!(confidence > 0.0 && confidence < 1.0, "{confidence}");
}

#[test]
fn a_voice_without_a_transcript_gets_one() {
    let (sandbox, whisper) = (mute("a.wav"), whisper());
    let mut command = sandbox.command(&["voices", "add", "a.wav"]);
    let added = command.env("ASR_MODEL", &whisper).output().unwrap();
    let added = crate::Outcome::of(added).ok();
    assert!(added.contains(HEARD), "{added}");
    let report = sandbox.run(&["voices", "show", "a", "--json"]).json(0);
    assert_eq!(report["transcript"], "transcribed");
    let outcome = sandbox.say("Hello there.", &["--voice", "a.wav", "--asr-model", &whisper]);
    assert!(
        outcome
            .stderr
            .contains(&format!("was transcribed as “{HEARD}”")),
        "{}",
        outcome.stderr
    );
    assert!(sandbox.names().contains(&"out.wav".to_owned()));
}

#[test]
fn a_model_that_is_none_is_refused() {
    let sandbox = mute("a.wav");
    let hear = |model: &str| {
        sandbox
            .run(&["transcribe", "a.wav", "--asr-model", model])
            .error(2)
    };
    assert_snapshot!(hear("no such/model/"), @"error: could not transcribe `a.wav`: the recogniser's model no such/model/ cannot be used: it is neither a directory nor a repository on the hub, such as openai/whisper-small");
    assert_snapshot!(hear("."), @"error: could not transcribe `a.wav`: the recogniser's model . cannot be used: `./config.json` is missing; a Whisper model is config.json, tokenizer.json, model.safetensors");
}

#[test]
fn who_cannot_hear_says_why() {
    let sandbox = mute("a.wav");
    let off = ["transcribe", "a.wav", "--asr-model", "off"];
    assert_snapshot!(sandbox.run(&off).error(2), @"error: could not transcribe `a.wav`: transcription is switched off (ASR_MODEL is `off`)");
    let message = sandbox.run(&["transcribe", "none.wav"]).error(2);
    assert_snapshot!(message, @"error: the recording `none.wav`: could not read it: No such file or directory (os error 2)");
    let say = ["--voice", "a.wav", "--asr-model", "OFF"];
    let message = sandbox.say("Hello there.", &say).error(2);
    assert_snapshot!(message, @"error: the voice `a.wav`: it needs a transcript: give what is said in it with `--ref-text`, or write it to `a.txt`; transcription is switched off (ASR_MODEL is `off`)");
}

#[test]
fn an_upload_that_nobody_hears_is_kept() {
    let sandbox = mute("a.wav");
    let mut command = sandbox.command(&["voices", "add", "a.wav"]);
    let added = command.env("ASR_MODEL", "off").output().unwrap();
    let added = crate::Outcome::of(added).ok();
    assert!(
        added.contains("advice: no transcript was given, and transcription is switched off"),
        "{added}"
    );
    let report = sandbox.run(&["voices", "show", "a", "--json"]).json(0);
    assert_eq!(report["transcript"], "missing");
}

#[test]
fn a_transcript_that_is_not_what_is_said_is_warned_about() {
    let sandbox = mute("a.wav");
    let text = "Penguins seldom juggle porcelain kettles.";
    let added = sandbox
        .run(&["voices", "add", "a.wav", "--ref-text", text])
        .ok();
    assert!(
        added.contains("warning: the transcript does not seem to be what is said: not heard"),
        "{added}"
    );
    let report = sandbox.run(&["voices", "show", "a", "--json"]).json(0);
    assert_eq!(report["transcript_fit"]["fits"], false, "{report}");
}
