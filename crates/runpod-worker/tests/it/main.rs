#![expect(clippy::unwrap_used, reason = "a test")]

mod fake;
mod http;
mod jobs;
mod local_api;
mod results;
mod shutdown;
mod streams;
mod take;
