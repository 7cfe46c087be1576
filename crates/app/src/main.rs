//! The command line of f5tts.

mod bench;
mod cli;
mod config;
mod demo;
mod failure;
mod interrupt;
mod memory;
mod models;
mod models_command;
mod output;
mod pages;
mod progress;
mod report;
mod say;
mod spectrogram;
mod stage_dump;
mod text_source;
mod voices;
mod wiring;

use std::{process::ExitCode, time::Instant};

use cli::{Cli, Command};
use failure::Failure;

fn main() -> ExitCode {
    let started = Instant::now();
    match config::load(std::env::args_os()).and_then(|cli| run(cli, started)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(cli: Cli, started: Instant) -> Result<(), Failure> {
    match cli.command {
        Command::Say(arguments) => say::run(&arguments),
        Command::Models(arguments) => models_command::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments, started),
        Command::Completions { shell } => pages::completions(shell),
        Command::Man => pages::man(),
        Command::Page { page } => pages::markdown(page),
    }
}
