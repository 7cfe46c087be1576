//! The tensor operations that F5-TTS and Vocos need, and nothing else.
//!
//! A network is written once, over the trait [`Backend`]; [`Cpu`] implements it, and with the
//! feature `cuda` so does `Cuda`. All activations are matrices of rows (frames) by columns (channels). A batch is *ragged*: the rows of its items
//! lie one after the other, without padding, and [`Items`] tells where each begins. No operation
//! lets one item see another, so an item's result is the same, bit for bit, alone or in any batch
//! and with any number of threads.

mod backend;
mod check;
pub mod cpu;
#[cfg(any(feature = "cuda", feature = "cuda-emulation"))]
pub mod cuda;
mod gpu;
mod items;
mod operands;

pub use backend::{
    Activation, Advance, Attention, Backend, ConvShape, ConvTail, Epilogue, Error, Istft,
    IstftPadding, LinearInput, Modulation, Result,
};
pub use cpu::{Cpu, CpuOptions};
#[cfg(any(feature = "cuda", feature = "cuda-emulation"))]
pub use cuda::{Cuda, CudaOptions};
pub use gpu::{Gpu, open_gpu};
pub use items::Items;
