//! Every operation of the CUDA backend, on the emulation of a GPU, against the CPU and naive versions.
//!
//! Operands are short fractions, which half precision holds exactly, so that a result differs from that of
//! single precision only where it is meant to: a wrong index cannot hide behind rounding.

mod attention;
mod conv;
mod linear;
mod others;
mod recording;

use std::{num::NonZeroUsize, sync::OnceLock};

use f5tts_kernels::{Backend, Cpu, Cuda, CudaOptions, Items, cpu::Simd, cuda};

use crate::machines;

/// Memory that is given back is freed at once, so that a sanitizer sees whoever still uses it.
pub(crate) fn options() -> CudaOptions {
    CudaOptions {
        threads: NonZeroUsize::new(1),
        idle_bytes: 0,
        poisoned: true,
        ..CudaOptions::default()
    }
}

pub(crate) fn emulated() -> &'static Cuda {
    static CUDA: OnceLock<Cuda> = OnceLock::new();
    CUDA.get_or_init(|| Cuda::emulated(options()).unwrap())
}

fn cpu() -> &'static Cpu {
    static CPU: OnceLock<Cpu> = OnceLock::new();
    CPU.get_or_init(|| machines::cpu(Simd::Portable, 1).unwrap())
}

/// Multiples of 1/16 between −1 and 1.
fn fractions(seed: u64, count: usize) -> Vec<f32> {
    machines::numbers(seed, count)
        .iter()
        .map(|x| (16.0 * x).round() / 16.0)
        .collect()
}

fn matrix(cuda: &Cuda, seed: u64, rows: usize, columns: usize) -> cuda::Tensor {
    cuda.upload(&fractions(seed, rows * columns), columns)
        .unwrap()
}

/// In half precision, as activations are kept between operations.
fn halves(cuda: &Cuda, seed: u64, rows: usize, columns: usize) -> cuda::Tensor {
    let single = matrix(cuda, seed, rows, columns);
    let mut half = cuda.activations(rows, columns).unwrap();
    cuda.copy_rows(&single, 0..rows, 0, &mut half).unwrap();
    half
}

/// One row, items that end within a tile, an empty one.
fn batches() -> [Items; 3] {
    [
        Items::single(1),
        Items::new([5, 0, 17, 1]),
        Items::new([61, 72]),
    ]
}
