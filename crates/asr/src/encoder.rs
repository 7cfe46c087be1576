//! The encoder: a spectrogram becomes what the decoder listens to.

use f5tts_engine::{
    Stop,
    checkpoint::{Scope, Weights},
};
use f5tts_kernels::{
    Activation, Attention, Backend, ConvShape, ConvTail, Epilogue, Items, LinearInput,
};

use crate::{
    AsrError,
    config::{Config, ENCODER_POSITIONS},
    features::FRAMES,
    maths::{self, Norm},
};

/// The kernel of both convolutions; the second one takes every other frame.
const KERNEL: usize = 3;

/// Runs the encoder on a spectrogram (3000, bands); returns (1500, `d_model`).
///
/// A layer's weights are unpacked when its turn comes and dropped after it, so a model of gigabytes takes the memory of
/// one layer: this runs once a recording.
///
/// `WhisperEncoder` of transformers, `models/whisper/modeling_whisper.py`
pub(crate) fn encode<B: Backend>(
    backend: &B,
    weights: &Weights,
    config: &Config,
    mel: &[f32],
    stop: &Stop,
) -> Result<Vec<f32>, AsrError> {
    let (root, width) = (weights.scope("encoder"), config.d_model);
    let frames = convolve(backend, &root.scope("conv1"), mel, config.num_mel_bins, width)?;
    let every = convolve(backend, &root.scope("conv2"), &frames, width, width)?;
    let mut rows: Vec<f32> = every
        .chunks_exact(width)
        .step_by(2)
        .flatten()
        .copied()
        .collect();
    let positions = root.tensor("embed_positions.weight", &[ENCODER_POSITIONS, width])?;
    maths::add(&mut rows, &positions);
    let mut x = backend.upload(&rows, width)?;
    for index in 0..config.encoder_layers {
        stop.check()?;
        layer(backend, &root.scope(&format!("layers.{index}")), config, &mut x)?;
    }
    let norm = norm(&root.scope("layer_norm"), width)?;
    Ok(norm.apply(&backend.download(&x)?))
}

/// A convolution over the rows and its GELU.
fn convolve<B: Backend>(
    backend: &B,
    scope: &Scope<'_>,
    rows: &[f32],
    inputs: usize,
    outputs: usize,
) -> Result<Vec<f32>, AsrError> {
    let weight = scope.tensor("weight", &[outputs, inputs, KERNEL])?;
    let bias = scope.tensor("bias", &[outputs])?;
    let conv = backend.load_conv(
        &weight,
        &bias,
        ConvShape { inputs, outputs, kernel: KERNEL, groups: 1 },
    )?;
    let input = backend.upload(rows, inputs)?;
    let mut out = backend.zeros(FRAMES, outputs)?;
    backend.conv(&input, &Items::single(FRAMES), &conv, ConvTail::Store, &mut out)?;
    let mut values = backend.download(&out)?;
    maths::gelu(&mut values);
    Ok(values)
}

fn layer<B: Backend>(
    backend: &B,
    scope: &Scope<'_>,
    config: &Config,
    x: &mut B::Tensor,
) -> Result<(), AsrError> {
    let (width, inner) = (config.d_model, config.encoder_ffn_dim);
    let items = Items::single(ENCODER_POSITIONS);
    let normed = |x: &B::Tensor, name: &str| -> Result<B::Tensor, AsrError> {
        let rows = norm(&scope.scope(name), width)?.apply(&backend.download(x)?);
        Ok(backend.upload(&rows, width)?)
    };

    let mut qkv = backend.zeros(ENCODER_POSITIONS, 3 * width)?;
    let fused = fused(backend, &scope.scope("self_attn"), &["q_proj", "k_proj", "v_proj"], width)?;
    let store = Epilogue::Store(Activation::None);
    backend.linear(
        LinearInput::Plain(&normed(x, "self_attn_layer_norm")?),
        &fused,
        store,
        &mut qkv,
    )?;
    let mut heard = backend.zeros(ENCODER_POSITIONS, width)?;
    let attention = Attention {
        items: &items,
        heads: config.encoder_attention_heads,
        head_dim: width / config.encoder_attention_heads,
        rotary: &heard,
        rotated_heads: 0,
        query_key_norm: None,
    };
    let mut attended = backend.zeros(ENCODER_POSITIONS, width)?;
    backend.attention(&qkv, attention, &mut attended)?;
    std::mem::swap(&mut heard, &mut attended);
    let out = linear(backend, &scope.scope("self_attn.out_proj"), width, width)?;
    backend.linear(LinearInput::Plain(&heard), &out, Epilogue::Residual, x)?;

    let mut hidden = backend.zeros(ENCODER_POSITIONS, inner)?;
    let (up, down) = (
        linear(backend, &scope.scope("fc1"), inner, width)?,
        linear(backend, &scope.scope("fc2"), width, inner)?,
    );
    let store = Epilogue::Store(Activation::GeluErf);
    backend.linear(LinearInput::Plain(&normed(x, "final_layer_norm")?), &up, store, &mut hidden)?;
    backend.linear(LinearInput::Plain(&hidden), &down, Epilogue::Residual, x)?;
    Ok(())
}

fn linear<B: Backend>(
    backend: &B,
    scope: &Scope<'_>,
    outputs: usize,
    inputs: usize,
) -> Result<B::Linear, AsrError> {
    let weight = scope.tensor("weight", &[outputs, inputs])?;
    let bias = scope.tensor("bias", &[outputs])?;
    Ok(backend.load_linear(&weight, Some(&bias), inputs)?)
}

/// Square layers of one input as one; a projection of keys has no bias.
pub(crate) fn fused<B: Backend>(
    backend: &B,
    scope: &Scope<'_>,
    names: &[&str],
    width: usize,
) -> Result<B::Linear, AsrError> {
    let (mut weight, mut bias) = (Vec::new(), Vec::new());
    for name in names {
        let scope = scope.scope(name);
        weight.extend_from_slice(&scope.tensor("weight", &[width, width])?);
        bias.extend(projection_bias(&scope, name, width)?);
    }
    Ok(backend.load_linear(&weight, Some(&bias), width)?)
}

/// The bias of a projection of queries or values, or zeros for that of keys, which has none.
pub(crate) fn projection_bias(
    scope: &Scope<'_>,
    name: &str,
    width: usize,
) -> Result<Vec<f32>, AsrError> {
    if name == "k_proj" {
        return Ok(vec![0.0; width]);
    }
    Ok(scope.tensor("bias", &[width])?.into_owned())
}

pub(crate) fn norm(scope: &Scope<'_>, width: usize) -> Result<Norm, AsrError> {
    Ok(Norm {
        weight: scope.tensor("weight", &[width])?.into_owned(),
        bias: scope.tensor("bias", &[width])?.into_owned(),
    })
}
