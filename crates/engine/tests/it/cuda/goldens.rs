//! The official tensors, with the tolerance of half precision.
//!
//! Weights and what is multiplied have 11 significant bits: each rounding is off by up to 2⁻¹¹ of half its value, and
//! each result sums up hundreds of such products. The limits are two to three times what was measured on the emulation,
//! which rounds as a GPU does; the order of sums within an instruction is all that a GPU may change.

use std::{collections::BTreeMap, sync::Arc};

use f5tts_engine::{
    Engine, MEL_CHANNELS, ModelParts, Part, SpeakOptions, Stop, Voice,
    audio::{self, DecodeLimits},
    checkpoint::{Checkpoint, Weights},
    model::{
        config::{ModelConfig, Padding, VocosConfig},
        dit::{Batch, Branch, Dit},
        vocos::Vocos,
    },
    sampler::{
        Method, SampleRequest, Sampler, Schedule, Ticket,
        grid::{Nfe, Spacing, Sway, times},
        noise::NoiseGenerator,
    },
    text::vocab::Vocab,
};
use f5tts_kernels::{Backend, Cuda, Items};
use f5tts_testkit::{Golden, Tolerance, assert_close};

use super::{emulated, grid, guided};

/// A velocity after two blocks: measured 5.0e-4, which differs little from folder to folder.
const VELOCITY: Tolerance = Tolerance::relative(1.2e-3);
/// A mel after all steps with guidance, whose errors add up but do not grow: measured 5.0e-4.
const MEL: Tolerance = Tolerance::relative(1.2e-3);
/// Without guidance, which triples what a velocity is off: measured 2.2e-4.
const UNGUIDED: Tolerance = Tolerance::relative(6e-4);
/// The vocoder's wave of a given mel: measured 3.0e-4.
const WAVE: Tolerance = Tolerance::relative(8e-4);
/// The wave of a sampled mel, which is off by what both are: measured 6.2e-4.
const SPEECH: Tolerance = Tolerance::relative(1.6e-3);

/// A state at `time`, which is off by what its velocities were while they were followed: measured 1.4e-3 of that time
/// near the noise, where guidance counts for most, and less later. The noise itself is off by the last bit.
fn state_after(time: f32) -> Tolerance {
    Tolerance::relative(1e-6 + (4e-3 * time).min(MEL.rel))
}

/// v0 and v1 of the architecture, all switches, weights in bf16.
const DITS: [&str; 4] = ["tiny_v0", "tiny_v1", "tiny_x", "tiny_bf16"];
const SEED: u64 = 1234;

fn open(name: &str) -> Checkpoint {
    Checkpoint::open(&Golden::path(name)).unwrap()
}

fn vocab(folder: &str) -> Vocab {
    Vocab::parse(Golden::text(&format!("{folder}/vocab.txt")).as_bytes()).unwrap()
}

fn dit(folder: &str, backend: &Arc<Cuda>) -> Arc<Dit<Cuda>> {
    // The two older ones share their weights, and differ in their switches.
    let file = folder.replace("tiny_v0", "tiny_v1");
    let weights = Weights::dit(Arc::new(open(&format!("{file}/model.safetensors")))).unwrap();
    let config = ModelConfig::parse(&Golden::text(&format!("{folder}/config.json"))).unwrap();
    let size = vocab(folder).size();
    Arc::new(Dit::load(backend, &Arc::new(weights), config.dit, size).unwrap())
}

fn sampler(folder: &str) -> Sampler<Cuda> {
    let backend = emulated();
    Sampler::new(&dit(folder, &backend), &backend)
}

fn sizes(values: &[i32]) -> Vec<usize> {
    values
        .iter()
        .map(|&value| usize::try_from(value).unwrap())
        .collect()
}

/// Token ids without the padding.
fn ids(values: &[i32]) -> Vec<u32> {
    values
        .iter()
        .filter_map(|&id| u32::try_from(id).ok())
        .collect()
}

/// A request of the goldens: noise of one seed, `reference` as what is known.
fn request(
    reference: &[f32],
    text_ids: Vec<u32>,
    frames: usize,
    schedule: Schedule,
) -> SampleRequest {
    let known = reference.len() / MEL_CHANNELS;
    let mut conditioning = reference.to_vec();
    conditioning.resize(frames * MEL_CHANNELS, 0.0);
    SampleRequest {
        conditioning,
        known: (0..frames).map(|frame| frame < known).collect(),
        text_ids,
        noise: NoiseGenerator::new(SEED).normal(frames * MEL_CHANNELS),
        schedule,
    }
}

