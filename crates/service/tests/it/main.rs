//! The service as its users meet it: stores, voices and jobs.
#![expect(clippy::unwrap_used, reason = "a test")]

mod fake;
mod jobs;
mod operations;
mod storage;
