//! Whole samplings of a small random network: against the CPU in single precision, recorded, and in company.

use std::{collections::BTreeMap, sync::Arc};

use f5tts_engine::{
    MEL_CHANNELS, Stop,
    sampler::{Method, SampleRequest, Schedule, Ticket},
};
use f5tts_kernels::{Cuda, CudaOptions, Items};
use f5tts_testkit::{Tolerance, assert_close};

use super::{Networks, cpu, emulated, grid, guided, options, request};

/// Half precision against single, after all steps with guidance: measured 6.3e-4.
const MEL: Tolerance = Tolerance::relative(1.5e-3);
/// The same and the vocoder, whose exponentials magnify what the mel is off: measured 1.5e-3.
const WAVE: Tolerance = Tolerance::relative(3.5e-3);

#[test]
fn a_sampling_and_its_wave_are_those_of_the_cpu() {
    let (reference, tested) = (Networks::load(&cpu()), Networks::load(&emulated()));
    // 66 frames end within a tile of attention.
    for (frames, steps) in [(37, 7), (66, 5)] {
        let expected = reference.sample(request(frames, guided(steps))).unwrap();
        let actual = tested.sample(request(frames, guided(steps))).unwrap();
        assert_close(&format!("random mel of {frames}"), &actual, &expected, MEL);

        let generated = |mel: &[f32]| mel[frames / 3 * MEL_CHANNELS..].to_vec();
        let items = Items::single(frames - frames / 3);
        let expected = reference.vocos.decode(&generated(&expected), &items);
        let actual = tested.vocos.decode(&generated(&actual), &items);
        assert_close(
            &format!("random wave of {frames}"),
            &actual.unwrap()[0],
            &expected.unwrap()[0],
            WAVE,
        );
    }
}

/// The mel of a request, and the device's memory in use before each evaluation.
fn watched(networks: &Networks<Cuda>, request: SampleRequest) -> (Vec<f32>, Vec<usize>) {
    let mut sampler = networks.sampler();
    sampler.admit(request).unwrap();
    let mut used = Vec::new();
    loop {
        used.push(networks.backend.memory().0);
        if let Some(sampled) = sampler.step(&Stop::default()).unwrap().pop() {
            return (sampled.mel.unwrap(), used);
        }
    }
}

#[test]
fn a_recording_changes_nothing() {
    let plain = Cuda::emulated(CudaOptions { recorded: false, ..options() }).unwrap();
    let (plain, recorded) = (Networks::load(&Arc::new(plain)), Networks::load(&emulated()));
    let (expected, plain_used) = watched(&plain, request(29, guided(7)));
    let (actual, used) = watched(&recorded, request(29, guided(7)));
    assert_eq!(actual, expected);
    // The second evaluation was recorded, and what it works on is kept for those that follow.
    assert_eq!(used[..2], plain_used[..2]);
    assert!(used[2] > plain_used[2], "{used:?} {plain_used:?}");
    assert_eq!(used[2..], vec![used[2]; 5]);
}

#[test]
fn company_changes_nothing() {
    let networks = Networks::load(&emulated());
    let midpoint = Schedule::new(&grid(3), Method::Midpoint, 1.5);
    let unguided = Schedule::new(&grid(5), Method::Euler, 0.0);
    // When each comes; the first two are recorded before the next disturbs them.
    let requests = [
        (0, request(19, guided(7))),
        (0, request(70, guided(4))),
        (3, request(33, unguided)),
        (4, request(8, midpoint)),
    ];
    let mut sampler = networks.sampler();
    let mut mels = BTreeMap::new();
    let mut tickets: Vec<(Ticket, usize)> = Vec::new();
    let mut leaving = None;
    for time in 0..16 {
        for (index, (comes, request)) in requests.iter().enumerate() {
            if *comes == time {
                tickets.push((sampler.admit(request.clone()).unwrap(), index));
            }
        }
        if time == 2 {
            leaving = Some(sampler.admit(request(40, guided(7))).unwrap());
        }
        if time == 5
            && let Some(ticket) = leaving
        {
            sampler.leave(ticket);
        }
        for sampled in sampler.step(&Stop::default()).unwrap() {
            mels.insert(sampled.ticket, sampled.mel.unwrap());
        }
    }
    assert!(sampler.is_empty());
    assert_eq!(mels.len(), requests.len());
    for (ticket, index) in tickets {
        let alone = networks.sample(requests[index].1.clone()).unwrap();
        assert_eq!(mels[&ticket], alone, "request {index}");
    }
}
