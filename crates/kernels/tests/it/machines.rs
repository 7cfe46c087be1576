//! The devices under test, and numbers to feed them.

use std::{num::NonZeroUsize, sync::OnceLock};

use f5tts_kernels::{
    Backend, Cpu,
    cpu::{CpuOptions, Simd, Tensor},
};

/// A CPU with two threads for every instruction set that this machine has.
pub(crate) fn cpus() -> &'static [Cpu] {
    static CPUS: OnceLock<Vec<Cpu>> = OnceLock::new();
    CPUS.get_or_init(|| {
        let all = [Simd::Portable, Simd::Avx2, Simd::Avx512];
        all.iter().filter_map(|&simd| cpu(simd, 2)).collect()
    })
}

/// A CPU, if the machine has these instructions.
pub(crate) fn cpu(simd: Simd, threads: usize) -> Option<Cpu> {
    Cpu::new(CpuOptions { threads: NonZeroUsize::new(threads), simd }).ok()
}

/// Pseudo-random numbers between −1 and 1.
pub(crate) fn numbers(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1_u32 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// A matrix of [`numbers`].
pub(crate) fn matrix(cpu: &Cpu, seed: u64, rows: usize, columns: usize) -> Tensor {
    cpu.upload(&numbers(seed, rows * columns), columns).unwrap()
}

/// The bits of every value, to compare results exactly.
pub(crate) fn bits(cpu: &Cpu, tensor: &Tensor) -> Vec<u32> {
    let values = cpu.download(tensor).unwrap();
    values.iter().map(|value| value.to_bits()).collect()
}
