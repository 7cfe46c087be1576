//! The program as its users meet it: arguments in, files, messages and exit codes out.
#![expect(clippy::unwrap_used, reason = "a test")]

mod align;
mod api;
mod bad_input;
mod commands;
mod configuration;
mod deployment;
mod doctor;
mod interrupt;
mod jobs;
mod pages;
mod readme;
mod say;
mod transcribe;
mod voices;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// As few evaluations as the bundled model needs to say something.
const FAST: [&str; 2] = ["--nfe", "4"];

/// A directory where the program runs, without settings or models of the machine.
struct Sandbox {
    directory: tempfile::TempDir,
}

impl Sandbox {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// A recording of the repository with its transcript beside it, under another name.
    fn recording(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::copy(repository().join("tools/goldens/inputs/baker.wav"), &path).unwrap();
        let transcript = "Every morning the baker opens his shop at six.";
        fs::write(path.with_extension("txt"), transcript).unwrap();
        path
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path()).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The program, about to be started.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command
            .args(arguments)
            .current_dir(self.directory.path())
            .env_clear()
            .env("HOME", self.directory.path())
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(self.command(arguments).output().unwrap())
    }

    /// Speaks `text` quickly into `out.wav`.
    fn say(&self, text: &str, flags: &[&str]) -> Outcome {
        self.run(&[&["say", text, "-o", "out.wav"], &FAST[..], flags].concat())
    }
}

/// How a run ended.
struct Outcome {
    code: Option<i32>,
    stdout: Vec<u8>,
    stderr: String,
}

impl Outcome {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// What it printed, if it went well.
    #[track_caller]
    fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        String::from_utf8(self.stdout).unwrap()
    }

    /// What it printed as JSON, if it ended with this code.
    #[track_caller]
    fn json(self, code: i32) -> serde_json::Value {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        serde_json::from_slice(&self.stdout).unwrap()
    }

    /// The message, if it ended with this code and printed nothing else.
    #[track_caller]
    fn error(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        assert_eq!(String::from_utf8_lossy(&self.stdout), "");
        self.stderr
    }
}

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_f5tts"))
}

/// The root of the repository.
fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
