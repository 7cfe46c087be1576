//! The command line of f5tts.

mod align;
mod assembly;
mod bench;
mod cli;
mod config;
mod config_command;
mod demo;
mod doctor;
mod failure;
mod interrupt;
mod job_command;
mod jobs_command;
mod memory;
mod models;
mod models_command;
mod output;
mod pages;
mod progress;
mod recogniser;
mod report;
mod runpod;
mod say;
mod spectrogram;
mod stage_dump;
mod table;
mod text_source;
mod timings;
mod transcribe;
mod voices;
mod voices_command;
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
        Command::Align(arguments) => align::run(&arguments),
        Command::Transcribe(arguments) => transcribe::run(&arguments),
        Command::Worker(arguments) => runpod::run(&arguments),
        Command::Voices(arguments) => voices_command::run(&arguments),
        Command::Job(arguments) => job_command::run(&arguments),
        Command::Jobs(arguments) => jobs_command::run(&arguments),
        Command::Models(arguments) => models_command::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments, cli.config),
        Command::Config(arguments) => config_command::run(&arguments, cli.config),
        Command::Bench(arguments) => bench::run(&arguments, started),
        Command::Completions { shell } => pages::completions(shell),
        Command::Man => pages::man(),
        Command::Page { page } => pages::markdown(page),
    }
}
