//! Whether the CUDA backend computes what the CPU computes, and how fast it is; on random weights that it makes
//! itself, as JSON.
//!
//! ```console
//! cargo run --release -p f5tts-engine --features cuda --example cuda_check -- check
//! ```
//!
//! `check` compares every operation at real sizes, 1 000 shapes in a row, and a whole sampling; `small` does the same
//! with a small network, for compute-sanitizer; `time` measures. `--products own|cublaslt|auto` chooses what multiplies,
//! and with `--eager` nothing is recorded as a graph.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people"
)]

mod operations;
mod weights;

use std::{error::Error, process::ExitCode, sync::Arc, time::Instant};

use f5tts_engine::{
    MEL_CHANNELS, Stop,
    checkpoint::{Checkpoint, Weights},
    model::{
        config::{DitConfig, VocosConfig},
        dit::Dit,
        vocos::Vocos,
    },
    sampler::{
        Method, SampleRequest, Sampler, Schedule,
        grid::{Nfe, Spacing, Sway, times},
        noise::NoiseGenerator,
    },
};
use f5tts_kernels::{Backend, Cpu, CpuOptions, Cuda, CudaOptions, Items, cuda::Products};
use serde::Serialize;

const USAGE: &str = "usage: cuda_check check|small|time [--products own|cublaslt|auto] [--eager]";
const VOCAB: usize = 2545;
/// Frames of 3 s of reference.
const REFERENCE: usize = 281;
/// The official code's own distance between half and single precision is larger; see `docs/cuda.md`.
const MEL_LIMIT: f64 = 1e-2;

/// What was compared, by the root of the mean square of the difference against that of the values.
#[derive(Debug, Serialize)]
pub(crate) struct Check {
    what: String,
    error: f64,
    limit: f64,
    passed: bool,
}

#[derive(Debug, Serialize)]
struct Time {
    frames: usize,
    generated_seconds: f64,
    steps: u32,
    batch: usize,
    /// Sampling and vocoder, from host memory to host memory.
    milliseconds: f64,
    vocoder_milliseconds: f64,
}

#[derive(Debug, Default, Serialize)]
struct Report {
    device: String,
    /// Opening the device, loading the model from the page cache, and the first speech, of 5 steps.
    first_speech_ms: f64,
    memory_bytes: (usize, usize),
    checks: Vec<Check>,
    times: Vec<Time>,
}

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let mut cause = Some(error.as_ref() as &dyn Error);
            while let Some(error) = cause {
                eprintln!("{error}");
                cause = error.source();
            }
            ExitCode::from(2)
        }
    }
}

fn run() -> Outcome<bool> {
    let started = Instant::now();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let products = match arguments.iter().position(|word| word == "--products") {
        Some(at) => match arguments.get(at + 1).map(String::as_str) {
            Some("own") => Products::Own,
            Some("cublaslt") => Products::CublasLt,
            Some("auto") => Products::Auto,
            _ => return Err(USAGE.into()),
        },
        None => Products::Auto,
    };
    let mode = arguments.first().map_or("", String::as_str);
    if !["check", "small", "time"].contains(&mode) {
        return Err(USAGE.into());
    }
    // Not with `small`: memory that was filled is initialised to compute-sanitizer.
    let poisoned = mode == "check";
    let recorded = !arguments.iter().any(|word| word == "--eager");
    let options = CudaOptions { products, recorded, poisoned, ..CudaOptions::default() };
    let cuda = Arc::new(Cuda::new(options)?);
    let opened = started.elapsed();
    let mut report = Report { device: cuda.describe(), ..Report::default() };
    match mode {
        "check" => {
            operations::compare(&cuda, &operations::Sizes::real(), &mut report.checks)?;
            let files = Files::write(DitConfig::f5tts_v1_base(), VocosConfig::vocos_mel_24khz())?;
            compare_networks(&cuda, &files, 300, &mut report.checks)?;
        }
        "small" => {
            operations::compare(&cuda, &operations::Sizes::small(), &mut report.checks)?;
            let dit = DitConfig {
                dim: 128,
                depth: 2,
                heads: 2,
                text_dim: 32,
                conv_layers: 1,
                ..DitConfig::f5tts_v1_base()
            };
            let vocos = VocosConfig {
                dim: 64,
                intermediate_dim: 96,
                num_layers: 2,
                ..VocosConfig::vocos_mel_24khz()
            };
            compare_networks(&cuda, &Files::write(dit, vocos)?, 37, &mut report.checks)?;
        }
        "time" => {
            let files = Files::write(DitConfig::f5tts_v1_base(), VocosConfig::vocos_mel_24khz())?;
            // The weights are in the page cache now, as those of a model would be; and the device is open.
            let written = Instant::now();
            let networks = Networks::load(&cuda, &files)?;
            networks.speak(1, REFERENCE + 281, 5)?;
            let first = opened + written.elapsed();
            report.first_speech_ms = first.as_secs_f64() * 1e3;
            measure(&networks, &mut report.times)?;
        }
        _ => {}
    }
    report.memory_bytes = cuda.memory();
    println!("{}", serde_json::to_string(&report)?);
    Ok(report.checks.iter().all(|check| check.passed))
}

