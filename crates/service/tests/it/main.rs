//! The service as its users meet it: stores, voices and jobs.
#![expect(clippy::unwrap_used, reason = "a test")]

mod child;
mod fake;
mod faults;
mod jobs;
mod mirror;
mod model_thread;
mod operations;
mod processes;
mod storage;
mod transcription;
