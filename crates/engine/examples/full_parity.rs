//! Compares a model of the real size with what the official package makes of it.
//!
//! `python tools/goldens/make.py full DIR` writes weights and results, 1.4 GB; then
//! `cargo run --release -p f5tts-engine --example full_parity -- DIR`.
#![expect(clippy::print_stdout, reason = "a program for people")]

use std::{error::Error, fs, path::Path, process::ExitCode, sync::Arc};

use f5tts_engine::{
    Engine, EngineOptions, MEL_CHANNELS, ModelParts, Part, SpeakOptions, Stop, Voice,
    audio::{DecodeLimits, decode},
    checkpoint::{Checkpoint, Weights},
    model::{
        config::{DitConfig, ModelConfig, VocosConfig},
        dit::Dit,
        vocos::Vocos,
    },
    sampler::{
        Method, SampleRequest, Sampler, Schedule,
        grid::{Nfe, Spacing, Sway, times},
        noise::NoiseGenerator,
    },
    text::vocab::Vocab,
};
use f5tts_kernels::{Cpu, CpuOptions, Items};
use f5tts_testkit::Golden;

/// The largest distance allowed, against the largest value.
const TOLERANCE: f32 = 1e-3;

type Checked = Result<bool, Box<dyn Error>>;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1) else {
        println!("usage: full_parity DIR, as written by tools/goldens/make.py full DIR");
        return ExitCode::from(2);
    };
    match check(Path::new(&folder)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn check(folder: &Path) -> Checked {
    let trajectory = check_trajectory(&folder.join("v1_base"))?;
    let vocoder = check_vocoder(&folder.join("vocos"))?;
    let speech = check_speech(folder)?;
    Ok(trajectory && vocoder && speech)
}

/// Seven evaluations with guidance, from the official noise.
fn check_trajectory(folder: &Path) -> Checked {
    let backend = Arc::new(Cpu::new(CpuOptions::default())?);
    let checkpoint = Checkpoint::open(&folder.join("model.safetensors"))?;
    let weights = Arc::new(Weights::dit(Arc::new(checkpoint))?);
    let vocab = Vocab::parse(&fs::read(folder.join("vocab.txt"))?)?;
    let dit = Arc::new(Dit::load(&backend, &weights, DitConfig::f5tts_v1_base(), vocab.size())?);
    let inputs = Golden::open(folder.join("forward.safetensors"));
    let expected = Golden::open(folder.join("sample_nfe7.safetensors"));

    let frames = inputs.shape("in.x")[1];
    let reference = inputs.shape("in.cond_mel")[1];
    let mut conditioning = inputs.f32("in.cond_mel");
    conditioning.resize(frames * MEL_CHANNELS, 0.0);
    let nfe = Nfe::try_from(7)?;
    let grid = times(nfe, Spacing::Pruned, Sway::default());
    let mut sampler = Sampler::new(&dit, &backend);
    let ticket = sampler.admit(SampleRequest {
        conditioning,
        known: (0..frames).map(|frame| frame < reference).collect(),
        text_ids: inputs
            .i32("in.text_ids")
            .into_iter()
            .filter_map(|id| u32::try_from(id).ok())
            .collect(),
        noise: expected.f32("traj.00"),
        schedule: Schedule::new(&grid, Method::Euler, 2.0),
    })?;
    let mut within = true;
    for step in 1..=nfe.get() {
        let name = format!("traj.{step:02}");
        let done = sampler.step(&Stop::default())?.pop();
        if let Some(state) = sampler.state(ticket)?
            && expected.has(&name)
        {
            within &= compare(&name, &state, &expected.f32(&name));
        }
        if let Some(sampled) = done {
            within &= compare("mel", &sampled.mel?, &expected.f32("out"));
        }
    }
    let drawn = NoiseGenerator::new(1234).normal(frames * MEL_CHANNELS);
    Ok(within & compare("noise", &drawn, &expected.f32("traj.00")))
}

fn vocoder(folder: &Path) -> Result<(Checkpoint, VocosConfig), Box<dyn Error>> {
    let checkpoint = Checkpoint::open(&folder.join("pytorch_model.bin"))?;
    Ok((
        checkpoint,
        VocosConfig::parse(&fs::read_to_string(folder.join("config.yaml"))?)?,
    ))
}

fn check_vocoder(folder: &Path) -> Checked {
    let golden = Golden::open(folder.join("vocos_ref.safetensors"));
    let (checkpoint, config) = vocoder(folder)?;
    let backend = Arc::new(Cpu::new(CpuOptions::default())?);
    let vocos = Vocos::load(&backend, &Weights::vocos(Arc::new(checkpoint))?, config)?;
    let frames = golden.shape("mel")[2];
    let mel = golden.f32("mel");
    // (100, frames) in the golden.
    let rows = |frame| (0..MEL_CHANNELS).map(move |channel| channel * frames + frame);
    let mel: Vec<f32> = (0..frames).flat_map(rows).map(|at| mel[at]).collect();
    let wave = vocos.decode(&mel, &Items::single(frames))?.concat();
    Ok(compare("vocoder", &wave, &golden.f32("wave")))
}

/// From recording and text to samples.
fn check_speech(folder: &Path) -> Checked {
    let (vocoder, vocoder_config) = vocoder(&folder.join("vocos"))?;
    let model = folder.join("v1_base");
    let parts = ModelParts {
        name: "F5TTS_v1_Base".to_owned(),
        checkpoint: Checkpoint::open(&model.join("model.safetensors"))?,
        config: ModelConfig::preset("F5TTS_v1_Base").ok_or("no such preset")?,
        vocab: Vocab::parse(&fs::read(model.join("vocab.txt"))?)?,
        vocoder,
        vocoder_config,
    };
    let engine = Engine::load(parts, &EngineOptions::default())?;
    let recording = fs::read(folder.join("e2e/ref_22k_stereo_quiet.wav"))?;
    let recording = decode(&recording, &DecodeLimits::default())?;
    let voice = Voice::from_trimmed(&recording, "Hi friend.")?;
    let part = Part { voice: &voice, text: "A cat, 你好吗?" };
    let options = SpeakOptions {
        nfe: Nfe::try_from(7)?,
        seed: 4321,
        ..SpeakOptions::default()
    };
    let speech = engine.speak(&[part], &options, &mut (), &Stop::default())?;
    let golden = Golden::open(folder.join("e2e/e2e_0.safetensors"));
    Ok(compare("speech", &speech.samples, &golden.f32("wave")))
}

fn compare(what: &str, actual: &[f32], expected: &[f32]) -> bool {
    let largest = expected
        .iter()
        .fold(0.0_f32, |peak, value| peak.max(value.abs()));
    let distances = actual.iter().zip(expected).map(|(a, e)| (a - e).abs());
    let distance =
        distances.fold(0.0_f32, |worst, distance| if distance <= worst { worst } else { distance });
    let relative = distance / largest;
    let within = actual.len() == expected.len() && relative <= TOLERANCE;
    let verdict = if within { "ok" } else { "TOO FAR" };
    println!("{what:10} off by {distance:.1e} of {largest:.3}: {relative:.1e} {verdict}");
    within
}
