//! The service as its users meet it: stores, voices and jobs.
#![expect(clippy::unwrap_used, reason = "a test")]

mod fake;
mod faults;
mod jobs;
mod operations;
mod processes;
mod child;
mod mirror;
mod storage;
