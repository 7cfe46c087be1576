//! F5-TTS in Rust: text and a voice become speech.
//!
//! See [`Engine`] for an example.
#![warn(missing_docs)]

pub mod align;
pub mod audio;
pub mod checkpoint;
pub mod duration;
mod engine;
mod error;
pub mod model;
mod observer;
mod options;
mod plan;
pub mod sampler;
mod speech;
pub mod stitch;
mod stop;
pub mod subtitles;
pub mod text;
mod voice;
mod warning;

pub use engine::{Device, Engine, EngineOptions, Evaluations, ModelParts, Part, Workload};
pub use error::{LoadError, SampleError, SpeakError, VoiceError};
pub use observer::{Observer, Progress};
pub use options::{CfgStrength, Silence, SpeakOptions, SpeechSeconds};
pub use speech::{Chunk, Speech, StageTimes};
pub use stop::{Stop, Stopped};
pub use voice::{Voice, recording_warnings, transcript_warnings};
pub use warning::Warning;

/// Samples a second of everything that the model hears and says.
pub const SAMPLE_RATE_HZ: u32 = 24_000;
/// Samples from one mel frame to the next.
pub const HOP_LENGTH: usize = 256;
/// Mel channels of a frame.
pub const MEL_CHANNELS: usize = 100;
/// Frames that a chunk may have, the reference's included: the 30 s of the longest training example.
///
/// The official code has no such limit and runs into noise, and at 8 192 frames into an error.
pub const LONGEST_CHUNK_FRAMES: usize = 2_812;
