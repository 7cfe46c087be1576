//! What every operation wants of its operands, on any device.

use std::ops::Range;

use crate::{
    Advance, Attention, ConvShape, ConvTail, Epilogue, Istft, Items, LinearInput, Result,
    check::{Check, Shaped},
};

/// Checks the weights of a linear layer; returns its outputs.
pub(crate) fn linear_weights(weight: &[f32], bias: Option<&[f32]>, inputs: usize) -> Result<usize> {
    let check = Check("load_linear");
    let outputs = weight.len().checked_div(inputs).unwrap_or_default();
    check.equal("weights", weight.len(), outputs * inputs)?;
    if let Some(bias) = bias {
        check.equal("a bias of", bias.len(), outputs)?;
    }
    Ok(outputs)
}

/// Checks the operands of a linear layer of `(outputs, inputs)`.
pub(crate) fn linear<T: Shaped>(
    input: LinearInput<'_, T>,
    (outputs, inputs): (usize, usize),
    epilogue: Epilogue<'_, T>,
    out: &T,
) -> Result<()> {
    let check = Check("linear");
    let (LinearInput::Plain(x) | LinearInput::Modulated(x, _)) = input;
    check.shape("an output", out, (x.shape().0, outputs))?;
    check.equal("input columns", x.shape().1, inputs)?;
    if let LinearInput::Modulated(_, modulation) = input {
        check.items(modulation.items, x)?;
        let columns = modulation
            .scale
            .max(modulation.shift)
            .saturating_add(inputs);
        check.table(modulation.table, modulation.items, columns)?;
    }
    match epilogue {
        Epilogue::Store(_) | Epilogue::Residual => Ok(()),
        Epilogue::Plus(other) => check.shape("an addend", other, out.shape()),
        Epilogue::ScaledResidual(scale) => check.shape("a scale", scale, (1, outputs)),
        Epilogue::GatedResidual { table, items, gate } => {
            check.items(items, out)?;
            check.table(table, items, gate.saturating_add(outputs))
        }
    }
}

/// Checks the weights of a convolution.
pub(crate) fn conv_weights(weight: &[f32], bias: &[f32], shape: ConvShape) -> Result<()> {
    let check = Check("load_conv");
    let ConvShape { inputs, outputs, kernel, groups } = shape;
    let divisible = |channels: usize| channels > 0 && channels.checked_rem(groups) == Some(0);
    if !(divisible(inputs) && divisible(outputs) && kernel % 2 == 1) {
        let expected = "an odd kernel and groups that divide the channels".to_owned();
        return Err(check.error(expected, format!("{shape:?}")));
    }
    let weights = outputs
        .checked_mul(inputs / groups)
        .and_then(|weights| weights.checked_mul(kernel));
    check.equal("weights", Some(weight.len()), weights)?;
    check.equal("a bias of", bias.len(), outputs)
}

/// Turns (channels, taps) into (taps, channels).
pub(crate) fn taps_first(weight: &[f32], taps: usize) -> Vec<f32> {
    let tap = |tap| weight.iter().skip(tap).step_by(taps).copied();
    (0..taps).flat_map(tap).collect()
}

/// The operands of a convolution besides its weights.
#[derive(Debug)]
pub(crate) struct ConvOperands<'a, T> {
    pub(crate) input: &'a T,
    pub(crate) items: &'a Items,
    pub(crate) tail: ConvTail,
    pub(crate) out: &'a mut T,
}

impl<T: Shaped> ConvOperands<'_, T> {
    pub(crate) fn check(&self, shape: ConvShape) -> Result<()> {
        let (check, (rows, columns)) = (Check("conv"), self.input.shape());
        check.equal("input columns", columns, shape.inputs)?;
        check.items(self.items, self.input)?;
        check.shape("an output", self.out, (rows, shape.outputs))
    }
}

/// [`crate::Backend::attention`]
pub(crate) fn attention<T: Shaped>(qkv: &T, attention: Attention<'_, T>, out: &T) -> Result<()> {
    let check = Check("attention");
    let Attention {
        items,
        heads,
        head_dim,
        rotary,
        rotated_heads,
        query_key_norm,
    } = attention;
    let width = heads
        .checked_mul(head_dim)
        .filter(|_| head_dim > 0 && head_dim % 2 == 0);
    let Some(width) = width else {
        return Err(check.error("an even head_dim".to_owned(), head_dim.to_string()));
    };
    let (rows, columns) = qkv.shape();
    check.items(items, qkv)?;
    check.equal("qkv columns", Some(columns), width.checked_mul(3))?;
    check.shape("an output", out, (rows, width))?;
    if rotated_heads > 0 {
        let positions = items
            .iter()
            .map(|item| item.len())
            .max()
            .unwrap_or_default();
        check.equal("rotary columns", rotary.shape().1, head_dim)?;
        check.at_least("rotary rows", rotary.shape().0, positions)?;
    }
    if let Some((query, key)) = query_key_norm {
        check.shape("a query norm", query, (1, head_dim))?;
        check.shape("a key norm", key, (1, head_dim))?;
    }
    Ok(())
}

/// [`crate::Backend::layer_norm`]
pub(crate) fn layer_norm<T: Shaped>(input: &T, weight: &T, bias: &T, out: &T) -> Result<()> {
    let (check, (_, columns)) = (Check("layer_norm"), input.shape());
    check.shape("a weight", weight, (1, columns))?;
    check.shape("a bias", bias, (1, columns))?;
    check.shape("an output", out, input.shape())
}

/// [`crate::Backend::global_response_norm`]
pub(crate) fn global_response_norm<T: Shaped>(
    x: &T,
    items: &Items,
    gamma: &T,
    beta: &T,
) -> Result<()> {
    let (check, (_, columns)) = (Check("global_response_norm"), x.shape());
    check.items(items, x)?;
    check.shape("a gamma", gamma, (1, columns))?;
    check.shape("a beta", beta, (1, columns))
}

/// [`crate::Backend::copy_rows`]
pub(crate) fn copy_rows<T: Shaped>(
    input: &T,
    from: &Range<usize>,
    to: usize,
    out: &T,
) -> Result<()> {
    let check = Check("copy_rows");
    check.equal("output columns", out.shape().1, input.shape().1)?;
    check.rows(from, input)?;
    check.rows(&(to..to.saturating_add(from.len())), out)
}

/// [`crate::Backend::advance`]
pub(crate) fn advance<T: Shaped>(
    state: &T,
    velocity: &T,
    advances: &[Advance],
    out: &T,
) -> Result<()> {
    let (check, (_, columns)) = (Check("advance"), state.shape());
    check.equal("velocity columns", velocity.shape().1, columns)?;
    check.shape("an output", out, state.shape())?;
    for advance in advances {
        check.rows(&advance.state, state)?;
        for first in [Some(advance.conditional), advance.unconditional]
            .into_iter()
            .flatten()
        {
            check.rows(&(first..first.saturating_add(advance.state.len())), velocity)?;
        }
    }
    Ok(())
}

/// [`crate::Backend::istft`]
pub(crate) fn istft<T: Shaped>(
    head: &T,
    items: &Items,
    window: &[f32],
    istft: Istft,
) -> Result<()> {
    let (check, n_fft) = (Check("istft"), istft.n_fft);
    check.at_least("a transform length", n_fft, 2)?;
    check.at_least("a hop length", istft.hop_length, 1)?;
    check.at_least("a transform length", n_fft, istft.hop_length)?;
    check.equal("a window of", window.len(), n_fft)?;
    check.items(items, head)?;
    check.equal("head columns", head.shape().1, 2 * (n_fft / 2 + 1))
}
