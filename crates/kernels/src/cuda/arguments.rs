//! The arguments of the kernels, byte for byte as in `cuda/*.cuh`.

use super::device::Address;

/// No address.
pub(super) const NONE: Address = 0;

/// A matrix without gaps between its rows.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Matrix {
    pub(super) data: Address,
    pub(super) columns: i32,
    pub(super) half: i32,
}

impl Matrix {
    pub(super) const NONE: Self = Self { data: NONE, columns: 0, half: 0 };
}

/// What becomes of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(super) enum Mode {
    Store = 0,
    GeluTanh = 1,
    GeluErf = 2,
    Plus = 3,
    Residual = 4,
    ScaledResidual = 5,
    GatedResidual = 6,
    Mish = 7,
    MishResidual = 8,
}

#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Finish {
    pub(super) bias: Address,
    pub(super) row_item: Address,
    pub(super) out: Matrix,
    pub(super) operand: Matrix,
    pub(super) operand_column: i32,
    pub(super) mode: Mode,
}

impl Finish {
    /// Stores a result as it is.
    pub(super) const fn store(out: Matrix) -> Self {
        Self {
            bias: NONE,
            row_item: NONE,
            out,
            operand: Matrix::NONE,
            operand_column: 0,
            mode: Mode::Store,
        }
    }
}

#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Gemm {
    pub(super) a: Address,
    pub(super) weight: Address,
    pub(super) row_item: Address,
    pub(super) finish: Finish,
    pub(super) a_group: i64,
    pub(super) a_stride: i32,
    pub(super) rows: i32,
    pub(super) columns: i32,
    pub(super) depth: i32,
    pub(super) gap: i32,
    pub(super) padding: i32,
}

#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Combine {
    pub(super) product: Matrix,
    pub(super) finish: Finish,
    pub(super) rows: i32,
    pub(super) padding: i32,
}

#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Heads {
    pub(super) qkv: Matrix,
    pub(super) query: Address,
    pub(super) key: Address,
    pub(super) value: Address,
    pub(super) rotary: Address,
    pub(super) query_norm: Address,
    pub(super) key_norm: Address,
    pub(super) row_item: Address,
    pub(super) starts: Address,
    pub(super) rows: i32,
    pub(super) heads: i32,
    pub(super) head_dim: i32,
    pub(super) padded_dim: i32,
    pub(super) rotated_heads: i32,
    pub(super) padding: i32,
}

#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Attention {
    pub(super) query: Address,
    pub(super) key: Address,
    pub(super) value: Address,
    pub(super) tiles: Address,
    pub(super) out: Matrix,
    pub(super) query_stride: i32,
    pub(super) key_stride: i32,
    pub(super) value_stride: i32,
    pub(super) head_dim: i32,
    pub(super) scale: f32,
    pub(super) padding: i32,
}

#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Normalise {
    pub(super) x: Matrix,
    pub(super) out: Matrix,
    pub(super) scale: Matrix,
    pub(super) shift: Matrix,
    pub(super) row_item: Address,
    pub(super) scale_column: i32,
    pub(super) shift_column: i32,
    pub(super) rows: i32,
    pub(super) base: f32,
}

#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct ColumnNorms {
    pub(super) x: Matrix,
    pub(super) starts: Address,
    pub(super) norms: Address,
}

#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct ResponseFactors {
    pub(super) norms: Address,
    pub(super) gamma: Matrix,
}

#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Response {
    pub(super) x: Matrix,
    pub(super) factors: Address,
    pub(super) beta: Matrix,
    pub(super) row_item: Address,
    pub(super) rows: i32,
    pub(super) padding: i32,
}

#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Spread {
    pub(super) x: Matrix,
    pub(super) out: Address,
    pub(super) starts: Address,
    pub(super) items: i32,
    pub(super) rows: i32,
    pub(super) channels: i32,
    pub(super) padded_channels: i32,
    pub(super) gap: i32,
    pub(super) padding: i32,
}

#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Depthwise {
    pub(super) x: Matrix,
    pub(super) taps: Address,
    pub(super) finish: Finish,
    pub(super) row_item: Address,
    pub(super) starts: Address,
    pub(super) rows: i32,
    pub(super) kernel: i32,
}

#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct ConvWeights {
    pub(super) weight: Address,
    pub(super) out: Address,
    pub(super) channels: i32,
    pub(super) padded_channels: i32,
    pub(super) kernel: i32,
    pub(super) padding: i32,
}

#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Convert {
    pub(super) x: Matrix,
    pub(super) out: Matrix,
    pub(super) rows: i32,
    pub(super) padding: i32,
}

#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Advance {
    pub(super) state: Matrix,
    pub(super) conditional: Matrix,
    pub(super) unconditional: Matrix,
    pub(super) out: Matrix,
    pub(super) rows: i32,
    pub(super) guidance: f32,
    pub(super) step: f32,
    pub(super) padding: i32,
}

#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Finite {
    pub(super) x: Matrix,
    pub(super) broken: Address,
    pub(super) rows: i32,
    pub(super) padding: i32,
}

#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Frames {
    pub(super) head: Matrix,
    pub(super) window: Address,
    pub(super) circle: Address,
    pub(super) frames: Address,
    pub(super) n_fft: i32,
    pub(super) padding: i32,
}

#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Overlap {
    pub(super) frames: Address,
    pub(super) window: Address,
    pub(super) wave: Address,
    pub(super) count: i32,
    pub(super) n_fft: i32,
    pub(super) hop: i32,
    pub(super) cut: i32,
    pub(super) samples: i32,
    pub(super) padding: i32,
}
