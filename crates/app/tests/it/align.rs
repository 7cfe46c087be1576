//! When words are spoken in recordings.

use std::fs;

use f5tts_testkit::Golden;
use serde_json::Value;

use crate::{Outcome, Sandbox};

const TEXT: &str = "A heavy fog rolled in from the harbor and covered the town.";

fn align(sandbox: &Sandbox, flags: &[&str]) -> Outcome {
    let recording = Golden::path("align/harbor.flac");
    sandbox.run(&[&["align", recording.to_str().unwrap()], flags].concat())
}

#[test]
fn words_are_told_in_every_form() {
    let sandbox = Sandbox::new();
    let table = align(&sandbox, &["--text", TEXT]).ok();
    assert_eq!(table.lines().count(), 13);
    assert!(table.lines().nth(8).unwrap().ends_with("harbor"), "{table}");

    sandbox.write("text.txt", TEXT);
    let files = [
        "-o", "a.srt", "-o", "a.vtt", "-o", "a.ass", "-o", "a.csv", "-o", "a.json",
    ];
    let flags = ["--file", "text.txt", "--json", "--spectrogram", "a.png"];
    let report = align(&sandbox, &[&files[..], &flags].concat()).ok();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["word_timings"][7]["word"], "harbor");
    // Where flite put it.
    let start = report["word_timings"][7]["start_time"].as_f64().unwrap();
    assert!((start - 1.71).abs() < 0.03, "{start}");
    assert_eq!(report["timings"]["status"], "aligned");
    assert!(report["duration"].as_f64().unwrap() > 3.0);
    let written: Value =
        serde_json::from_slice(&fs::read(sandbox.path("a.json")).unwrap()).unwrap();
    assert_eq!(written, report["word_timings"]);
    let expected = [
        "a.ass", "a.csv", "a.json", "a.png", "a.srt", "a.vtt", "text.txt",
    ];
    assert_eq!(sandbox.names(), expected);
}

#[test]
fn a_recording_of_something_else_is_told() {
    let sandbox = Sandbox::new();
    let other = "Please send us seventeen cups of jasmine tea quickly.";
    let message = align(&sandbox, &["--text", other, "-o", "a.srt"]).error(2);
    assert!(message.starts_with("error: the audio does not hold the text"), "{message}");
    assert_eq!(sandbox.names(), [""; 0]);
    let outcome = align(&sandbox, &["--text", other, "--json"]);
    assert_eq!(outcome.code, Some(2));
    let report: Value = serde_json::from_slice(&outcome.stdout).unwrap();
    assert_eq!(report["word_timings"], Value::Null);
    assert_eq!(report["timings"]["status"], "failed");
}

#[test]
fn what_cannot_be_read_or_written_is_told_first() {
    let sandbox = Sandbox::new();
    for (flags, expected) in [
        (&["--text", "Hello.", "-o", "a.txt"][..], "allowed are srt, vtt, ass, csv, json"),
        (&["--text", "Hello.", "-o", "-"], "allowed are srt, vtt, ass, csv, json"),
        (&["--text", "Hello.", "-o", "nowhere/a.srt"], "nowhere/a.srt"),
        (&["--text", "🙂"], "the text has no word that sounds"),
        (&[], "--text <TEXT>"),
    ] {
        let message = align(&sandbox, flags).error(2);
        assert!(message.contains(expected), "{message}");
    }
    let message = sandbox
        .run(&["align", "missing.wav", "--text", "Hello."])
        .error(2);
    assert!(message.contains("missing.wav"), "{message}");
}
