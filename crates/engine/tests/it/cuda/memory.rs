//! What the device's memory holds, and what happens when it does not suffice.

use std::{error::Error as _, sync::Arc};

use f5tts_engine::{
    Engine, MEL_CHANNELS, Part, SampleError, SpeakError, SpeakOptions, Stop, sampler::grid::Nfe,
};
use f5tts_kernels::{Cuda, CudaOptions, Error, Items, cuda::Emulation};

use super::{Networks, goldens, guided, options, request};

#[test]
fn many_shapes_leave_the_memory_flat() {
    let idle_limit = 1 << 20;
    let emulation = Emulation { rounds: true, ..Emulation::default() };
    let cuda = CudaOptions { idle_bytes: idle_limit, ..options() };
    let cuda = Arc::new(Cuda::emulated_with(cuda, emulation).unwrap());
    let networks = Networks::load(&cuda);
    let used: Vec<usize> = (0..32)
        .map(|shape| {
            // The longest first: a table of angles grows with them.
            let frames = 32 - (shape * 13) % 32;
            let mel = networks.sample(request(frames, guided(2))).unwrap();
            let waves = networks.vocos.decode(&mel, &Items::single(frames));
            assert_eq!(waves.unwrap().concat().len(), (frames - 1) * 256);
            assert_eq!(mel.len(), frames * MEL_CHANNELS);
            let (used, idle) = cuda.memory();
            assert!(idle <= idle_limit, "{idle}");
            used
        })
        .collect();
    // In the begin, the places of the last few batches' rows come along.
    assert_eq!(used[16..], vec![used[16]; 16]);
}

/// Speaks with the goldens' model, after a reference of a second.
fn speak(engine: &Engine, text: &str) -> Result<Vec<f32>, SpeakError> {
    let voice = goldens::voice();
    let options = SpeakOptions {
        nfe: Nfe::try_from(2).unwrap(),
        seed: 7,
        ..SpeakOptions::default()
    };
    let part = Part { voice: &voice, text };
    let speech = engine.speak(&[part], &options, &mut (), &Stop::default())?;
    Ok(speech.samples)
}

#[test]
fn an_engine_goes_on_after_memory_did_not_suffice() {
    // What one speech needs: all that is ever given back is kept.
    let cuda = CudaOptions { idle_bytes: usize::MAX, ..options() };
    let roomy = Arc::new(Cuda::emulated(cuda).unwrap());
    let expected =
        speak(&Engine::load_onto(goldens::parts(), Arc::clone(&roomy)).unwrap(), "A cat.");
    let (used, idle) = roomy.memory();

    let memory_bytes = used + idle;
    let emulation = Emulation { memory_bytes, ..Emulation::default() };
    let tight = Arc::new(Cuda::emulated_with(cuda, emulation).unwrap());
    let engine = Engine::load_onto(goldens::parts(), Arc::clone(&tight)).unwrap();
    let expected = expected.unwrap();
    assert_eq!(speak(&engine, "A cat.").unwrap(), expected);

    let long = "A cat sat on a mat, and another one sat on it. ".repeat(4);
    let error = speak(&engine, &long).unwrap_err();
    let SpeakError::Sample(SampleError::Kernel(error @ Error::Memory { bytes, .. })) = error else {
        panic!("{error:?}");
    };
    assert_eq!(error.to_string(), format!("could not allocate {bytes} bytes"));
    let cause = error.source().unwrap().to_string();
    assert!(cause.contains(&format!("has {memory_bytes} bytes")), "{cause}");
    // Nothing of it is left.
    assert_eq!(speak(&engine, "A cat.").unwrap(), expected);
}

#[test]
fn a_batch_goes_on_without_the_request_that_does_not_fit() {
    let cuda = CudaOptions { idle_bytes: usize::MAX, ..options() };
    let roomy = Arc::new(Cuda::emulated(cuda).unwrap());
    let expected = Networks::load(&roomy)
        .sample(request(20, guided(5)))
        .unwrap();
    let (used, idle) = roomy.memory();

    let emulation = Emulation { memory_bytes: used + idle, ..Emulation::default() };
    let tight = Arc::new(Cuda::emulated_with(cuda, emulation).unwrap());
    let networks = Networks::load(&tight);
    let mut sampler = networks.sampler();
    sampler.admit(request(20, guided(5))).unwrap();
    for _ in 0..3 {
        assert!(sampler.step(&Stop::default()).unwrap().is_empty());
    }
    let refused = sampler.admit(request(2000, guided(5)));
    assert!(matches!(refused, Err(SampleError::Kernel(Error::Memory { .. }))), "{refused:?}");
    assert!(sampler.step(&Stop::default()).unwrap().is_empty());
    let done = sampler.step(&Stop::default()).unwrap().pop().unwrap();
    assert_eq!(done.mel.unwrap(), expected);
}
