//! The CPU backend.
//!
//! ```
//! use std::num::NonZeroUsize;
//!
//! use f5tts_kernels::{Backend, Cpu, cpu::CpuOptions};
//!
//! let threads = NonZeroUsize::new(2);
//! let cpu = Cpu::new(CpuOptions { threads, ..CpuOptions::default() })?;
//! let ones = cpu.upload(&[1.0; 6], 3)?;
//! assert_eq!(cpu.shape(&ones), (2, 3));
//! # Ok::<(), f5tts_kernels::Error>(())
//! ```

mod attention;
mod buffer;
mod conv;
mod elementwise;
mod gemm;
mod istft;
mod linear;
mod math;
mod norm;
mod panels;
mod product;
mod project;
mod scratch;
mod shared;
mod simd;
mod tensor;

use std::{num::NonZeroUsize, ops::Range, thread};

use rayon::prelude::*;

pub use self::{conv::Conv, linear::Linear, tensor::Tensor};
use self::{scratch::Scratch, simd::Level};
use crate::{
    Advance, Attention, Backend, ConvShape, ConvTail, Epilogue, Error, Istft, Items, LinearInput,
    Result, check, operands::ConvOperands,
};

/// How a [`Cpu`] computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuOptions {
    /// Worker threads; `None` for as many as the process may use processors.
    pub threads: Option<NonZeroUsize>,
    /// The instructions used.
    pub simd: Simd,
}

/// Which vector instructions a [`Cpu`] uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Simd {
    /// The widest that the processor has.
    #[default]
    Auto,
    /// None but what every processor of this kind has.
    Portable,
    /// AVX2 and FMA, as on most x86-64 processors since 2013.
    Avx2,
    /// AVX-512 F.
    Avx512,
}

/// The CPU: threads of its own, and the vector instructions that the processor turns out to have.
///
/// Results are the same bit for bit with any number of threads, but not with other instructions.
/// [`Linear`] and [`Conv`] can only be used with the instructions that they were loaded for.
#[derive(Debug)]
pub struct Cpu {
    level: Level,
    pool: rayon::ThreadPool,
    scratch: Scratch,
}

impl Cpu {
    /// Starts the threads.
    pub fn new(options: CpuOptions) -> Result<Self> {
        let level = Level::detect(options.simd)?;
        let threads = options
            .threads
            .or_else(|| thread::available_parallelism().ok())
            .map_or(1, NonZeroUsize::get);
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("f5tts-cpu-{index}"))
            .build()
            .map_err(|source| Error::Threads { threads, source })?;
        Ok(Self { level, pool, scratch: Scratch::default() })
    }

    /// The number of worker threads.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Calls `work` on a worker thread, from where operations start without a change of threads.
    fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.pool.install(work)
    }

    fn level(&self) -> Level {
        self.level
    }

    fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// Does tasks `0..count` on all threads.
    fn for_each_task(
        &self,
        count: usize,
        task: impl Fn(usize) -> Result<()> + Send + Sync,
    ) -> Result<()> {
        self.install(|| {
            (0..count)
                .into_par_iter()
                .with_max_len(1)
                .try_for_each(task)
        })
    }
}

impl Backend for Cpu {
    type Tensor = Tensor;
    type Linear = Linear;
    type Conv = Conv;
    type Recording = ();

    fn describe(&self) -> String {
        let threads = self.threads();
        let plural = if threads == 1 { "thread" } else { "threads" };
        format!("cpu ({}, {threads} {plural})", self.level.name())
    }

    fn run<R: Send>(&self, operations: impl FnOnce() -> R + Send) -> R {
        self.install(operations)
    }

    fn zeros(&self, rows: usize, columns: usize) -> Result<Tensor> {
        Tensor::zeros(rows, columns)
    }

    fn upload(&self, values: &[f32], columns: usize) -> Result<Tensor> {
        Tensor::copy_of(values, columns)
    }

    fn download(&self, tensor: &Tensor) -> Result<Vec<f32>> {
        Ok(tensor.values().to_vec())
    }

    fn shape(&self, tensor: &Tensor) -> (usize, usize) {
        tensor.shape()
    }

    fn load_linear(&self, weight: &[f32], bias: Option<&[f32]>, inputs: usize) -> Result<Linear> {
        linear::load(self, weight, bias, inputs)
    }

    fn load_conv(&self, weight: &[f32], bias: &[f32], shape: ConvShape) -> Result<Conv> {
        conv::load(self, weight, bias, shape)
    }

    fn linear(
        &self,
        input: LinearInput<'_, Tensor>,
        weights: &Linear,
        epilogue: Epilogue<'_, Tensor>,
        out: &mut Tensor,
    ) -> Result<()> {
        linear::linear(self, input, weights, epilogue, out)
    }

    fn conv(
        &self,
        input: &Tensor,
        items: &Items,
        weights: &Conv,
        tail: ConvTail,
        out: &mut Tensor,
    ) -> Result<()> {
        conv::conv(self, ConvOperands { input, items, tail, out }, weights)
    }

    fn layer_norm(
        &self,
        input: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        out: &mut Tensor,
    ) -> Result<()> {
        norm::layer_norm(self, input, weight, bias, out)
    }

    fn global_response_norm(
        &self,
        x: &mut Tensor,
        items: &Items,
        gamma: &Tensor,
        beta: &Tensor,
    ) -> Result<()> {
        norm::global_response_norm(self, x, items, gamma, beta)
    }

    fn attention(
        &self,
        qkv: &Tensor,
        attention: Attention<'_, Tensor>,
        out: &mut Tensor,
    ) -> Result<()> {
        attention::attention(self, qkv, attention, out)
    }

    fn copy_rows(
        &self,
        input: &Tensor,
        from: Range<usize>,
        to: usize,
        out: &mut Tensor,
    ) -> Result<()> {
        elementwise::copy_rows(input, from, to, out)
    }

    fn zero_rows(&self, rows: Range<usize>, out: &mut Tensor) -> Result<()> {
        elementwise::zero_rows(rows, out)
    }

    fn advance(
        &self,
        state: &Tensor,
        velocity: &Tensor,
        advances: &[Advance],
        out: &mut Tensor,
    ) -> Result<()> {
        elementwise::advance(state, velocity, advances, out)
    }

    fn istft(
        &self,
        head: &Tensor,
        items: &Items,
        window: &[f32],
        istft: Istft,
    ) -> Result<Vec<Vec<f32>>> {
        istft::istft(self, head, items, window, istft)
    }

    fn is_finite(&self, tensor: &Tensor) -> Result<bool> {
        Ok(elementwise::is_finite(self, tensor))
    }

    fn project(&self, weight: &[f32], bias: &[f32], inputs: &[f32], out: &mut [f32]) -> Result<()> {
        project::project(self, weight, bias, inputs, out)
    }
}
