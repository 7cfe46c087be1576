//! The demonstration model and its voices, which are part of the program.

use f5tts_engine::checkpoint::{Checkpoint, CheckpointError};

/// The voice that speaks if none is asked for.
pub(crate) const DEFAULT_VOICE: &str = "rms";

macro_rules! file {
    ($path:literal) => {
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/demo/", $path)
    };
}

/// A voice in the program.
#[derive(Debug)]
pub(crate) struct BundledVoice {
    pub(crate) name: &'static str,
    pub(crate) recording: &'static [u8],
    pub(crate) transcript: &'static str,
}

/// All of them, by name.
pub(crate) const VOICES: [BundledVoice; 2] = [
    BundledVoice {
        name: "rms",
        recording: include_bytes!(file!("voices/rms.wav")),
        transcript: include_str!(file!("voices/rms.txt")),
    },
    BundledVoice {
        name: "slt",
        recording: include_bytes!(file!("voices/slt.wav")),
        transcript: include_str!(file!("voices/slt.txt")),
    },
];

/// Its weights.
pub(crate) fn checkpoint() -> Result<Checkpoint, CheckpointError> {
    let bytes = include_bytes!(file!("model.safetensors"));
    Checkpoint::from_static("demo/model.safetensors", bytes)
}

/// Its configuration, in YAML.
pub(crate) const CONFIG: &str = include_str!(file!("config.yaml"));

/// Its tokens, one a line.
pub(crate) const VOCAB: &[u8] = include_bytes!(file!("vocab.txt"));

/// The weights of its vocoder.
pub(crate) fn vocoder() -> Result<Checkpoint, CheckpointError> {
    let bytes = include_bytes!(file!("vocoder/pytorch_model.bin"));
    Checkpoint::from_static("demo/vocoder/pytorch_model.bin", bytes)
}

/// The configuration of its vocoder, in YAML.
pub(crate) const VOCODER_CONFIG: &str = include_str!(file!("vocoder/config.yaml"));
