use std::{fmt, ops::Range};

use crate::Items;

/// What can go wrong in an operation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Two operands do not fit; a mistake of the caller.
    #[error("{operation}: expected {expected}, got {actual}")]
    Shape {
        /// The operation that refused.
        operation: &'static str,
        /// The shape it wants.
        expected: String,
        /// The shape it was given.
        actual: String,
    },
    /// There is not enough memory.
    #[error("could not allocate {bytes} bytes")]
    Memory {
        /// The number asked for.
        bytes: usize,
        /// Why.
        source: std::io::Error,
    },
    /// There is no such device, or it cannot be used.
    #[error("no CUDA device can be used: {reason}")]
    NoDevice {
        /// Why.
        reason: String,
    },
    /// The device failed.
    #[error("the CUDA device failed at {operation}: {reason}")]
    Device {
        /// What it was asked to do.
        operation: String,
        /// The driver's words.
        reason: String,
    },
    /// The processor lacks the instructions asked for.
    #[error("this processor has no {instructions}")]
    Instructions {
        /// The name of the instruction set.
        instructions: &'static str,
    },
    /// The thread pool could not be started.
    #[error("could not start {threads} worker threads")]
    Threads {
        /// The number asked for.
        threads: usize,
        /// Why.
        source: rayon::ThreadPoolBuildError,
    },
}

/// The result of an operation.
pub type Result<T> = std::result::Result<T, Error>;

/// AdaLN's scale and shift: columns of `table` (items, columns), one row an item.
#[derive(Debug)]
pub struct Modulation<'a, T> {
    /// One row of modulations an item.
    pub table: &'a T,
    /// The items whose rows are modulated.
    pub items: &'a Items,
    /// The first column of the scale.
    pub scale: usize,
    /// The first column of the shift.
    pub shift: usize,
}

/// The left operand of [`Backend::linear`].
#[derive(Debug)]
pub enum LinearInput<'a, T> {
    /// The rows as they are.
    Plain(&'a T),
    /// `layer_norm(x) · (1 + scale) + shift`, without affine weights, eps 1e-6.
    Modulated(&'a T, Modulation<'a, T>),
}

/// An element-wise function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// The identity.
    None,
    /// GELU by the tanh approximation, as in the transformer's feed-forward.
    GeluTanh,
    /// Exact GELU by the error function, as in the ConvNeXt blocks.
    GeluErf,
}

/// What becomes of the product `y = x·Wᵀ + b`.
#[derive(Debug)]
pub enum Epilogue<'a, T> {
    /// `out = f(y)`
    Store(Activation),
    /// `out = y + other`
    Plus(&'a T),
    /// `out += y`
    Residual,
    /// `out += scale ⊙ y`, with one scale a column: a matrix of one row.
    ScaledResidual(&'a T),
    /// `out += gate ⊙ y`, with one gate an item and column.
    GatedResidual {
        /// One row of gates an item.
        table: &'a T,
        /// The items whose rows are gated.
        items: &'a Items,
        /// The first column of the gates in `table`.
        gate: usize,
    },
}

/// The sizes of a convolution over time with an odd kernel, stride 1 and "same" zero padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// Input channels of all groups together.
    pub inputs: usize,
    /// Output channels of all groups together.
    pub outputs: usize,
    /// Taps.
    pub kernel: usize,
    /// Groups.
    pub groups: usize,
}

/// What becomes of a convolution's result `y`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConvTail {
    /// `out = y`
    Store,
    /// `out = mish(y)`
    Mish,
    /// `out += mish(y)`
    MishResidual,
}

/// Attention over fused rows `q ‖ k ‖ v`, each `heads · head_dim` wide.
#[derive(Debug)]
pub struct Attention<'a, T> {
    /// The items: a row attends to all rows of its own item, and to no others.
    pub items: &'a Items,
    /// The number of heads.
    pub heads: usize,
    /// Columns of one head; even.
    pub head_dim: usize,
    /// Rotary angles as (positions, `head_dim`): `cos θ₀, sin θ₀, cos θ₁, sin θ₁, …`. Row `n` of an item
    /// takes row `n` of the table; the pairs rotated are adjacent columns.
    pub rotary: &'a T,
    /// How many heads, from the first, are rotated.
    pub rotated_heads: usize,
    /// RMS norm weights (1, `head_dim`) of queries and keys, applied before the rotation, eps 1e-6.
    pub query_key_norm: Option<(&'a T, &'a T)>,
}

