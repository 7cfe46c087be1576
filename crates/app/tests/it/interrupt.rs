//! Ctrl-C.
#![cfg(unix)]

use std::{
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{Outcome, Sandbox};

const PATIENCE: Duration = Duration::from_secs(60);

/// Starts a synthesis of many evaluations and waits until it samples.
fn long_synthesis(sandbox: &Sandbox) -> Child {
    let text = "The quiet river runs past the old stone bridge, and nobody sees it. ".repeat(8);
    let arguments = [
        "say",
        &text,
        "--nfe",
        "128",
        "-o",
        "out.wav",
        "--dump-stages",
        "stages",
        "--spectrogram",
        "out.png",
    ];
    let child = sandbox
        .command(&arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while !sandbox.path("stages/chunk0.noise.safetensors").exists() {
        assert!(start.elapsed() < PATIENCE, "it did not begin");
        thread::sleep(Duration::from_millis(10));
    }
    child
}

fn interrupt(child: &Child) {
    let status = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn it_stops_soon_and_leaves_nothing() {
    let sandbox = Sandbox::new();
    let child = long_synthesis(&sandbox);
    interrupt(&child);
    let start = Instant::now();
    let stderr = Outcome::of(child.wait_with_output().unwrap()).error(130);
    assert!(start.elapsed() < Duration::from_secs(15), "it took {:?}", start.elapsed());
    assert!(stderr.ends_with("interrupted\n"), "{stderr}");
    assert_eq!(sandbox.names(), ["stages"]);
}

#[test]
fn twice_ends_it_at_once() {
    let sandbox = Sandbox::new();
    sandbox.write("out.wav", "before");
    let child = long_synthesis(&sandbox);
    interrupt(&child);
    thread::sleep(Duration::from_millis(20));
    interrupt(&child);
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
    assert_eq!(std::fs::read(sandbox.path("out.wav")).unwrap(), b"before");
    assert_eq!(sandbox.names(), ["out.wav", "stages"]);
}
