//! Whole integrations against the official `CFM.sample`, and batches against single runs.

use std::collections::BTreeMap;

use f5tts_kernels::Cpu;
use f5tts_testkit::{Golden, Tolerance, assert_close};
use proptest::prelude::*;

use super::{
    Method, SampleRequest, Sampler, Schedule, Ticket,
    grid::{self, Nfe, Spacing, Sway},
    noise::NoiseGenerator,
};
use crate::{MEL_CHANNELS, model::tiny, stop::Stop};

// Errors of the velocity add up along the way, and guidance triples them.
const TRAJECTORY: Tolerance = Tolerance::relative(1e-3);
const SEED: u64 = 1234;

fn grid(nfe: u32) -> Vec<f32> {
    grid::times(Nfe::try_from(nfe).unwrap(), Spacing::Pruned, Sway::default())
}

/// The request that the goldens of a folder were made with.
fn request(folder: &str, schedule: Schedule) -> SampleRequest {
    let golden = Golden::open(format!("{folder}/forward.safetensors"));
    // The official sampler makes room for a frame more than there are tokens.
    let frames = Golden::open(format!("{folder}/sample_nfe7.safetensors")).shape("out")[1];
    let reference = golden.shape("in.cond_mel")[1];
    SampleRequest {
        conditioning: tiny::padded(&golden.f32("in.cond_mel"), frames),
        known: (0..frames).map(|frame| frame < reference).collect(),
        text_ids: tiny::ids(&golden, "in.text_ids"),
        noise: NoiseGenerator::new(SEED).normal(frames * MEL_CHANNELS),
        schedule,
    }
}

fn sampler(folder: &str) -> Sampler<Cpu> {
    let backend = tiny::cpu();
    Sampler::new(&tiny::dit(folder, &backend), &backend)
}

fn sample(sampler: &mut Sampler<Cpu>, request: SampleRequest) -> Vec<f32> {
    sampler.admit(request).unwrap();
    loop {
        if let Some(sampled) = sampler.step(&Stop::default()).unwrap().pop() {
            return sampled.mel.unwrap();
        }
    }
}

#[test]
fn trajectories_are_the_official_ones() {
    for (folder, nfe) in [
        ("tiny_v0", 7),
        ("tiny_v1", 4),
        ("tiny_v1", 7),
        ("tiny_v1", 16),
        ("tiny_v1", 32),
        ("tiny_x", 7),
        ("tiny_bf16", 7),
    ] {
        let golden = Golden::open(format!("{folder}/sample_nfe{nfe}.safetensors"));
        let mut sampler = sampler(folder);
        let ticket = sampler
            .admit(request(folder, Schedule::new(&grid(nfe), Method::Euler, 2.0)))
            .unwrap();
        for step in 0..=nfe {
            let name = format!("traj.{step:02}");
            if golden.has(&name) && step < nfe {
                assert_close(
                    &format!("{folder} {name}"),
                    &sampler.state(ticket).unwrap().unwrap(),
                    &golden.f32(&name),
                    TRAJECTORY,
                );
            }
            if let Some(sampled) = sampler.step(&Stop::default()).unwrap().pop() {
                assert_eq!(step + 1, nfe);
                assert_close(
                    &format!("{folder} out"),
                    &sampled.mel.unwrap(),
                    &golden.f32("out"),
                    TRAJECTORY,
                );
                break;
            }
        }
        assert!(sampler.is_empty());
    }
}

#[test]
fn variants_are_the_official_ones() {
    for folder in tiny::DITS {
        let golden = Golden::open(format!("{folder}/sample_variants.safetensors"));
        let linear = grid::times(Nfe::try_from(5).unwrap(), Spacing::Equal, Sway::NONE);
        let unguided = Schedule::new(&linear, Method::Euler, 0.0);
        let mel = sample(&mut sampler(folder), request(folder, unguided));
        assert_close("no guidance", &mel, &golden.f32("cfg0_sway_none_linear5"), TRAJECTORY);
    }
    let golden = Golden::open("tiny_v1/sample_variants.safetensors");
    let mut sampler = sampler("tiny_v1");

    let midpoint = request("tiny_v1", Schedule::new(&grid(4), Method::Midpoint, 2.0));
    assert_close(
        "midpoint",
        &sample(&mut sampler, midpoint),
        &golden.f32("midpoint_nfe4"),
        TRAJECTORY,
    );

    let schedule = Schedule::new(&grid(4), Method::Euler, 2.0);
    let mut deaf = request("tiny_v1", schedule.clone());
    deaf.conditioning.fill(0.0);
    assert_close(
        "no reference",
        &sample(&mut sampler, deaf),
        &golden.f32("no_ref_audio_nfe4"),
        TRAJECTORY,
    );

    // Frames 4 to 8 of the reference are edited, its text is kept.
    let frames = golden.shape("edit_nfe4")[1];
    let mut edit = request("tiny_v1", schedule);
    edit.conditioning.truncate(frames * MEL_CHANNELS);
    edit.known.truncate(frames);
    edit.known[4..8].fill(false);
    edit.conditioning[4 * MEL_CHANNELS..8 * MEL_CHANNELS].fill(0.0);
    edit.noise = NoiseGenerator::new(SEED).normal(frames * MEL_CHANNELS);
    assert_close("edit", &sample(&mut sampler, edit), &golden.f32("edit_nfe4"), TRAJECTORY);
}

