//! From noise to mel: the time grid, the noise, and the integration of the flow.

mod batch;
pub mod grid;
pub mod noise;
#[cfg(test)]
mod parity;
mod schedule;

pub use batch::{SampleRequest, Sampled, Sampler, Ticket};
pub use schedule::{Evaluation, Method, Schedule};
