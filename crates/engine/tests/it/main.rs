#![expect(clippy::unwrap_used, reason = "tests")]

mod align;
mod audio;
mod checkpoint;
#[cfg(feature = "cuda-emulation")]
mod cuda;
mod duration;
mod golden;
mod sampler;
mod stitch;
mod text;
