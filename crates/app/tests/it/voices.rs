//! `f5tts voices`, and who finds what it stored.

use std::fs;

use insta::assert_snapshot;

use crate::Sandbox;

/// A name with a blank and an umlaut.
const NAME: &str = "Änna Weiß";

#[test]
fn a_voice_is_added_listed_shown_and_removed() {
    let sandbox = Sandbox::new();
    sandbox.recording("take 1.wav");
    let added = sandbox
        .run(&["voices", "add", "take 1.wav", "--name", NAME])
        .ok();
    assert!(added.starts_with("Voice 'Änna Weiß.wav' uploaded successfully.\n"), "{added}");
    assert!(added.contains("advice: nothing is heard above "), "{added}");
    let stored = sandbox.path(".local/share/f5tts/voices");
    assert_eq!(
        fs::read(stored.join("Änna Weiß.wav")).unwrap(),
        fs::read(sandbox.path("take 1.wav")).unwrap()
    );
    assert_eq!(
        fs::read_to_string(stored.join("Änna Weiß.txt")).unwrap(),
        "Every morning the baker opens his shop at six."
    );

    let list = sandbox.run(&["voices", "list"]).ok();
    let rows: Vec<Vec<_>> = list
        .lines()
        .map(|line| line.split("  ").map(str::trim).collect())
        .collect();
    assert_eq!(rows[0].first(), Some(&"VOICE"));
    assert_eq!(rows[1][0], "rms");
    assert!(list.contains("Änna Weiß.wav  145300  yes         20"), "{list}");
    let list = sandbox.run(&["voices", "list", "--json"]).json(0);
    assert_eq!(list[2]["name"], "Änna Weiß.wav");
    assert_eq!(list[2]["text_file"], "voices/Änna Weiß.txt");

    let shown = sandbox.run(&["voices", "show", NAME]).ok();
    assert!(shown.starts_with("voice                     Änna Weiß.wav\nversion"), "{shown}");
    assert!(shown.contains("\ntranscript                given\n"), "{shown}");
    let report = sandbox.run(&["voices", "show", NAME, "--json"]).json(0);
    assert_eq!(report["measurements"]["sample_rate_hz"], 24_000);

    assert_eq!(sandbox.run(&["voices", "rm", NAME]).ok(), "removed the voice Änna Weiß.wav\n");
    assert_eq!(fs::read_dir(stored).unwrap().count(), 0);
    let message = sandbox.run(&["voices", "rm", NAME]).error(2);
    assert_snapshot!(message, @"error: there is no voice `Änna Weiß`: `list_voices` shows those that were uploaded; part of the program are rms, slt");
}

#[test]
fn a_transcript_comes_from_a_flag_a_file_or_beside_the_recording() {
    let sandbox = Sandbox::new();
    sandbox.recording("a.wav");
    sandbox.write("other.txt", "\u{feff}From a file.\n");
    let transcript = |flags: &[&str]| {
        sandbox
            .run(&[&["voices", "add", "a.wav"], flags].concat())
            .ok();
        fs::read_to_string(sandbox.path(".local/share/f5tts/voices/a.txt"))
    };
    assert_eq!(transcript(&["--ref-text", "From a flag."]).unwrap(), "From a flag.");
    assert_eq!(transcript(&["--ref-file", "other.txt"]).unwrap(), "From a file.");
    assert!(transcript(&[]).unwrap().starts_with("Every morning"));
    // Without one, that of the recording before must not stay.
    assert!(transcript(&["--ref-text", " "]).is_err());
    let list = sandbox.run(&["voices", "list"]).ok();
    assert!(list.contains("a.wav  145300  missing"), "{list}");
    sandbox.write("latin1.txt", b"Gr\xfc\xdfe");
    let message = sandbox
        .run(&["voices", "add", "a.wav", "--ref-file", "latin1.txt"])
        .error(2);
    assert_snapshot!(message, @"error: the transcript `latin1.txt`: it is not UTF-8 text");
}

