//! Which kernel runs, and in how many blocks.

use std::marker::PhantomData;

use super::arguments;

/// A kernel in `cuda/*.cuh`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kernel {
    GemmLarge,
    GemmSmall,
    Combine,
    Heads,
    Attention64,
    Attention128,
    Normalise,
    ColumnNorms,
    ResponseFactors,
    ApplyResponse,
    Spread,
    Depthwise,
    ConvWeights,
    Convert,
    Advance,
    FindBroken,
    Frames,
    Overlap,
}

impl Kernel {
    #[cfg(feature = "cuda")]
    pub(super) const ALL: [Self; 18] = [
        Self::GemmLarge,
        Self::GemmSmall,
        Self::Combine,
        Self::Heads,
        Self::Attention64,
        Self::Attention128,
        Self::Normalise,
        Self::ColumnNorms,
        Self::ResponseFactors,
        Self::ApplyResponse,
        Self::Spread,
        Self::Depthwise,
        Self::ConvWeights,
        Self::Convert,
        Self::Advance,
        Self::FindBroken,
        Self::Frames,
        Self::Overlap,
    ];

    /// Its name in the module.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::GemmLarge => "gemm_large",
            Self::GemmSmall => "gemm_small",
            Self::Combine => "combine",
            Self::Heads => "heads",
            Self::Attention64 => "attention_64",
            Self::Attention128 => "attention_128",
            Self::Normalise => "normalise",
            Self::ColumnNorms => "column_norms",
            Self::ResponseFactors => "response_factors",
            Self::ApplyResponse => "apply_response",
            Self::Spread => "spread",
            Self::Depthwise => "depthwise",
            Self::ConvWeights => "conv_weights",
            Self::Convert => "convert",
            Self::Advance => "advance",
            Self::FindBroken => "find_broken",
            Self::Frames => "frames",
            Self::Overlap => "overlap",
        }
    }

    /// Threads of a block.
    pub(super) const fn threads(self) -> u32 {
        match self {
            Self::ResponseFactors => 32,
            Self::Spread => 64,
            Self::GemmSmall
            | Self::Attention64
            | Self::Attention128
            | Self::Depthwise
            | Self::Advance
            | Self::FindBroken => 128,
            Self::GemmLarge
            | Self::Combine
            | Self::Heads
            | Self::Normalise
            | Self::ColumnNorms
            | Self::ApplyResponse
            | Self::ConvWeights
            | Self::Convert
            | Self::Frames
            | Self::Overlap => 256,
        }
    }

    /// Shared memory of a block in bytes, but for [`Self::Frames`], where it depends on the transform.
    pub(super) const fn shared_bytes(self) -> u32 {
        match self {
            Self::GemmLarge => 61_440,
            Self::GemmSmall => 30_720,
            Self::Attention64 => 46_080,
            Self::Attention128 => 87_040,
            Self::ColumnNorms => 1024,
            Self::Combine
            | Self::Heads
            | Self::Normalise
            | Self::ResponseFactors
            | Self::ApplyResponse
            | Self::Spread
            | Self::Depthwise
            | Self::ConvWeights
            | Self::Convert
            | Self::Advance
            | Self::FindBroken
            | Self::Frames
            | Self::Overlap => 0,
        }
    }
}

/// A kernel with its arguments.
#[derive(Clone, Copy, Debug)]
pub(super) struct Launch<'a> {
    pub(super) kernel: Kernel,
    /// Blocks in x, y and z.
    pub(super) grid: [u32; 3],
    pub(super) shared_bytes: u32,
    /// The only argument, a structure that is valid as long as this.
    pub(super) arguments: *const u8,
    #[cfg_attr(
        not(feature = "cuda-emulation"),
        expect(dead_code, reason = "the driver knows it from the kernel")
    )]
    pub(super) argument_bytes: usize,
    lifetime: PhantomData<&'a u8>,
}

/// The arguments of some kernel, of C's layout.
pub(super) trait Arguments: Copy {}

impl Arguments for arguments::Gemm {}
impl Arguments for arguments::Combine {}
impl Arguments for arguments::Heads {}
impl Arguments for arguments::Attention {}
impl Arguments for arguments::Normalise {}
impl Arguments for arguments::ColumnNorms {}
impl Arguments for arguments::ResponseFactors {}
impl Arguments for arguments::Response {}
impl Arguments for arguments::Spread {}
impl Arguments for arguments::Depthwise {}
impl Arguments for arguments::ConvWeights {}
impl Arguments for arguments::Convert {}
impl Arguments for arguments::Advance {}
impl Arguments for arguments::Finite {}
impl Arguments for arguments::Frames {}
impl Arguments for arguments::Overlap {}

impl<'a> Launch<'a> {
    /// `blocks` in x, y and z. More than a grid can have become a number that every device refuses.
    pub(super) fn new<A: Arguments>(kernel: Kernel, blocks: [usize; 3], arguments: &'a A) -> Self {
        Self {
            kernel,
            grid: blocks.map(|blocks| u32::try_from(blocks).unwrap_or(u32::MAX)),
            shared_bytes: kernel.shared_bytes(),
            arguments: std::ptr::from_ref(arguments).cast(),
            argument_bytes: size_of::<A>(),
            lifetime: PhantomData,
        }
    }

    /// One block a row and [`Kernel::threads`] columns.
    pub(super) fn cells<A: Arguments>(
        kernel: Kernel,
        rows: usize,
        columns: usize,
        arguments: &'a A,
    ) -> Self {
        let threads = kernel.threads() as usize;
        Self::new(kernel, [rows, columns.div_ceil(threads), 1], arguments)
    }

    pub(super) fn with_shared_bytes(self, shared_bytes: usize) -> Self {
        let shared_bytes = u32::try_from(shared_bytes).unwrap_or(u32::MAX);
        Self { shared_bytes, ..self }
    }

    /// Whether there is nothing to do; a grid without blocks is an error to CUDA.
    pub(super) fn is_empty(&self) -> bool {
        self.grid.contains(&0)
    }
}
