//! Tests that need a process of their own: the test binary runs one of its tests, which is ignored otherwise.

use std::{
    path::{Path, PathBuf},
    process::{self, Command, Output, Stdio},
};

const ROOT: &str = "F5TTS_TEST_CHILD_ROOT";

/// Under which circumstances a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Child {
    Plain,
    /// No file can grow beyond a megabyte, as if the disk were full.
    #[cfg(unix)]
    FilesOfOneMegabyte,
    /// The directory cannot be written to. For root this takes a mount of its own.
    #[cfg(unix)]
    ReadOnly,
}

/// Starts the test `name` of this binary, with a directory to work in.
pub(crate) fn start(name: &str, root: &Path, kind: Child) -> process::Child {
    let binary = std::env::current_exe().unwrap();
    let script = match kind {
        Child::Plain => "exec \"$@\"",
        #[cfg(unix)]
        Child::FilesOfOneMegabyte => "trap '' XFSZ; ulimit -f 1024; exec \"$@\"",
        #[cfg(unix)]
        Child::ReadOnly => {
            "if [ \"$(id -u)\" = 0 ]; then \
                exec unshare --mount bash -c 'mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" && exec \"$@\"' \"$0\" \"$@\"; \
             else chmod -R a-w \"$0\"; \"$@\"; status=$?; chmod -R u+w \"$0\"; exit $status; fi"
        }
    };
    Command::new("bash")
        .args(["-c", script])
        .arg(root)
        .arg(binary)
        .args(["--ignored", "--exact", "--nocapture", name])
        .env(ROOT, root)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The directory to work in, if this process was started by [`start`].
#[expect(
    clippy::disallowed_methods,
    reason = "the way from one process of a test to another"
)]
pub(crate) fn root() -> Option<PathBuf> {
    std::env::var_os(ROOT).map(PathBuf::from)
}

/// What the process tells the one that started it.
#[expect(
    clippy::print_stdout,
    reason = "the process that started this one reads it"
)]
pub(crate) fn answer(text: &str) {
    println!("\nanswer: {text}");
}

/// What the process told; a process that failed fails this test.
pub(crate) fn report(output: &Output) -> String {
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    let answer = out.lines().find_map(|line| line.strip_prefix("answer: "));
    answer.expect("every child of a test answers").to_owned()
}