/// Random weights on disk, removed in the end.
struct Files {
    folder: tempfile::TempDir,
    dit: DitConfig,
    vocos: VocosConfig,
}

impl Files {
    fn write(dit: DitConfig, vocos: VocosConfig) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        weights::write_dit(&folder.path().join("dit.safetensors"), &dit, VOCAB)?;
        weights::write_vocos(&folder.path().join("vocos.safetensors"), &vocos)?;
        Ok(Self { folder, dit, vocos })
    }
}

struct Networks<B: Backend> {
    dit: Arc<Dit<B>>,
    vocos: Vocos<B>,
    backend: Arc<B>,
}

impl<B: Backend> Networks<B> {
    fn load(backend: &Arc<B>, files: &Files) -> Outcome<Self> {
        let open = |name| Checkpoint::open(&files.folder.path().join(name)).map(Arc::new);
        let weights = Arc::new(Weights::dit(open("dit.safetensors")?)?);
        let dit = Dit::load(backend, &weights, files.dit.clone(), VOCAB)?;
        let vocos = Vocos::load(
            backend,
            &Weights::vocos(open("vocos.safetensors")?)?,
            files.vocos.clone(),
        )?;
        Ok(Self { dit: Arc::new(dit), vocos, backend: Arc::clone(backend) })
    }

    fn request(frames: usize, steps: u32, seed: u64) -> Outcome<SampleRequest> {
        let mut noise = NoiseGenerator::new(seed);
        let reference = REFERENCE.min(frames / 2);
        let mut conditioning = noise.normal(reference * MEL_CHANNELS);
        conditioning.resize(frames * MEL_CHANNELS, 0.0);
        let grid: Vec<f32> = match Nfe::try_from(steps) {
            Ok(nfe) => times(nfe, Spacing::Pruned, Sway::default()),
            Err(_) => vec![0.0, 1.0],
        };
        Ok(SampleRequest {
            conditioning,
            known: (0..frames).map(|frame| frame < reference).collect(),
            text_ids: (0..2500).cycle().take(frames / 6).collect(),
            noise: noise.normal(frames * MEL_CHANNELS),
            schedule: Schedule::new(&grid, Method::Euler, 2.0),
        })
    }

