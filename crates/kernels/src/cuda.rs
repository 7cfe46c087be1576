//! The CUDA backend: kernels of our own for NVIDIA GPUs, and cuBLASLt's products where it is installed.
//!
//! What the host does lies here once, over the trait `Device`: the GPU implements it, and so does an
//! emulation on the CPU, with which the tests run every kernel where there is no GPU.

mod arguments;
mod attention;
#[cfg(feature = "cuda")]
mod blas;
mod conv;
mod device;
mod elementwise;
#[cfg(feature = "cuda-emulation")]
mod emulated;
#[cfg(feature = "cuda")]
mod gpu;
mod istft;
mod launch;
mod linear;
mod norm;
mod pool;
mod recording;
mod rows;
mod tensor;

use std::{num::NonZeroUsize, ops::Range, sync::Arc};

#[cfg(feature = "cuda-emulation")]
pub use self::emulated::Emulation;
pub use self::{
    conv::Conv,
    linear::Linear,
    recording::Recording,
    tensor::{Precision, Tensor},
};
use self::{
    device::Device,
    launch::Launch,
    pool::{Block, Pool},
    recording::Recorder,
    rows::{Rows, RowsCache},
};
use crate::{
    Advance, Attention, Backend, ConvShape, ConvTail, Cpu, CpuOptions, Epilogue, Istft, Items,
    LinearInput, Result, operands::ConvOperands,
};

/// How a [`Cuda`] computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CudaOptions {
    /// Which of the visible devices.
    pub ordinal: usize,
    /// Threads for the little that is left to the CPU; `None` for as many as there are processors.
    pub threads: Option<NonZeroUsize>,
    /// What multiplies matrices.
    pub products: Products,
    /// Device memory that is kept for later although nobody uses it now, in bytes.
    pub idle_bytes: usize,
    /// Whether operations that repeat are recorded as CUDA graphs.
    pub recorded: bool,
    /// Whether memory is filled with what is not a number before it is written to: for tests.
    pub poisoned: bool,
}

impl Default for CudaOptions {
    fn default() -> Self {
        Self {
            ordinal: 0,
            threads: None,
            products: Products::Auto,
            idle_bytes: 512 << 20,
            recorded: true,
            poisoned: false,
        }
    }
}

/// What multiplies matrices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Products {
    /// cuBLASLt if it is installed, else the own kernel.
    #[default]
    Auto,
    /// The own kernel. Then a result does not depend on its batch, bit for bit.
    Own,
    /// cuBLASLt, or an error.
    CublasLt,
}

/// An NVIDIA GPU.
///
/// Weights and what is multiplied are in half precision, sums, norms, states and the residual stream in
/// single precision. All work goes through one stream, in the order of the calls.
#[derive(Debug)]
pub struct Cuda {
    device: Arc<dyn Device>,
    pool: Arc<Pool>,
    rows: RowsCache,
    recorder: Recorder,
    recorded: bool,
    /// For [`Backend::project`].
    cpu: Cpu,
}

impl Cuda {
    /// Opens a device.
    #[cfg(feature = "cuda")]
    pub fn new(options: CudaOptions) -> Result<Self> {
        let gpu = gpu::Gpu::open(options.ordinal, options.products)?;
        Self::over(Arc::new(gpu), options)
    }

    /// A device that a CPU emulates, thread by thread: for tests of small sizes.
    #[cfg(feature = "cuda-emulation")]
    pub fn emulated(options: CudaOptions) -> Result<Self> {
        Self::emulated_with(options, Emulation::default())
    }

    /// The same with a device that has some limit of a GPU.
    #[cfg(feature = "cuda-emulation")]
    pub fn emulated_with(options: CudaOptions, emulation: Emulation) -> Result<Self> {
        Self::over(Arc::new(emulated::Emulated::new(emulation)), options)
    }

    fn over(device: Arc<dyn Device>, options: CudaOptions) -> Result<Self> {
        let cpu = CpuOptions { threads: options.threads, ..CpuOptions::default() };
        Ok(Self {
            pool: Arc::new(Pool::new(&device, options.idle_bytes, options.poisoned)),
            device,
            rows: RowsCache::default(),
            recorder: Recorder::default(),
            recorded: options.recorded,
            cpu: Cpu::new(cpu)?,
        })
    }

    /// Bytes of device memory in use, those of recordings as well, and those kept for later.
    pub fn memory(&self) -> (usize, usize) {
        self.pool.bytes()
    }

    /// Waits until all that was asked for is done.
    pub fn synchronize(&self) -> Result<()> {
        let _guard = self.recorder.enter();
        self.device.synchronize()
    }

    /// Memory of undefined content.
    fn scratch(&self, bytes: Option<usize>) -> Result<Block> {
        self.pool.allocate(bytes.unwrap_or(usize::MAX))
    }

    /// A matrix of undefined content.
    fn matrix(&self, rows: usize, columns: usize, precision: Precision) -> Result<Tensor> {
        Tensor::new(&self.pool, rows, columns, precision)
    }

    /// A copy of host memory.
    fn uploaded<T: Plain>(&self, values: &[T]) -> Result<Block> {
        let block = self.scratch(values.len().checked_mul(size_of::<T>()))?;
        self.device.upload(bytes_of(values), block.address())?;
        Ok(block)
    }

