//! Attention without a matrix of rows by rows.

use super::{
    Cuda,
    arguments::{self, Heads, NONE},
    device::int,
    launch::{Kernel, Launch},
    pool::Block,
    tensor::{Precision, Tensor},
};
use crate::{Attention, Result, check::Check, operands};

/// [`crate::Backend::attention`]
pub(super) fn attention(
    cuda: &Cuda,
    qkv: &Tensor,
    attention: Attention<'_, Tensor>,
    out: &mut Tensor,
) -> Result<()> {
    operands::attention(qkv, attention, out)?;
    let Attention { items, heads, head_dim, .. } = attention;
    if qkv.rows() == 0 || heads == 0 {
        return Ok(());
    }
    let (kernel, padded) = kernel(head_dim)?;
    let rows = cuda.rows(items)?;
    let parts = prepared(cuda, qkv, attention, padded)?;
    let width = int(heads * padded)?;
    let (value, value_stride) = match &parts.value {
        Some(value) => (value.address(), width),
        None => (qkv.row_address(0) + 2 * qkv.row_bytes() as u64 / 3, int(qkv.columns())?),
    };
    let arguments = arguments::Attention {
        query: parts.query.address(),
        key: parts.key.address(),
        value,
        tiles: rows.tiles(),
        out: out.matrix()?,
        query_stride: width,
        key_stride: width,
        value_stride,
        head_dim: int(head_dim)?,
        scale: std::f32::consts::LOG2_E / (head_dim as f32).sqrt(),
        padding: 0,
    };
    cuda.launch(&Launch::new(kernel, [heads, rows.tile_count(), 1], &arguments))
}

/// The kernel for heads of this width, and the width to which it wants them padded.
fn kernel(head_dim: usize) -> Result<(Kernel, usize)> {
    match head_dim {
        0..=64 => Ok((Kernel::Attention64, 64)),
        65..=128 => Ok((Kernel::Attention128, 128)),
        _ => {
            Err(Check("attention")
                .error("a head_dim of at most 128".to_owned(), head_dim.to_string()))
        }
    }
}

/// Queries, keys and values as the kernel reads them: (rows, heads · padded width) in half precision.
struct Parts {
    query: Block,
    key: Block,
    /// `None` if they lie in the input like that.
    value: Option<Block>,
}

fn prepared(
    cuda: &Cuda,
    qkv: &Tensor,
    attention: Attention<'_, Tensor>,
    padded: usize,
) -> Result<Parts> {
    /// Heads of a block.
    const HEADS: usize = 8;

    let Attention { items, heads, head_dim, .. } = attention;
    let rows = cuda.rows(items)?;
    let tasks = qkv.rows().checked_mul(heads);
    let halves = tasks.and_then(|tasks| tasks.checked_mul(padded));
    let part = || cuda.scratch(halves.and_then(|halves| halves.checked_mul(2)));
    let as_it_is = qkv.precision() == Precision::Half && head_dim == padded;
    let parts = Parts {
        query: part()?,
        key: part()?,
        value: (!as_it_is).then(part).transpose()?,
    };
    let address = |tensor: Option<&Tensor>| tensor.map_or(NONE, |tensor| tensor.row_address(0));
    let norm = attention.query_key_norm;
    let arguments = Heads {
        qkv: qkv.matrix()?,
        query: parts.query.address(),
        key: parts.key.address(),
        value: parts.value.as_ref().map_or(NONE, Block::address),
        rotary: attention.rotary.row_address(0),
        query_norm: address(norm.map(|norm| norm.0)),
        key_norm: address(norm.map(|norm| norm.1)),
        row_item: rows.row_item(),
        starts: rows.starts(),
        rows: int(qkv.rows())?,
        heads: int(heads)?,
        head_dim: int(head_dim)?,
        padded_dim: int(padded)?,
        rotated_heads: int(attention.rotated_heads.min(heads))?,
        padding: 0,
    };
    // Kernels count tasks in `i32`.
    let tasks = tasks.unwrap_or(usize::MAX);
    int(tasks)?;
    cuda.launch(&Launch::new(Kernel::Heads, [tasks.div_ceil(HEADS), 1, 1], &arguments))?;
    Ok(parts)
}