    /// The mels of a batch, and how many milliseconds the vocoder took.
    fn speak(&self, batch: usize, frames: usize, steps: u32) -> Outcome<(Vec<Vec<f32>>, f64)> {
        let mut sampler = Sampler::new(&self.dit, &self.backend);
        for seed in 0..batch {
            sampler.admit(Self::request(frames, steps, seed as u64 + 1)?)?;
        }
        let mut mels = Vec::new();
        while !sampler.is_empty() {
            for sampled in sampler.step(&Stop::default())? {
                mels.push(sampled.mel?);
            }
        }
        let start = Instant::now();
        let generated = frames - REFERENCE.min(frames / 2);
        let items = Items::new(std::iter::repeat_n(generated, mels.len()));
        let ends: Vec<f32> = mels
            .iter()
            .flat_map(|mel| &mel[mel.len() - generated * MEL_CHANNELS..])
            .copied()
            .collect();
        let waves = self.vocos.decode(&ends, &items)?;
        if !waves.iter().flatten().all(|sample| sample.is_finite()) {
            return Err("samples that are not finite".into());
        }
        Ok((mels, start.elapsed().as_secs_f64() * 1e3))
    }
}

/// A sampling with the same noise on both devices, and the vocoder on the same mel.
fn compare_networks(
    cuda: &Arc<Cuda>,
    files: &Files,
    frames: usize,
    checks: &mut Vec<Check>,
) -> Outcome<()> {
    let cpu = Arc::new(Cpu::new(CpuOptions::default())?);
    let (reference, tested) = (Networks::load(&cpu, files)?, Networks::load(cuda, files)?);
    let (expected, _) = reference.speak(1, frames, 7)?;
    let (actual, _) = tested.speak(1, frames, 7)?;
    checks.push(check("mel after 7 steps", &actual[0], &expected[0], MEL_LIMIT));
    // Requests of one batch, of which each must be what it is alone.
    let (batch, _) = tested.speak(3, frames, 7)?;
    checks.push(check("the first of a batch of 3", &batch[0], &actual[0], MEL_LIMIT));
    let items = Items::single(frames);
    let expected_wave = reference.vocos.decode(&expected[0], &items)?.concat();
    let actual_wave = tested.vocos.decode(&expected[0], &items)?.concat();
    checks.push(check("wave of the same mel", &actual_wave, &expected_wave, 2e-2));
    Ok(())
}

fn measure(networks: &Networks<Cuda>, all: &mut Vec<Time>) -> Outcome<()> {
    for generated_seconds in [3.0, 10.0] {
        // Whole frames: 93.75 a second.
        let frames = REFERENCE + if generated_seconds > 5.0 { 938 } else { 281 };
        for steps in [7, 16, 32] {
            for batch in [1, 8, 32] {
                let mut runs = Vec::new();
                for _ in 0..if batch == 1 { 12 } else { 4 } {
                    let start = Instant::now();
                    let (_, vocoder) = networks.speak(batch, frames, steps)?;
                    runs.push((start.elapsed().as_secs_f64() * 1e3, vocoder));
                }
                // The first warms up.
                runs.remove(0);
                runs.sort_by(|a, b| a.0.total_cmp(&b.0));
                let (milliseconds, vocoder_milliseconds) = runs[runs.len() / 2];
                eprintln!("{frames} frames, {steps} steps, batch {batch}: {milliseconds:.2} ms");
                all.push(Time {
                    frames,
                    generated_seconds,
                    steps,
                    batch,
                    milliseconds,
                    vocoder_milliseconds,
                });
            }
        }
    }
    Ok(())
}

/// Compares by the root of the mean square; what is not finite never passes.
pub(crate) fn check(what: &str, actual: &[f32], expected: &[f32], limit: f64) -> Check {
    let square = |x: f32| f64::from(x) * f64::from(x);
    let difference: f64 = actual
        .iter()
        .zip(expected)
        .map(|(a, e)| square(a - e))
        .sum();
    let whole: f64 = expected.iter().map(|e| square(*e)).sum();
    let error = (difference / whole.max(f64::MIN_POSITIVE)).sqrt();
    let passed = actual.len() == expected.len() && error <= limit;
    eprintln!("{what}: {error:.2e} (at most {limit:.0e})");
    Check { what: what.to_owned(), error, limit, passed }
}