    /// Where the items' rows lie, on the device.
    fn rows(&self, items: &Items) -> Result<Arc<Rows>> {
        let rows = self.rows.get(items, |values| self.uploaded(values))?;
        self.recorder.keep(&rows);
        Ok(rows)
    }

    fn launch(&self, launch: &Launch<'_>) -> Result<()> {
        if launch.is_empty() {
            return Ok(());
        }
        self.device.launch(launch)
    }
}

/// Values that are nothing but their bytes: every bit pattern is one, and there are no gaps.
trait Plain: Copy {}

impl Plain for f32 {}
impl Plain for i32 {}

#[expect(unsafe_code, reason = "numbers are read as bytes")]
fn bytes_of<T: Plain>(values: &[T]) -> &[u8] {
    // SAFETY: `Plain` values have no gaps, and any byte is a `u8`.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

#[expect(unsafe_code, reason = "bytes are written as numbers")]
fn bytes_of_mut<T: Plain>(values: &mut [T]) -> &mut [u8] {
    // SAFETY: as above, and any bytes are a `Plain` value.
    unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), size_of_val(values)) }
}

impl Backend for Cuda {
    type Tensor = Tensor;
    type Linear = Linear;
    type Conv = Conv;
    type Recording = Recording;

    fn describe(&self) -> String {
        self.device.describe()
    }

    fn repeat<E: From<crate::Error> + Send>(
        &self,
        recording: &mut Recording,
        operations: &mut (dyn FnMut() -> std::result::Result<(), E> + Send),
    ) -> std::result::Result<(), E> {
        recording::repeat(self, recording, operations)
    }

    fn activations(&self, rows: usize, columns: usize) -> Result<Tensor> {
        let _guard = self.recorder.enter();
        self.matrix(rows, columns, Precision::Half)?.zeroed(self)
    }

    fn zeros(&self, rows: usize, columns: usize) -> Result<Tensor> {
        let _guard = self.recorder.enter();
        self.matrix(rows, columns, Precision::Single)?.zeroed(self)
    }

    fn upload(&self, values: &[f32], columns: usize) -> Result<Tensor> {
        let _guard = self.recorder.enter();
        Tensor::upload(self, values, columns)
    }

    fn download(&self, tensor: &Tensor) -> Result<Vec<f32>> {
        let _guard = self.recorder.enter();
        tensor.download(self)
    }

    fn shape(&self, tensor: &Tensor) -> (usize, usize) {
        tensor.shape()
    }

    fn load_linear(&self, weight: &[f32], bias: Option<&[f32]>, inputs: usize) -> Result<Linear> {
        let _guard = self.recorder.enter();
        linear::load(self, weight, bias, inputs)
    }

    fn load_conv(&self, weight: &[f32], bias: &[f32], shape: ConvShape) -> Result<Conv> {
        let _guard = self.recorder.enter();
        conv::load(self, weight, bias, shape)
    }

    fn linear(
        &self,
        input: LinearInput<'_, Tensor>,
        weights: &Linear,
        epilogue: Epilogue<'_, Tensor>,
        out: &mut Tensor,
    ) -> Result<()> {
        let _guard = self.recorder.enter();
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
        let _guard = self.recorder.enter();
        conv::conv(self, ConvOperands { input, items, tail, out }, weights)
    }

    fn layer_norm(
        &self,
        input: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        out: &mut Tensor,
    ) -> Result<()> {
        let _guard = self.recorder.enter();
        norm::layer_norm(self, input, weight, bias, out)
    }

    fn global_response_norm(
        &self,
        x: &mut Tensor,
        items: &Items,
        gamma: &Tensor,
        beta: &Tensor,
    ) -> Result<()> {
        let _guard = self.recorder.enter();
        norm::global_response_norm(self, x, items, gamma, beta)
    }

    fn attention(
        &self,
        qkv: &Tensor,
        attention: Attention<'_, Tensor>,
        out: &mut Tensor,
    ) -> Result<()> {
        let _guard = self.recorder.enter();
        attention::attention(self, qkv, attention, out)
    }

    fn copy_rows(
        &self,
        input: &Tensor,
        from: Range<usize>,
        to: usize,
        out: &mut Tensor,
    ) -> Result<()> {
        let _guard = self.recorder.enter();
        elementwise::copy_rows(self, input, from, to, out)
    }

    fn zero_rows(&self, rows: Range<usize>, out: &mut Tensor) -> Result<()> {
        let _guard = self.recorder.enter();
        elementwise::zero_rows(self, rows, out)
    }

    fn advance(
        &self,
        state: &Tensor,
        velocity: &Tensor,
        advances: &[Advance],
        out: &mut Tensor,
    ) -> Result<()> {
        let _guard = self.recorder.enter();
        elementwise::advance(self, state, velocity, advances, out)
    }

    fn istft(
        &self,
        head: &Tensor,
        items: &Items,
        window: &[f32],
        istft: Istft,
    ) -> Result<Vec<Vec<f32>>> {
        let _guard = self.recorder.enter();
        istft::istft(self, head, items, window, istft)
    }

    fn is_finite(&self, tensor: &Tensor) -> Result<bool> {
        let _guard = self.recorder.enter();
        elementwise::is_finite(self, tensor)
    }

    fn project(&self, weight: &[f32], bias: &[f32], inputs: &[f32], out: &mut [f32]) -> Result<()> {
        self.cpu.project(weight, bias, inputs, out)
    }
}
