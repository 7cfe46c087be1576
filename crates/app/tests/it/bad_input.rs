//! What is wrong is named, costs no synthesis, leaves nothing behind and exits with 2.

use std::fs;

use insta::assert_snapshot;

use crate::Sandbox;

/// The message about a text or flags with which nothing can be spoken.
#[track_caller]
fn refused(text: &str, flags: &[&str]) -> String {
    let sandbox = Sandbox::new();
    let message = sandbox.say(text, flags).error(2);
    assert_eq!(sandbox.names(), [""; 0], "something was left behind");
    message
}

#[test]
fn texts_without_anything_to_speak() {
    assert_snapshot!(refused("", &[]), @"error: the text is empty");
    assert_snapshot!(refused(" \n\t ", &[]), @"error: the text is empty");
    assert_snapshot!(refused("🙂 🎉", &[]), @"error: the text has no letter and no digit, so there is nothing to speak");
    assert_snapshot!(refused("\u{1}\u{2}", &[]), @"error: the text is empty");
    assert_snapshot!(refused("?!", &[]), @"error: the text has no letter and no digit, so there is nothing to speak");
}

#[test]
fn one_character_is_enough() {
    let stderr = Sandbox::new().say("A", &["--seed", "1"]).stderr;
    assert!(stderr.starts_with("warning: \"A\" is shorter than 10 bytes"), "{stderr}");
    assert!(stderr.contains("out.wav: "), "{stderr}");
}

#[test]
fn texts_that_are_too_long() {
    let text = "word ".repeat(4001);
    assert_snapshot!(refused(&text, &[]), @"error: the text has 20005 characters, at most 20000 are allowed");
    assert_snapshot!(refused("Hello.", &["--max-characters", "3"]), @"error: the text has 6 characters, at most 3 are allowed");
}

#[test]
fn text_files_that_are_none() {
    let sandbox = Sandbox::new();
    sandbox.write("latin1.txt", b"Gr\xfc\xdfe");
    let say = |file: &str| sandbox.run(&["say", "-f", file, "-o", "out.wav"]).error(2);
    assert_snapshot!(say("latin1.txt"), @"error: the text file `latin1.txt`: it is not UTF-8 text, as byte 3 shows");
    assert_snapshot!(say("none.txt"), @"error: the text file `none.txt`: could not open it: No such file or directory (os error 2)");
    sandbox.write("huge.txt", "a".repeat(100_000));
    assert_snapshot!(say("huge.txt"), @"error: the text file `huge.txt`: it is longer than 80004 bytes; `--max-characters` sets what is allowed");
}

#[test]
fn voices_that_are_none() {
    let sandbox = Sandbox::new();
    sandbox.write("page.wav", "<!DOCTYPE html><html><body>Not found</body></html>");
    sandbox.write("cut.wav", &b"RIFF"[..]);
    sandbox.write("empty.wav", "");
    let say = |voice: &str| {
        sandbox
            .say("Hello there.", &["--voice", voice, "--ref-text", "Anything."])
            .error(2)
    };
    assert_snapshot!(say("page.wav"), @"error: the voice `page.wav`: this is not audio in a known format but a web page; known are WAV, AIFF, CAF, MP3, FLAC, AAC and ALAC (also as M4A or MP4), Ogg, Opus, WebM, Matroska");
    assert_snapshot!(say("cut.wav"), @"error: the voice `cut.wav`: this is not audio in a known format but text; known are WAV, AIFF, CAF, MP3, FLAC, AAC and ALAC (also as M4A or MP4), Ogg, Opus, WebM, Matroska");
    assert_snapshot!(say("empty.wav"), @"error: the voice `empty.wav`: this is not audio in a known format but an empty file; known are WAV, AIFF, CAF, MP3, FLAC, AAC and ALAC (also as M4A or MP4), Ogg, Opus, WebM, Matroska");
    assert_snapshot!(say("."), @"error: the voice `.`: it is a directory");
    assert_snapshot!(say("nobody"), @"error: unknown voice `nobody`, and there is no such file; known are rms, slt");
}

#[test]
fn a_recording_without_transcript() {
    let sandbox = Sandbox::new();
    fs::copy(
        crate::repository().join("tools/goldens/inputs/baker.wav"),
        sandbox.path("anna.wav"),
    )
    .unwrap();
    let message = sandbox
        .say("Hello there.", &["--voice", "anna.wav", "--asr-model", "off"])
        .error(2);
    assert_snapshot!(message, @"error: the voice `anna.wav`: it needs a transcript: give what is said in it with `--ref-text`, or write it to `anna.txt`; transcription is switched off (ASR_MODEL is `off`)");
    let message = sandbox
        .say("Hello there.", &["--voice", "anna.wav", "--ref-text", " "])
        .error(2);
    assert_snapshot!(message, @"error: the voice `anna.wav`: the reference has no transcript: give the text that is spoken in it");
    let message = sandbox
        .say("Hello there.", &["--voice", "slt", "--ref-text", "Hi."])
        .error(2);
    assert_snapshot!(message, @"error: the voice slt has its own transcript: give `--ref-text` with a recording");
}

