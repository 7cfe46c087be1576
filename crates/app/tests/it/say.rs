//! What `say` writes and tells.

use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{FAST, Outcome, Sandbox};

/// Channels, samples a second, and samples of a 16-bit WAV file.
fn wav(bytes: &[u8]) -> (u16, u32, Vec<i16>) {
    assert_eq!(
        (&bytes[..4], &bytes[8..16], &bytes[36..40]),
        (&b"RIFF"[..], &b"WAVEfmt "[..], &b"data"[..])
    );
    let samples = bytes[44..]
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
    let channels = u16::from_le_bytes([bytes[22], bytes[23]]);
    (
        channels,
        u32::from_le_bytes(bytes[24..28].try_into().unwrap()),
        samples.collect(),
    )
}

fn level(samples: &[i16]) -> f64 {
    let powers = samples.iter().map(|&sample| f64::from(sample).powi(2));
    (powers.sum::<f64>() / samples.len() as f64).sqrt()
}

fn json(outcome: Outcome) -> Value {
    serde_json::from_str(&outcome.ok()).unwrap()
}

#[test]
fn a_text_becomes_a_file_that_can_be_heard() {
    let sandbox = Sandbox::new();
    let outcome = sandbox.say("Hello there.", &["--seed", "7"]);
    assert_eq!(outcome.stdout, b"");
    let stderr = &outcome.stderr;
    assert!(
        stderr.starts_with("out.wav: ") && stderr.ends_with("model demo, voice rms, seed 7\n"),
        "{stderr}"
    );
    let (channels, rate_hz, samples) = wav(&fs::read(sandbox.path("out.wav")).unwrap());
    assert_eq!((channels, rate_hz), (1, 24_000));
    assert!((8_000..80_000).contains(&samples.len()), "{} samples", samples.len());
    let rms = level(&samples);
    assert!((100.0..20_000.0).contains(&rms), "its level is {rms}");
    assert_eq!(sandbox.names(), ["out.wav"]);
}

#[test]
fn what_is_wrong_with_a_vocabulary_is_told() {
    let sandbox = Sandbox::new();
    let vocab = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/demo/vocab.txt"));
    fs::write(sandbox.path("vocab.txt"), vocab.trim_end_matches('\n')).unwrap();
    let outcome = sandbox.say("Hello there.", &["--vocab", "vocab.txt"]);
    let expected = "warning: the last line of the vocabulary has no line end";
    assert!(outcome.stderr.contains(expected), "{}", outcome.stderr);
}

/// The aligner knows nothing of the model: it looks for the words of a text in sound.
#[test]
fn what_the_bundled_voices_say_is_understood() {
    let text = "The children went to the market with their mother.";
    for voice in ["rms", "slt"] {
        let sandbox = Sandbox::new();
        let flags = [
            "--voice",
            voice,
            "--seed",
            "1",
            "--json",
            "--timings",
            "words.json",
        ];
        let report = json(sandbox.say(text, &flags));
        assert_eq!(report["timings"]["status"], "aligned", "{report}");
        assert_eq!(report["timings"]["missing_words"], serde_json::json!([]), "{report}");
        let duration = report["duration"].as_f64().unwrap();
        // The voices speak 6 frames of 256 samples a character.
        let expected = text.len() as f64 * 6.0 * 256.0 / 24_000.0;
        assert!((duration / expected - 1.0).abs() < 0.05, "{duration} s, expected {expected}");
        let (_, _, samples) = wav(&fs::read(sandbox.path("out.wav")).unwrap());
        let level = level(&samples);
        assert!((1_500.0..6_000.0).contains(&level), "its level is {level}");
    }
}