/// The request that the goldens of a folder were made with.
fn folders_request(folder: &str, schedule: Schedule) -> SampleRequest {
    let golden = Golden::open(format!("{folder}/forward.safetensors"));
    // The official sampler makes room for a frame more than there are tokens.
    let frames = Golden::open(format!("{folder}/sample_nfe7.safetensors")).shape("out")[1];
    let text_ids = ids(&golden.i32("in.text_ids"));
    request(&golden.f32("in.cond_mel"), text_ids, frames, schedule)
}

/// The mels of some requests in one batch.
fn sample(sampler: &mut Sampler<Cuda>, requests: Vec<SampleRequest>) -> Vec<Vec<f32>> {
    let tickets: Vec<Ticket> = requests
        .into_iter()
        .map(|request| sampler.admit(request).unwrap())
        .collect();
    let mut mels = BTreeMap::new();
    while !sampler.is_empty() {
        for sampled in sampler.step(&Stop::default()).unwrap() {
            mels.insert(sampled.ticket, sampled.mel.unwrap());
        }
    }
    tickets
        .iter()
        .map(|ticket| mels.remove(ticket).unwrap())
        .collect()
}

pub(super) fn parts() -> ModelParts {
    ModelParts {
        name: "tiny".to_owned(),
        checkpoint: open("tiny_v1/model.safetensors"),
        config: ModelConfig::parse(&Golden::text("tiny_v1/config.json")).unwrap(),
        vocab: vocab("tiny_v1"),
        vocoder: open("vocos/pytorch_model.bin"),
        vocoder_config: VocosConfig::parse(&Golden::text("vocos/config.yaml")).unwrap(),
    }
}

pub(super) fn voice() -> Voice {
    let recording = std::fs::read(Golden::path("e2e/ref_22k_stereo_quiet.wav")).unwrap();
    let recording = audio::decode(&recording, &DecodeLimits::default()).unwrap();
    Voice::from_trimmed(&recording, "Hi friend.").unwrap()
}

#[test]
fn velocities_are_the_official_ones() {
    for folder in DITS {
        let backend = emulated();
        let dit = dit(folder, &backend);
        let golden = Golden::open(format!("{folder}/forward.safetensors"));
        let (noised, ids) = (golden.f32("in.x"), ids(&golden.i32("in.text_ids")));
        let frames = golden.shape("in.x")[1];
        let mut conditioning = golden.f32("in.cond_mel");
        conditioning.resize(frames * MEL_CHANNELS, 0.0);

        let items = Items::new([frames, frames]);
        let mut condition = backend.zeros(2 * frames, dit.config().dim).unwrap();
        for (branch, to) in [(Branch::Conditional, 0), (Branch::Unconditional, frames)] {
            let embedded = dit.embed_condition(&conditioning, &ids, branch).unwrap();
            backend
                .copy_rows(&embedded, 0..frames, to, &mut condition)
                .unwrap();
        }
        let time = golden.f32("in.time")[0];
        let batch = Batch {
            items: &items,
            noised: &backend
                .upload(&[noised.clone(), noised].concat(), MEL_CHANNELS)
                .unwrap(),
            condition: &condition,
            modulations: &dit.modulations(&[time, time]).unwrap().rows,
        };
        let mut workspace = dit.workspace(&items).unwrap();
        let expected = [golden.f32("out.cond"), golden.f32("out.uncond")].concat();
        // As usual, then recorded and replayed, then replayed: with a long skip, matrices change places.
        for evaluation in 0..3 {
            dit.forward(&batch, &mut workspace, &Stop::default())
                .unwrap();
            let velocity = backend.download(&workspace.velocity).unwrap();
            assert_close(
                &format!("velocity {folder} {evaluation}"),
                &velocity,
                &expected,
                VELOCITY,
            );
        }
    }
}

#[test]
fn trajectories_are_the_official_ones() {
    for folder in ["tiny_v1", "tiny_x"] {
        let nfe = 7;
        let golden = Golden::open(format!("{folder}/sample_nfe{nfe}.safetensors"));
        let mut sampler = sampler(folder);
        let ticket = sampler.admit(folders_request(folder, guided(nfe))).unwrap();
        for step in 0..=nfe {
            let name = format!("traj.{step:02}");
            if golden.has(&name) && step < nfe {
                let state = sampler.state(ticket).unwrap().unwrap();
                assert_close(
                    &format!("trajectory {folder} {name}"),
                    &state,
                    &golden.f32(&name),
                    state_after(grid(nfe)[usize::try_from(step).unwrap()]),
                );
            }
            if let Some(sampled) = sampler.step(&Stop::default()).unwrap().pop() {
                assert_eq!(step + 1, nfe);
                assert_close(
                    &format!("trajectory {folder} {nfe} out"),
                    &sampled.mel.unwrap(),
                    &golden.f32("out"),
                    MEL,
                );
                break;
            }
        }
        assert!(sampler.is_empty());
    }
}

