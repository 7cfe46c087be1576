//! What is said in a short recording: Whisper, decoded as the official F5-TTS code has it done.
//!
//! The network runs over [`f5tts_kernels::Backend`], so it needs nothing that the speech model does not need already.
//! A recording is transcribed once and its text kept, so nothing is held longer than a transcription takes: the
//! encoder's layers are read one at a time from the mapped file, and only the decoder is unpacked.
//!
//! ```no_run
//! use std::{path::Path, sync::Arc};
//!
//! use f5tts_asr::{ModelFiles, Options, Whisper};
//! use f5tts_engine::Stop;
//! use f5tts_kernels::{Cpu, CpuOptions};
//!
//! # let (samples, sample_rate_hz) = (vec![0.0; 16_000], 16_000);
//! let files = ModelFiles::in_directory(Path::new("whisper-large-v3-turbo"))?;
//! let whisper = Whisper::load(Arc::new(Cpu::new(CpuOptions::default())?), &files)?;
//! let transcript = whisper.transcribe(&samples, sample_rate_hz, &Options::default(), &Stop::default())?;
//! println!("{}", transcript.text);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![warn(missing_docs)]

mod config;
mod decoder;
mod encoder;
mod error;
mod features;
mod files;
mod maths;
mod vocabulary;
mod whisper;

pub use self::{
    error::AsrError,
    features::log_mel,
    files::{ModelFiles, REQUIRED_FILES, USED_FILES},
    vocabulary::Vocabulary,
    whisper::{LONGEST_RECORDING_S, Options, SAMPLE_RATE_HZ, Transcript, Whisper},
};