#[test]
fn equal_seeds_give_equal_files_and_others_do_not() {
    let sandbox = Sandbox::new();
    let speak = |flags: &[&str]| {
        sandbox.say("Hello there.", flags).ok();
        fs::read(sandbox.path("out.wav")).unwrap()
    };
    let first = speak(&["--seed", "1", "--threads", "1"]);
    assert!(first == speak(&["--seed", "1", "--threads", "3"]), "threads change the speech");
    assert!(first != speak(&["--seed", "2"]), "seeds do not change the speech");
}

#[test]
fn json_tells_what_was_done() {
    let sandbox = Sandbox::new();
    let report =
        json(sandbox.say("Hello there, you.", &["--json", "--quiet", "--sample-rate", "16000"]));
    let (_, rate_hz, samples) = wav(&fs::read(sandbox.path("out.wav")).unwrap());
    assert_eq!(rate_hz, 16_000);
    assert_eq!(report["path"], "out.wav");
    assert_eq!(report["sample_rate"], 16_000);
    assert_eq!(report["format"], "wav");
    assert_eq!(report["model"], "demo");
    assert_eq!(report["voice"], "rms");
    assert_eq!(report["text"], "Hello there, you.");
    assert_eq!(report["evaluations"], 4);
    assert_eq!(report["warnings"], Value::Array(vec![]));
    assert_eq!(report["chunks"][0]["text"], "Hello there, you.");
    assert_eq!(report["chunks"][0]["voice"], "rms");
    assert!(report["seed"].as_u64().unwrap() < 1 << 53);
    let duration = report["duration"].as_f64().unwrap();
    assert!((duration - samples.len() as f64 / 16_000.0).abs() < 2e-3, "{duration}");
    assert!((report["chunks"][0]["end_time"].as_f64().unwrap() - duration).abs() < 2e-3);
    let metrics = report["metrics"].as_object().unwrap();
    let names: Vec<_> = metrics.keys().map(String::as_str).collect();
    let mut expected = [
        "load_ms",
        "voice_ms",
        "text_ms",
        "synthesis_ms",
        "vocoder_ms",
        "stitch_ms",
        "alignment_ms",
        "encode_ms",
        "rtf",
        "chunks",
        "evaluations",
    ];
    expected.sort_unstable();
    assert_eq!(names, expected);
    assert!(metrics.values().all(|value| value.as_f64().unwrap() >= 0.0));
    assert!(report["rtf"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_random_seed_is_told_and_gives_the_same_again() {
    let sandbox = Sandbox::new();
    let report = json(sandbox.say("Hello there.", &["--json"]));
    let first = fs::read(sandbox.path("out.wav")).unwrap();
    sandbox
        .say("Hello there.", &["--seed", &report["seed"].to_string()])
        .ok();
    assert!(first == fs::read(sandbox.path("out.wav")).unwrap());
}

#[test]
fn speech_goes_to_a_pipe_and_messages_do_not() {
    let sandbox = Sandbox::new();
    let outcome = sandbox.run(&[&["say", "Hello there.", "-o", "-"], &FAST[..]].concat());
    assert_eq!(outcome.code, Some(0));
    assert_eq!(wav(&outcome.stdout).1, 24_000);
    assert!(outcome.stderr.starts_with("standard output: "), "{}", outcome.stderr);
    assert_eq!(sandbox.names(), [""; 0]);
}

#[test]
fn text_comes_from_a_pipe_or_a_file() {
    let sandbox = Sandbox::new();
    let flags = [&["-o", "out.wav", "--json"], &FAST[..]].concat();
    let mut child = sandbox
        .command(&[&["say", "-"], &flags[..]].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all("\u{feff}Hello from a pipe.\n".as_bytes())
        .unwrap();
    let report = json(Outcome::of(child.wait_with_output().unwrap()));
    assert_eq!(report["text"], "Hello from a pipe.\n");
    sandbox.write("text.txt", "Hello from a file.");
    let report = json(sandbox.run(&[&["say", "--file", "text.txt"], &flags[..]].concat()));
    assert_eq!(report["text"], "Hello from a file.");
}

#[test]
fn an_existing_file_is_replaced_only_by_a_whole_one() {
    let sandbox = Sandbox::new();
    sandbox.write("out.wav", "before");
    sandbox.say("🙂", &[]).error(2);
    assert_eq!(fs::read(sandbox.path("out.wav")).unwrap(), b"before");
    sandbox.say("Hello there.", &[]).ok();
    assert_eq!(wav(&fs::read(sandbox.path("out.wav")).unwrap()).1, 24_000);
    assert_eq!(sandbox.names(), ["out.wav"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told() {
    let sandbox = Sandbox::new();
    let arguments = [
        &[
            "say",
            "Hello there.",
            "-o",
            "/dev/full",
            "--format",
            "wav",
            "--quiet",
        ],
        &FAST[..],
    ]
    .concat();
    let message = sandbox.run(&arguments).error(1);
    assert_eq!(
        message,
        "error: could not write `/dev/full`: No space left on device (os error 28)\n"
    );
}

#[test]
fn every_format_is_written() {
    let sandbox = Sandbox::new();
    for (name, magic) in [
        ("a.flac", &b"fLaC"[..]),
        ("a.mp3", b"\xff"),
        ("a.opus", b"OggS"),
        ("a.wav", b"RIFF"),
    ] {
        sandbox
            .run(&[&["say", "Hello there.", "-o", name], &FAST[..]].concat())
            .ok();
        let file = fs::read(sandbox.path(name)).unwrap();
        assert!(
            file.starts_with(magic) || (name == "a.mp3" && file.starts_with(b"ID3")),
            "{name}"
        );
    }
    let arguments = [
        &[
            "say",
            "Hello there.",
            "-o",
            "a.raw",
            "--format",
            "pcm",
            "--json",
        ],
        &FAST[..],
    ]
    .concat();
    let report = json(sandbox.run(&arguments));
    let bytes = fs::metadata(sandbox.path("a.raw")).unwrap().len();
    assert!((report["duration"].as_f64().unwrap() - bytes as f64 / 48_000.0).abs() < 1e-3);
}

#[test]
fn tags_choose_voices() {
    let sandbox = Sandbox::new();
    fs::copy(crate::repository().join("models/demo/voices/rms.wav"), sandbox.path("anna.wav"))
        .unwrap();
    fs::copy(crate::repository().join("models/demo/voices/rms.txt"), sandbox.path("anna.txt"))
        .unwrap();
    let text =
        "Hello there, you. [slt] Good morning to you. [anna] I am here, too. [main] And so am I.";
    let report =
        json(sandbox.say(text, &["--multi-voice", "--json", "--add-voice", "anna=anna.wav"]));
    let chunks = report["chunks"].as_array().unwrap();
    let voices: Vec<_> = chunks
        .iter()
        .map(|chunk| chunk["voice"].as_str().unwrap())
        .collect();
    assert_eq!(voices, ["rms", "slt", "anna", "rms"]);
    assert_eq!(chunks[1]["text"], "Good morning to you.");
    assert_eq!(report["evaluations"], 16);
    let times: Vec<_> = chunks
        .iter()
        .map(|chunk| chunk["start_time"].as_f64().unwrap())
        .collect();
    assert!(times.is_sorted() && times[0] == 0.0 && times[3] > times[0], "{times:?}");
    let report =
        json(sandbox.say("Hello there.", &["--voices-dir", ".", "--voice", "anna", "--json"]));
    assert_eq!(report["voice"], "anna");
}

#[test]
fn speech_is_as_long_as_asked_for() {
    let sandbox = Sandbox::new();
    let duration = |flags: &[&str]| {
        let report =
            json(sandbox.say("The old bridge is made of stone.", &[&["--json"], flags].concat()));
        report["duration"].as_f64().unwrap()
    };
    assert!((duration(&["--duration-seconds", "1.5"]) - 1.5).abs() < 0.02);
    assert!(duration(&["--speed", "2"]) < 0.6 * duration(&["--speed", "1"]));
}

#[test]
fn warnings_are_told_even_to_the_quiet() {
    let sandbox = Sandbox::new();
    let outcome = sandbox.say("Hi\u{1}", &["--quiet"]);
    assert_eq!(outcome.code, Some(0));
    let lines: Vec<_> = outcome.stderr.lines().collect();
    assert_eq!(lines[0], "warning: control characters were removed from the text: 1");
    assert!(lines.iter().all(|line| line.starts_with("warning: ")), "{lines:?}");
}

#[test]
fn a_picture_and_every_stage_are_written() {
    let sandbox = Sandbox::new();
    sandbox
        .say("Hello there.", &["--spectrogram", "mel.png", "--dump-stages", "stages"])
        .ok();
    assert!(
        fs::read(sandbox.path("mel.png"))
            .unwrap()
            .starts_with(b"\x89PNG")
    );
    for stage in ["noise", "mel", "wave"] {
        let name = format!("chunk0.{stage}");
        let file = fs::read(sandbox.path(&format!("stages/{name}.safetensors"))).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&file).unwrap();
        assert!(tensors.tensor(&name).unwrap().shape()[0] > 10);
    }
}

#[test]
fn words_have_their_times() {
    let sandbox = Sandbox::new();
    let text = "The old bridge is made of stone. It is very old, too.";
    let flags = [
        "--nfe",
        "16",
        "--seed",
        "3",
        "--json",
        "--spectrogram",
        "mel.png",
    ];
    let files = [
        "--timings",
        "out.srt",
        "--timings",
        "out.vtt",
        "--timings",
        "out.csv",
    ];
    let report = json(sandbox.say(text, &[&flags[..], &files].concat()));
    let words = report["word_timings"].as_array().unwrap();
    let spoken: Vec<_> = words
        .iter()
        .map(|word| word["word"].as_str().unwrap())
        .collect();
    assert_eq!(spoken.join(" "), text);
    let end = words.last().unwrap()["end_time"].as_f64().unwrap();
    assert!(end > 1.0 && end <= report["duration"].as_f64().unwrap() + 1e-3, "{report}");
    assert_eq!(report["timings"]["status"], "aligned");
    assert!(report["timings"]["confidence"].as_f64().unwrap() > 0.25);
    let read = |name: &str| fs::read_to_string(sandbox.path(name)).unwrap();
    assert!(read("out.srt").starts_with("1\n00:00:0"));
    assert!(read("out.vtt").starts_with("WEBVTT\n\n00:00:0"));
    assert_eq!(read("out.csv").lines().count(), 1 + words.len());
}

#[test]
fn times_that_cannot_be_measured_are_not_invented() {
    let sandbox = Sandbox::new();
    // So short that the words do not fit.
    let text = "Extraordinarily complicated constitutional responsibilities.";
    let flags = ["--duration-seconds", "0.3", "--timings", "out.srt"];
    let outcome = sandbox.say(text, &flags);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("warning: words have no times: "), "{}", outcome.stderr);
    assert!(outcome.stderr.ends_with("the timing files were not\n"), "{}", outcome.stderr);
    assert_eq!(sandbox.names(), ["out.wav"]);
    let report = json(sandbox.say(text, &["--duration-seconds", "0.3", "--json", "--quiet"]));
    assert_eq!(report["word_timings"], Value::Null);
    assert_eq!(report["timings"]["status"], "failed");
}

#[test]
fn a_reader_that_leaves_early_is_told() {
    let sandbox = Sandbox::new();
    let command =
        format!("{} say 'Hello there.' --nfe 4 -q -o - | true", crate::program().display());
    let output = Command::new("sh")
        .args(["-c", &command])
        .current_dir(sandbox.path(""))
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("could not write to standard output: Broken pipe"), "{stderr}");
}
