//! `f5tts transcribe`, and voices without a transcript, where nobody hears them.

use std::fs;

use insta::assert_snapshot;

use crate::Sandbox;

fn mute(name: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let recording = sandbox.recording(name);
    fs::remove_file(recording.with_extension("txt")).unwrap();
    sandbox
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