/// One request's part in [`Backend::advance`].
#[derive(Clone, Debug, PartialEq)]
pub struct Advance {
    /// Its rows in the state.
    pub state: Range<usize>,
    /// The first row of its conditional velocity.
    pub conditional: usize,
    /// The first row of its unconditional velocity; `None` without guidance.
    pub unconditional: Option<usize>,
    /// The guidance strength `s` of `v = v_c + (v_c − v_u)·s`.
    pub guidance: f32,
    /// The step in time.
    pub step: f32,
}

/// How [`Backend::istft`] treats the edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IstftPadding {
    /// Half a window is cut from either side: `(frames − 1) · hop` samples.
    Center,
    /// Half of window minus hop is cut from either side: `frames · hop` samples.
    Same,
}

/// The sizes of an inverse short-time Fourier transform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Istft {
    /// The transform and window length.
    pub n_fft: usize,
    /// Samples from one frame to the next.
    pub hop_length: usize,
    /// The treatment of the edges.
    pub padding: IstftPadding,
}

impl Istft {
    /// Samples cut off at the begin.
    pub(crate) fn cut(self) -> usize {
        match self.padding {
            IstftPadding::Center => self.n_fft / 2,
            IstftPadding::Same => (self.n_fft - self.hop_length) / 2,
        }
    }

    /// The samples of some frames.
    pub(crate) fn samples(self, frames: usize) -> usize {
        let hops = match self.padding {
            IstftPadding::Center => frames.saturating_sub(1),
            IstftPadding::Same => frames,
        };
        hops * self.hop_length
    }
}

/// Makes types copyable that only hold references to tensors; deriving would ask it of the tensors too.
macro_rules! copyable {
    ($($name:ident),*) => {$(
        impl<T> Clone for $name<'_, T> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<T> Copy for $name<'_, T> {}
    )*};
}

copyable!(Modulation, LinearInput, Epilogue, Attention);