#[test]
fn variants_are_the_official_ones() {
    for folder in DITS {
        let golden = Golden::open(format!("{folder}/sample_variants.safetensors"));
        let linear = times(Nfe::try_from(5).unwrap(), Spacing::Equal, Sway::NONE);
        let unguided = Schedule::new(&linear, Method::Euler, 0.0);
        let mels = sample(&mut sampler(folder), vec![folders_request(folder, unguided)]);
        let expected = golden.f32("cfg0_sway_none_linear5");
        assert_close(&format!("variants {folder} without guidance"), &mels[0], &expected, UNGUIDED);
    }
    let golden = Golden::open("tiny_v1/sample_variants.safetensors");
    let midpoint = Schedule::new(&grid(4), Method::Midpoint, 2.0);
    let mels = sample(&mut sampler("tiny_v1"), vec![folders_request("tiny_v1", midpoint)]);
    assert_close("variants midpoint", &mels[0], &golden.f32("midpoint_nfe4"), MEL);
}

/// The official padded batch lets padding leak into attention and normalisation; here each item is what the official
/// code makes of it alone.
#[test]
fn an_item_of_a_batch_is_the_official_single_run() {
    for folder in ["tiny_v1", "tiny_x"] {
        let golden = Golden::open(format!("{folder}/sample_batch2.safetensors"));
        let (text, conditioning) = (golden.i32("in.text_ids"), golden.f32("in.cond"));
        let lengths = sizes(&golden.i32("in.lens"));
        let texts = text.chunks_exact(text.len() / 2);
        let mels = conditioning.chunks_exact(conditioning.len() / 2);
        let requests: Vec<SampleRequest> = sizes(&golden.i32("in.duration"))
            .into_iter()
            .zip(lengths)
            .zip(texts.zip(mels))
            .map(|((frames, length), (text, mel))| {
                request(&mel[..length * MEL_CHANNELS], ids(text), frames, guided(4))
            })
            .collect();
        let alone = sample(&mut sampler(folder), vec![requests[1].clone()]);
        let mels = sample(&mut sampler(folder), requests);
        assert_eq!(mels[1], alone[0], "{folder}");
        assert_close(&format!("batch {folder}"), &mels[1], &golden.f32("item1_alone"), MEL);
    }
}

#[test]
fn waves_are_the_official_ones() {
    let golden = Golden::open("vocos/vocos_ref.safetensors");
    let frames = golden.shape("mel")[2];
    let channels = golden.f32("mel");
    let mel: Vec<f32> = (0..frames)
        .flat_map(|frame| channels.iter().skip(frame).step_by(frames).copied())
        .collect();
    let config = VocosConfig::parse(&Golden::text("vocos/config.yaml")).unwrap();
    for (padding, name) in [(Padding::Center, "wave"), (Padding::Same, "wave_same")] {
        let weights = Weights::vocos(Arc::new(open("vocos/pytorch_model.bin"))).unwrap();
        let config = VocosConfig { padding, ..config.clone() };
        let vocos = Vocos::load(&emulated(), &weights, config).unwrap();
        let waves = vocos.decode(&mel, &Items::new([frames])).unwrap();
        assert_close(name, &waves[0], &golden.f32(name), WAVE);
        let split = vocos.decode(&mel, &Items::new([5, frames - 5])).unwrap();
        let first = vocos.decode(&mel[..5 * MEL_CHANNELS], &Items::single(5));
        assert_eq!(split[0], first.unwrap()[0]);
    }
}

/// The whole way, by the engine itself.
#[test]
fn speech_is_the_official_one() {
    let engine = Engine::load_onto(parts(), emulated()).unwrap();
    assert_eq!(engine.device(), "cuda (emulated)");
    let voice = voice();
    let options = SpeakOptions {
        nfe: Nfe::try_from(4).unwrap(),
        seed: 4321,
        ..SpeakOptions::default()
    };
    let part = Part { voice: &voice, text: "A cat, 你好吗?" };
    let speech = engine
        .speak(&[part], &options, &mut (), &Stop::default())
        .unwrap();
    let golden = Golden::open("e2e/e2e_0.safetensors");
    assert_close("speech", &speech.samples, &golden.f32("wave"), SPEECH);
}