#[test]
fn a_bad_recording_is_refused_with_reasons() {
    let sandbox = Sandbox::new();
    sandbox.write("page.wav", "<!DOCTYPE html><html></html>");
    let add = ["voices", "add", "page.wav", "--name", "anna"];
    let message = sandbox.run(&add).error(2);
    assert_snapshot!(message, @"error: the recording cannot become a voice: this is not audio in a known format but a web page; known are WAV, AIFF, CAF, MP3, FLAC, AAC and ALAC (also as M4A or MP4), Ogg, Opus, WebM, Matroska: send a recording of one person who speaks");
    let answer = sandbox.run(&[&add[..], &["--json"]].concat()).json(2);
    assert_eq!(answer["error_code"], "voice_rejected");
    assert_eq!(answer["voice"]["errors"][0]["code"], "not_audio");
    let outcome = sandbox.run(&["voices", "check", "page.wav"]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stdout.starts_with(b"error: this is not audio"));
    assert_eq!(outcome.stderr, "error: the recording cannot become a voice\n");

    // A second of silence.
    let mut silence = fs::read(sandbox.recording("quiet.wav")).unwrap();
    silence[44..].fill(0);
    sandbox.write("quiet.wav", silence);
    let message = sandbox.run(&["voices", "add", "quiet.wav"]).error(2);
    assert_snapshot!(message, @"error: the recording cannot become a voice: the recording is silent: check the microphone and its level");
    let list = sandbox.run(&["voices", "list", "--json"]).json(0);
    assert_eq!(list.as_array().unwrap().len(), 2, "{list}");
}

#[test]
fn names_that_are_none_are_refused() {
    let sandbox = Sandbox::new();
    sandbox.recording("a.wav");
    for name in ["../a", ".a", "a/b", "a.txt", ""] {
        let message = sandbox
            .run(&["voices", "add", "a.wav", "--name", name])
            .error(2);
        assert!(message.starts_with(&format!("error: `voice_name` is `{name}`, ")), "{message}");
    }
    let message = sandbox.run(&["voices", "add", "none.wav"]).error(2);
    assert_snapshot!(message, @"error: the recording `none.wav`: could not read it: No such file or directory (os error 2)");
}

#[test]
fn files_and_voices_are_checked() {
    let sandbox = Sandbox::new();
    sandbox.recording("a.wav");
    for voice in ["a.wav", "slt"] {
        let report = sandbox.run(&["voices", "check", voice, "--json"]).json(0);
        assert_eq!(report["transcript"], "given", "{report}");
        assert_eq!(report["measurements"]["container"], "WAV");
    }
    assert!(
        sandbox
            .run(&["voices", "check", "nobody"])
            .error(2)
            .contains("no voice `nobody`")
    );
}

#[test]
fn say_finds_voices_that_were_stored() {
    let sandbox = Sandbox::new();
    sandbox.recording("take.wav");
    let add = ["voices", "add", "take.wav", "--name", NAME];
    sandbox.run(&add).ok();
    fs::remove_file(sandbox.path("take.wav")).unwrap();
    for voice in [NAME, "Änna Weiß.wav"] {
        let stderr = sandbox.say("Hello there.", &["--voice", voice]).stderr;
        assert!(stderr.contains(&format!("voice {voice}, ")), "{stderr}");
    }
    let message = sandbox.say("Hello there.", &["--voice", "nobody"]).error(2);
    assert_snapshot!(message, @"error: unknown voice `nobody`, and there is no such file; known are rms, slt, Änna Weiß");

    // A directory that is named counts instead, whichever of the two it is.
    fs::create_dir(sandbox.path("mine")).unwrap();
    let other = sandbox.say("Hello there.", &["--voice", NAME, "--voices-dir", "mine"]);
    assert!(
        other
            .error(2)
            .starts_with("error: unknown voice `Änna Weiß`")
    );
    sandbox.recording("take.wav");
    sandbox
        .run(&["voices", "--data-dir", "data", "add", "take.wav"])
        .ok();
    fs::remove_file(sandbox.path("take.wav")).unwrap();
    let flags = ["--data-dir", "data", "--voice", "take"];
    assert_eq!(sandbox.say("Hello there.", &flags).code, Some(0));
}
