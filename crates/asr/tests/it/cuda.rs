//! The encoder on an emulated GPU, whose products are in half precision.

use f5tts_kernels::{Cuda, CudaOptions};

use super::*;

#[test]
fn a_gpu_hears_the_same() {
    let gpu = Cuda::emulated(CudaOptions { poisoned: true, ..CudaOptions::default() }).unwrap();
    let files = ModelFiles::in_directory(&Golden::path("asr/large")).unwrap();
    let heard = Whisper::load(Arc::new(gpu), &files)
        .unwrap()
        .transcribe(&speech(), 16_000, &Options::default(), &Stop::default())
        .unwrap();
    let expected = transcribe(&whisper("large"), &speech(), None).unwrap();
    assert_eq!(heard.tokens, expected.tokens);
    // Half precision moves probabilities a little; a mistake moves them a lot.
    let difference = heard.mean_log_probability - expected.mean_log_probability;
    assert!(difference.abs() < 0.01, "{difference}");
}