/// A device that computes the network's operations.
///
/// Every operation writes to matrices that the caller owns, checks the shapes it is given, and works
/// item by item: no result depends on what else is in the batch.
pub trait Backend: fmt::Debug + Send + Sync + 'static {
    /// A matrix on the device: of `f32`, but for [`Self::activations`].
    type Tensor: fmt::Debug + Send + Sync;
    /// The weights of a linear layer, in the device's own layout.
    type Linear: fmt::Debug + Send + Sync;
    /// The weights of a convolution, in the device's own layout.
    type Conv: fmt::Debug + Send + Sync;
    /// Operations that the device can repeat without being told each of them again.
    type Recording: Default + fmt::Debug + Send + Sync;

    /// The device, for people: `cpu (avx2, 2 threads)`.
    fn describe(&self) -> String;

    /// Calls several operations in a row from where the device starts them best.
    fn run<R: Send>(&self, operations: impl FnOnce() -> R + Send) -> R {
        operations()
    }

    /// Does operations that are the same at every call with this `recording`: on the same matrices and
    /// weights, of the same shapes, with the same numbers. They may be called more than once, or not at all
    /// where what they did before is repeated.
    fn repeat<E: From<Error> + Send>(
        &self,
        recording: &mut Self::Recording,
        operations: &mut (dyn FnMut() -> std::result::Result<(), E> + Send),
    ) -> std::result::Result<(), E> {
        let _ = recording;
        self.run(operations)
    }

    /// A matrix for what one operation writes and the next multiplies, in the precision in which the device
    /// multiplies.
    fn activations(&self, rows: usize, columns: usize) -> Result<Self::Tensor> {
        self.zeros(rows, columns)
    }

    /// A matrix of zeros.
    fn zeros(&self, rows: usize, columns: usize) -> Result<Self::Tensor>;

    /// Copies a row-major matrix to the device.
    fn upload(&self, values: &[f32], columns: usize) -> Result<Self::Tensor>;

    /// Copies a matrix back, row-major.
    fn download(&self, tensor: &Self::Tensor) -> Result<Vec<f32>>;

    /// Rows and columns of a matrix.
    fn shape(&self, tensor: &Self::Tensor) -> (usize, usize);

    /// Prepares a linear layer from `weight` (outputs, inputs) and an optional `bias` (outputs).
    fn load_linear(
        &self,
        weight: &[f32],
        bias: Option<&[f32]>,
        inputs: usize,
    ) -> Result<Self::Linear>;

    /// Prepares a convolution from `weight` (outputs, inputs / groups, kernel) and `bias` (outputs).
    fn load_conv(&self, weight: &[f32], bias: &[f32], shape: ConvShape) -> Result<Self::Conv>;

    /// A linear layer with what comes before and after it.
    fn linear(
        &self,
        input: LinearInput<'_, Self::Tensor>,
        weights: &Self::Linear,
        epilogue: Epilogue<'_, Self::Tensor>,
        out: &mut Self::Tensor,
    ) -> Result<()>;

    /// A convolution over the rows of each item, zero beyond its ends.
    #[expect(clippy::too_many_arguments, reason = "five, and the device")]
    fn conv(
        &self,
        input: &Self::Tensor,
        items: &Items,
        weights: &Self::Conv,
        tail: ConvTail,
        out: &mut Self::Tensor,
    ) -> Result<()>;

    /// Layer norm over columns, eps 1e-6, with affine `weight` and `bias` of one row each.
    fn layer_norm(
        &self,
        input: &Self::Tensor,
        weight: &Self::Tensor,
        bias: &Self::Tensor,
        out: &mut Self::Tensor,
    ) -> Result<()>;

    /// Global response normalisation in place: `x ← γ·(x·N) + β + x`, where `N` is a column's 2-norm over
    /// the rows of the item divided by (the mean of those norms over columns + 1e-6).
    fn global_response_norm(
        &self,
        x: &mut Self::Tensor,
        items: &Items,
        gamma: &Self::Tensor,
        beta: &Self::Tensor,
    ) -> Result<()>;

    /// Softmax attention with scale `1/√head_dim`. `qkv` is (rows, `3·heads·head_dim`),
    /// `out` (rows, `heads·head_dim`).
    fn attention(
        &self,
        qkv: &Self::Tensor,
        attention: Attention<'_, Self::Tensor>,
        out: &mut Self::Tensor,
    ) -> Result<()>;

    /// Copies whole rows: `out[to..to + from.len()] = input[from]`.
    fn copy_rows(
        &self,
        input: &Self::Tensor,
        from: Range<usize>,
        to: usize,
        out: &mut Self::Tensor,
    ) -> Result<()>;

    /// Sets rows to zero.
    fn zero_rows(&self, rows: Range<usize>, out: &mut Self::Tensor) -> Result<()>;

    /// `out = state + step · v` on the rows of every [`Advance`], `v` being the guided velocity.
    fn advance(
        &self,
        state: &Self::Tensor,
        velocity: &Self::Tensor,
        advances: &[Advance],
        out: &mut Self::Tensor,
    ) -> Result<()>;

    /// The wave of each item of a Vocos head: rows of `n_fft / 2 + 1` log-magnitudes, then as many phases.
    ///
    /// Magnitudes are `min(exp(m), 100)`; the synthesis `window` is `n_fft` long; the overlapped sum
    /// is divided by the sum of squared windows. An item of fewer than two frames gives no samples with
    /// [`IstftPadding::Center`].
    fn istft(
        &self,
        head: &Self::Tensor,
        items: &Items,
        window: &[f32],
        istft: Istft,
    ) -> Result<Vec<Vec<f32>>>;

    /// Whether no value is infinite or not a number.
    fn is_finite(&self, tensor: &Self::Tensor) -> Result<bool>;

    /// Small dense layers outside the hot path, on host memory: `out[m] = W·inputs[m] + b` for each of
    /// the rows of `inputs`. `weight` is (outputs, inputs), as it lies in the file.
    fn project(&self, weight: &[f32], bias: &[f32], inputs: &[f32], out: &mut [f32]) -> Result<()>;
}