#[test]
fn tags_without_a_voice() {
    let message = refused("[slt] Hello. [bob] Hello.", &["--multi-voice"]);
    assert_snapshot!(message, @"error: unknown voice `bob`; known are rms, slt");
}

#[test]
fn models_that_are_none() {
    assert_snapshot!(refused("Hello.", &["--model", "nonsense"]), @"error: there is no model `nonsense`; known are auto, demo, F5TTS_v1_Base, F5TTS_v1_Base_no_zero_init, F5TTS_Base, vocos-mel-24khz, and paths of directories and files");
    let message = refused("Hello.", &["--model", "F5TTS_v1_Base"]);
    assert!(message.contains("fetch it with `f5tts models get F5TTS_v1_Base`"), "{message}");
}

#[test]
fn numbers_out_of_range() {
    let first_line = |flags: &[&str]| refused("Hello.", flags).lines().next().unwrap().to_owned();
    assert_snapshot!(first_line(&["--speed", "3"]), @"error: invalid value '3' for '--speed <FACTOR>': speed is 3, allowed is 0.5 to 2");
    assert_snapshot!(first_line(&["--speed", "fast"]), @"error: invalid value 'fast' for '--speed <FACTOR>': it is not a number");
    // The last of several equal flags counts, so this is not the number that the sandbox gives.
    assert_snapshot!(first_line(&["--nfe-step", "0"]), @"error: invalid value '0' for '--nfe-step <STEPS>': nfe_step is 0, allowed is 1 to 128");
    assert_snapshot!(first_line(&["--seed", "9007199254740992"]), @"error: invalid value '9007199254740992' for '--seed <NUMBER>': allowed are 0 to 9007199254740991");
    assert_snapshot!(first_line(&["--cfg-strength", "nan"]), @"error: invalid value 'nan' for '--cfg-strength <STRENGTH>': cfg_strength is NaN, allowed is 0 to 10");
    assert_snapshot!(first_line(&["--sway-sampling-coef", "-2"]), @"error: invalid value '-2' for '--sway-sampling-coef <NUMBER>': sway_sampling_coef is -2, allowed is -1 to 1");
    assert_snapshot!(first_line(&["--cross-fade-duration", "1.5"]), @"error: invalid value '1.5' for '--cross-fade-duration <SECONDS>': cross_fade_duration is 1.5, allowed is 0 to 1");
    assert_snapshot!(first_line(&["--duration-seconds", "0"]), @"error: invalid value '0' for '--duration-seconds <SECONDS>': duration_seconds is 0, allowed is 0.1 to 3600");
    assert_snapshot!(first_line(&["--sample-rate", "96000"]), @"error: invalid value '96000' for '--sample-rate <HERTZ>': sample_rate is 96000, allowed is 8000 to 48000");
    assert_snapshot!(first_line(&["--quality", "good"]), @"error: invalid value 'good' for '--quality <QUALITY>'");
    assert_snapshot!(first_line(&["--method", "rk4"]), @"error: invalid value 'rk4' for '--method <METHOD>': allowed are euler, midpoint");
    assert_snapshot!(first_line(&["--seed", "1.5"]), @"error: invalid value '1.5' for '--seed <NUMBER>': it is not a whole number");
    assert_snapshot!(first_line(&["--threads", "0"]), @"error: invalid value '0' for '--threads <COUNT>': threads is 0, allowed is 1 to 1024");
    assert_snapshot!(first_line(&["--add-voice", "anna"]), @"error: invalid value 'anna' for '--add-voice <NAME=FILE>': it is not of the form NAME=FILE, where NAME is made of letters, digits and `_`");
}

#[test]
fn outputs_that_cannot_be_written() {
    let sandbox = Sandbox::new();
    let say = |output: &str| sandbox.run(&["say", "Hello.", "-o", output]).error(2);
    assert_snapshot!(say("none/out.wav"), @"error: cannot write `none/out.wav`: there is no directory `none`");
    assert_snapshot!(say("."), @"error: cannot write `.`: it is a directory");
    assert_snapshot!(say("out.txt"), @"error: the name `out.txt` tells no format: end it in one of wav, wav24, wav-f32, flac, mp3, opus, pcm, ulaw, alaw, or give `--format`");
    assert_snapshot!(say("out"), @"error: the name `out` tells no format: end it in one of wav, wav24, wav-f32, flac, mp3, opus, pcm, ulaw, alaw, or give `--format`");
    assert_snapshot!(sandbox.say("Hello.", &["--spectrogram", "none/out.png"]).error(2), @"error: cannot write `none/out.png`: there is no directory `none`");
    assert_snapshot!(sandbox.run(&["say", "Hello.", "-o", "-", "--json"]).error(2), @"error: only one of speech, picture and JSON can go to standard output");
}

#[test]
fn missing_arguments() {
    let sandbox = Sandbox::new();
    let first_line = |arguments: &[&str]| {
        sandbox
            .run(arguments)
            .error(2)
            .lines()
            .next()
            .unwrap()
            .to_owned()
    };
    assert_snapshot!(first_line(&["say", "-o", "out.wav"]), @"error: the following required arguments were not provided:");
    assert_snapshot!(first_line(&["say", "Hello."]), @"error: the following required arguments were not provided:");
    assert_snapshot!(first_line(&["says"]), @"error: unrecognized subcommand 'says'");
}
