//! The documentation that the program writes is the one in the repository.

use std::fs;

use insta::assert_snapshot;

use crate::{Sandbox, repository};

#[track_caller]
fn assert_written(name: &str, page: &str) {
    let path = repository().join("docs").join(name);
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/{name} is not what the program says: `cargo run -- page {} > docs/{name}`",
        name.trim_end_matches(".md")
    );
}

#[test]
fn the_page_of_the_command_line_is_current() {
    assert_written("cli.md", &Sandbox::new().run(&["page", "cli"]).ok());
}

#[test]
fn the_page_of_the_configuration_is_current() {
    assert_written("configuration.md", &Sandbox::new().run(&["page", "configuration"]).ok());
}

#[test]
fn pages_do_not_depend_on_the_environment() {
    let sandbox = Sandbox::new();
    for page in ["cli", "configuration"] {
        let plain = sandbox.run(&["page", page]).ok();
        let mut command = sandbox.command(&["page", page]);
        let other = command
            .env("F5TTS_SPEED", "0.7")
            .env("COLUMNS", "40")
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(other.stdout).unwrap(), plain);
    }
}

#[test]
fn help_begins_with_what_the_program_is_for() {
    let help = Sandbox::new().run(&["-h"]).ok();
    assert_snapshot!(help, @r"
    Text to speech with a cloned voice

    Usage: f5tts [OPTIONS] <COMMAND>

    Commands:
      say          Speak a text into a file
      align        Find when each word is spoken in a recording
      transcribe   Write down what is said in a recording, as far as a voice is made of it
      worker       Work for RunPod Serverless, or serve its API on this machine
      voices       Add, list, check and remove voices
      job          Do a job of the contract without any server
      jobs         List, show, cancel and remove jobs
      models       List, fetch and check models
      doctor       Try everything that the service needs, and say what to do
      config       Show every setting, its value and where it comes from
      bench        Measure speed and memory on this machine
      completions  Print completions for a shell
      man          Print the manual page
      help         Print this message or the help of the given subcommand(s)

    Options:
          --config <FILE>  The configuration file [default: f5tts/config.toml in `$XDG_CONFIG_HOME` or
                           ~/.config] [env: F5TTS_CONFIG=]
      -h, --help           Print help (see more with '--help')
      -V, --version        Print version
    ");
}

#[test]
fn help_teaches_with_examples_and_exit_codes() {
    let help = Sandbox::new().run(&["say", "--help"]).ok();
    for part in [
        "f5tts say \"Hello from f5tts.\" --voice rms -o hello.wav",
        "130  interrupted by Ctrl-C",
    ] {
        assert!(help.contains(part), "{help}");
    }
}
