//! `f5tts bench`: how fast, and with how much memory, this machine speaks.

use std::time::{Duration, Instant};

use anyhow::Context;
use f5tts_engine::{Engine, HOP_LENGTH, SAMPLE_RATE_HZ, SampleError, Workload};
use serde::Serialize;

use crate::{
    cli::BenchArguments,
    failure::{Failure, say},
    interrupt::stop_on_ctrl_c,
    memory::{Memory, MemoryWatch},
    output,
    report::{milliseconds, rounded},
    wiring,
};

const SEED: u64 = 1;

#[derive(Debug, Serialize)]
struct Measurement {
    model: String,
    device: String,
    frames: u16,
    repeat: u8,
    /// One evaluation of the network, with guidance.
    evaluation_ms: Times,
    /// The vocoder on all frames.
    vocoder_ms: Times,
    /// Steps that `rtf` is stated for.
    nfe_step: u32,
    /// Seconds of work for a second of audio of this many frames, the reference's included.
    rtf: f64,
    /// From the start of the process to the beginning of the first evaluation.
    startup_ms: f64,
    memory: Option<Memory>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Times {
    median: f64,
    min: f64,
}

/// Measures; `started` is when the process was.
pub(crate) fn run(arguments: &BenchArguments, started: Instant) -> Result<(), Failure> {
    let watch = MemoryWatch::start();
    let stop = stop_on_ctrl_c()?;
    let files = wiring::find(&arguments.model, &arguments.hub)?;
    let engine = wiring::load(&files, &arguments.model)?;
    let workload = Workload { frames: usize::from(arguments.frames), seed: SEED };
    // The first evaluation warms up caches and is not counted.
    let mut evaluations = engine.evaluations(workload, u16::from(arguments.repeat) + 1)?;
    let startup = started.elapsed();
    evaluations.step(&stop)?;
    let evaluation_ms = times(arguments.repeat, || evaluations.step(&stop))?;
    engine.vocode_noise(workload)?;
    let vocoder_ms = times(arguments.repeat, || {
        stop.check()?;
        engine.vocode_noise(workload).map(drop)
    })?;
    let memory = watch.finish();
    let measurement = measurement(arguments, &engine, [evaluation_ms, vocoder_ms], startup, memory);
    if arguments.json {
        let json = serde_json::to_string(&measurement).context("could not write the result")?;
        return Ok(output::print(&format!("{json}\n"))?);
    }
    if memory.is_none() {
        say("warning: this system does not tell how much memory a process uses");
    }
    Ok(output::print(&table(&measurement))?)
}

fn measurement(
    arguments: &BenchArguments,
    engine: &Engine,
    [evaluation_ms, vocoder_ms]: [Times; 2],
    startup: Duration,
    memory: Option<Memory>,
) -> Measurement {
    let nfe_step = arguments
        .nfe_step
        .unwrap_or_else(|| u32::try_from(engine.config().defaults.nfe().get()).unwrap_or(u32::MAX));
    let audio_ms =
        f64::from(arguments.frames) * HOP_LENGTH as f64 / f64::from(SAMPLE_RATE_HZ) * 1e3;
    let work_ms = f64::from(nfe_step) * evaluation_ms.median + vocoder_ms.median;
    Measurement {
        model: engine.name().to_owned(),
        device: engine.device(),
        frames: arguments.frames,
        repeat: arguments.repeat,
        evaluation_ms,
        vocoder_ms,
        nfe_step,
        rtf: rounded(work_ms / audio_ms, 1e4),
        startup_ms: milliseconds(startup),
        memory,
    }
}

fn times(repeat: u8, mut work: impl FnMut() -> Result<(), SampleError>) -> Result<Times, Failure> {
    let mut times = Vec::with_capacity(usize::from(repeat));
    for _ in 0..repeat {
        let start = Instant::now();
        work()?;
        times.push(start.elapsed());
    }
    times.sort();
    Ok(Times::of_sorted(&times))
}

impl Times {
    fn of_sorted(times: &[Duration]) -> Self {
        let middle = (times[(times.len() - 1) / 2] + times[times.len() / 2]) / 2;
        Self { median: milliseconds(middle), min: milliseconds(times[0]) }
    }
}

fn table(measurement: &Measurement) -> String {
    let Measurement {
        model,
        device,
        frames,
        repeat,
        evaluation_ms,
        vocoder_ms,
        nfe_step,
        ..
    } = measurement;
    let seconds = usize::from(*frames) * HOP_LENGTH;
    let seconds = seconds as f64 / f64::from(SAMPLE_RATE_HZ);
    let mut table = format!(
        "model {model} on {device}; {frames} frames ({seconds:.1} s), {repeat} times\n\n\
         {:<28}{:>12}{:>12}\n",
        "", "median", "least"
    );
    let mut row = |name: &str, cells: String| table.push_str(&format!("{name:<28}{cells}\n"));
    for (name, times) in [
        ("evaluation, with guidance", evaluation_ms),
        ("vocoder", vocoder_ms),
    ] {
        row(name, format!("{:>9.1} ms{:>9.1} ms", times.median, times.min));
    }
    row(&format!("RTF at {nfe_step} steps"), format!("{:>12.3}", measurement.rtf));
    row("start to first evaluation", format!("{:>9.1} ms", measurement.startup_ms));
    if let Some(memory) = measurement.memory {
        for (name, megabytes) in [
            ("memory, anonymous", memory.rss_anon_mb),
            ("memory, mapped files", memory.rss_file_mb),
            ("peak, anonymous", memory.peak_anon_mb),
            ("peak, both", memory.peak_mb),
        ] {
            row(name, format!("{megabytes:>9.1} MB"));
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        let times: Vec<_> = [1, 2, 4, 9]
            .into_iter()
            .map(Duration::from_millis)
            .collect();
        assert_eq!(Times::of_sorted(&times), Times { median: 3.0, min: 1.0 });
        assert_eq!(Times::of_sorted(&times[..1]), Times { median: 1.0, min: 1.0 });
    }
}
