//! The examples of the documentation run.
//!
//! In blocks of the language `console`, every line that begins with `$ f5tts ` or with
//! `$ cargo run --release -- ` is run, in one directory, and must end well. What needs a model or a
//! recording that is not here stands in blocks of another language.
#![cfg(unix)]

use std::{fs, path::Path, process::Command};

use crate::{Sandbox, program, repository};

/// The commands of a Markdown page, as lines for a shell that knows `f5tts`.
fn commands(page: &str) -> Vec<String> {
    let mut language = None;
    let mut commands = Vec::new();
    for line in page.lines() {
        if let Some(fence) = line.trim_start().strip_prefix("```") {
            language = if language.is_some() {
                None
            } else {
                Some(fence.trim())
            };
        } else if language == Some("console")
            && let Some(command) = line.strip_prefix("$ ")
        {
            let command = command
                .strip_prefix("cargo run --release -- ")
                .map(|rest| format!("f5tts {rest}"))
                .unwrap_or_else(|| command.to_owned());
            commands.extend(command.starts_with("f5tts ").then_some(command));
        }
    }
    commands
}

fn run_all(page: &Path) -> usize {
    let sandbox = Sandbox::new();
    let commands = commands(&fs::read_to_string(page).unwrap());
    let path = format!("{}:/usr/bin:/bin", program().parent().unwrap().display());
    for command in &commands {
        let output = Command::new("sh")
            .args(["-c", command])
            .current_dir(sandbox.path(""))
            .env_clear()
            .envs([
                ("PATH", path.as_str()),
                ("HOME", sandbox.path("").to_str().unwrap()),
            ])
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "`{command}` in {}: {stderr}", page.display());
    }
    commands.len()
}

#[test]
fn commands_are_found_in_console_blocks_only() {
    let page = "$ f5tts a\n```console\n$ f5tts b\nout: b\n$ cargo run --release -- c\n$ cargo test\n```\n```sh\nf5tts d\n```\n";
    assert_eq!(commands(page), ["f5tts b", "f5tts c"]);
}

#[test]
fn the_examples_of_the_readme_run() {
    assert!(
        run_all(&repository().join("README.md")) > 0,
        "the README shows nothing that runs"
    );
}

#[test]
fn the_examples_of_other_pages_run() {
    for entry in fs::read_dir(repository().join("docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            run_all(&path);
        }
    }
}
