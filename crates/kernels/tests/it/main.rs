//! Every operation of the CPU backend, with all instruction sets of this machine, against naive
//! versions, known values and properties.

#![expect(clippy::unwrap_used, reason = "what should not fail fails the test")]

mod agreement;
mod attention;
mod conv;
#[cfg(feature = "cuda-emulation")]
mod cuda;
mod determinism;
mod elementwise;
mod istft;
mod linear;
mod machines;
mod norm;
mod project;
mod reference;
mod refusals;
