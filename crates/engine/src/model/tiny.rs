//! The tiny models that the official package wrote for the parity tests.

use std::sync::Arc;

use f5tts_kernels::{Cpu, CpuOptions};
use f5tts_testkit::Golden;

use super::{config::ModelConfig, dit::Dit};
use crate::{
    checkpoint::{Checkpoint, Weights},
    text::vocab::Vocab,
};

/// Which of the official switches are on, by the golden's folder.
pub(crate) const DITS: [&str; 4] = ["tiny_v0", "tiny_v1", "tiny_x", "tiny_bf16"];

pub(crate) fn cpu() -> Arc<Cpu> {
    Arc::new(Cpu::new(CpuOptions::default()).unwrap())
}

/// The network in a folder of the goldens.
pub(crate) fn dit(folder: &str, backend: &Arc<Cpu>) -> Arc<Dit<Cpu>> {
    // The two older ones share their weights, and differ in their switches.
    let weights = if folder == "tiny_v0" {
        "tiny_v1"
    } else {
        folder
    };
    let checkpoint =
        Checkpoint::open(&Golden::path(format!("{weights}/model.safetensors"))).unwrap();
    let weights = Arc::new(Weights::dit(Arc::new(checkpoint)).unwrap());
    let vocab = Vocab::parse(Golden::text(&format!("{folder}/vocab.txt")).as_bytes()).unwrap();
    let config = ModelConfig::parse(&Golden::text(&format!("{folder}/config.json"))).unwrap();
    Arc::new(Dit::load(backend, &weights, config.dit, vocab.size()).unwrap())
}

/// Token ids of a golden, without the padding.
pub(crate) fn ids(golden: &Golden, tensor: &str) -> Vec<u32> {
    golden
        .i32(tensor)
        .into_iter()
        .filter_map(|id| u32::try_from(id).ok())
        .collect()
}

/// `mel` with zeros up to `frames`.
pub(crate) fn padded(mel: &[f32], frames: usize) -> Vec<f32> {
    let mut padded = mel.to_vec();
    padded.resize(frames * crate::MEL_CHANNELS, 0.0);
    padded
}
