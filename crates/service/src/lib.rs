//! Jobs, voices and storage: everything between a wire format and the engine.
//!
//! [`Service::handle`] answers requests; the life of a speech job is one function, `pipeline.rs`.
#![warn(missing_docs)]

mod answer;
mod context;
pub mod doctor;
mod failure;
pub mod fetch;
pub mod jobs;
pub mod mirror;
mod operations;
mod pipeline;
mod rendering;
pub mod request;
mod service;
pub mod storage;
pub mod synthesis;
pub mod transcription;
pub mod voices;

pub use context::{Context, Lifetime};
pub use failure::{ErrorCode, Failure};
pub use operations::Job;
pub use service::{Parts, Point, Service, ServiceOptions, Witness};