/// The official padded batch lets padding leak into attention and normalisation; ours has none, so
/// each item is what the official code makes of it alone.
#[test]
fn an_item_of_a_batch_is_the_official_single_run() {
    for folder in ["tiny_v1", "tiny_x"] {
        let golden = Golden::open(format!("{folder}/sample_batch2.safetensors"));
        let frames = golden
            .i32("in.duration")
            .into_iter()
            .map(|n| usize::try_from(n).unwrap());
        let lengths: Vec<_> = golden
            .i32("in.lens")
            .into_iter()
            .map(|n| usize::try_from(n).unwrap())
            .collect();
        let text = golden.i32("in.text_ids");
        let conditioning = golden.f32("in.cond");
        let per_item = (text.len() / 2, conditioning.len() / 2);
        let mut sampler = sampler(folder);
        let tickets: Vec<Ticket> = frames
            .enumerate()
            .map(|(item, frames)| {
                let mel = &conditioning[item * per_item.1..][..lengths[item] * MEL_CHANNELS];
                let ids = &text[item * per_item.0..][..per_item.0];
                let request = SampleRequest {
                    conditioning: tiny::padded(mel, frames),
                    known: (0..frames).map(|frame| frame < lengths[item]).collect(),
                    text_ids: ids
                        .iter()
                        .filter_map(|&id| u32::try_from(id).ok())
                        .collect(),
                    noise: NoiseGenerator::new(SEED).normal(frames * MEL_CHANNELS),
                    schedule: Schedule::new(&grid(4), Method::Euler, 2.0),
                };
                sampler.admit(request).unwrap()
            })
            .collect();
        let mut mels = BTreeMap::new();
        while !sampler.is_empty() {
            for sampled in sampler.step(&Stop::default()).unwrap() {
                mels.insert(sampled.ticket, sampled.mel.unwrap());
            }
        }
        assert_close(folder, &mels[&tickets[1]], &golden.f32("item1_alone"), TRAJECTORY);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whoever else is in the batch, whenever they come and go: the samples are the same bit for bit.
    #[test]
    fn company_changes_nothing(
        waits in prop::collection::vec(0_usize..4, 3),
        frames in prop::collection::vec(27_usize..40, 3),
        midpoint in prop::collection::vec(any::<bool>(), 3),
        leaver in 0_usize..4,
    ) {
        let requests: Vec<SampleRequest> = (0..3)
            .map(|index| {
                let method = if midpoint[index] { Method::Midpoint } else { Method::Euler };
                let guidance = if index == 1 { 0.0 } else { 2.0 };
                let nfe = 4 + u32::try_from(index).unwrap();
                let mut request = request("tiny_v1", Schedule::new(&grid(nfe), method, guidance));
                request.conditioning.truncate(frames[index] * MEL_CHANNELS);
                request.known.truncate(frames[index]);
                request.noise.truncate(frames[index] * MEL_CHANNELS);
                request
            })
            .collect();
        let mut sampler = sampler("tiny_v1");
        let alone: Vec<Vec<f32>> = requests.iter().map(|request| sample(&mut sampler, request.clone())).collect();

        let mut tickets = BTreeMap::new();
        let mut mels = BTreeMap::new();
        for time in 0..40 {
            for (index, request) in requests.iter().enumerate() {
                if waits[index] == time {
                    tickets.insert(sampler.admit(request.clone()).unwrap(), index);
                }
            }
            if time == 5 && let Some((&ticket, _)) = tickets.iter().find(|(_, index)| **index == leaver) {
                sampler.leave(ticket);
            }
            for sampled in sampler.step(&Stop::default()).unwrap() {
                mels.insert(tickets[&sampled.ticket], sampled.mel.unwrap());
            }
        }
        prop_assert!(sampler.is_empty());
        prop_assert!(mels.len() >= 2);
        for (index, mel) in mels {
            prop_assert_eq!(&mel, &alone[index]);
        }
    }
}

#[test]
fn values_that_are_not_finite_are_an_error_of_their_request_alone() {
    let mut sampler = sampler("tiny_v1");
    let schedule = Schedule::new(&grid(4), Method::Euler, 2.0);
    let healthy = request("tiny_v1", schedule);
    let mut broken = healthy.clone();
    broken.noise[7] = f32::NAN;
    let alone = sample(&mut sampler, healthy.clone());
    let bad = sampler.admit(broken).unwrap();
    let good = sampler.admit(healthy).unwrap();
    let first = sampler.step(&Stop::default()).unwrap();
    assert!(matches!(
        first.as_slice(),
        [gone] if gone.ticket == bad && gone.mel.as_ref().is_err_and(|error| error.to_string().contains("evaluation 1"))
    ));
    let mut last = Vec::new();
    while !sampler.is_empty() {
        last = sampler.step(&Stop::default()).unwrap();
    }
    assert_eq!(last[0].ticket, good);
    assert_eq!(last[0].mel.as_ref().unwrap(), &alone);
}

#[test]
fn a_request_that_is_refused_leaves_the_batch_as_it_was() {
    let mut sampler = sampler("tiny_v1");
    let healthy = request("tiny_v1", Schedule::new(&grid(4), Method::Euler, 2.0));
    let alone = sample(&mut sampler, healthy.clone());
    sampler.admit(healthy.clone()).unwrap();
    sampler.step(&Stop::default()).unwrap();

    let mut short = healthy.clone();
    short.noise.truncate(7);
    let empty = SampleRequest { schedule: Schedule::new(&[], Method::Euler, 2.0), ..healthy };
    for refused in [short, empty] {
        assert!(sampler.admit(refused).is_err());
    }
    let mut last = Vec::new();
    while !sampler.is_empty() {
        last = sampler.step(&Stop::default()).unwrap();
    }
    assert_eq!(last[0].mel.as_ref().unwrap(), &alone);
}
