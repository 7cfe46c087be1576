//! The decoder: one token after the other, from what the encoder heard.

use std::borrow::Cow;

use f5tts_engine::checkpoint::{Scope, Weights};
use f5tts_kernels::{Activation, Backend, Epilogue, LinearInput};

use crate::{
    AsrError,
    config::{Config, ENCODER_POSITIONS},
    encoder::{fused, norm, projection_bias},
    maths::{self, Norm},
};

/// The decoder with the keys and values of all that it has heard and said.
///
/// A token is one row, so a step reads every weight once: weights stay as they lie in the file, where that has `f32`.
///
/// `WhisperDecoder` of transformers, `models/whisper/modeling_whisper.py`
#[derive(Debug)]
pub(crate) struct Decoder<'a, B> {
    backend: &'a B,
    config: &'a Config,
    /// (tokens, width), for the first layer and, transposed, for the last.
    tokens: Cow<'a, [f32]>,
    no_bias: Vec<f32>,
    /// (positions, width)
    positions: Cow<'a, [f32]>,
    layers: Vec<Layer<'a>>,
    norm: Norm,
    said: usize,
}

#[derive(Debug)]
struct Layer<'a> {
    own_norm: Norm,
    own_query: Dense<'a>,
    own_key: Dense<'a>,
    own_value: Dense<'a>,
    own_out: Dense<'a>,
    heard_norm: Norm,
    heard_query: Dense<'a>,
    heard_out: Dense<'a>,
    inner_norm: Norm,
    up: Dense<'a>,
    down: Dense<'a>,
    /// What was said: (tokens, width).
    said_keys: Vec<f32>,
    said_values: Vec<f32>,
    /// What was heard: (1500, width).
    heard_keys: Vec<f32>,
    heard_values: Vec<f32>,
}

/// A linear layer, as it lies in the file.
#[derive(Debug)]
struct Dense<'a> {
    weight: Cow<'a, [f32]>,
    bias: Vec<f32>,
}

impl<'a> Dense<'a> {
    fn load(scope: &Scope<'a>, outputs: usize, inputs: usize) -> Result<Self, AsrError> {
        let weight = scope.tensor("weight", &[outputs, inputs])?;
        Ok(Self { weight, bias: scope.tensor("bias", &[outputs])?.into_owned() })
    }

    fn load_projection(scope: &Scope<'a>, name: &str, width: usize) -> Result<Self, AsrError> {
        let scope = scope.scope(name);
        let weight = scope.tensor("weight", &[width, width])?;
        Ok(Self { weight, bias: projection_bias(&scope, name, width)? })
    }

    fn apply<B: Backend>(&self, backend: &B, row: &[f32]) -> Result<Vec<f32>, AsrError> {
        let mut out = vec![0.0; self.bias.len()];
        backend.project(&self.weight, &self.bias, row, &mut out)?;
        Ok(out)
    }
}

impl<'a, B: Backend> Decoder<'a, B> {
    /// Loads the decoder, and computes keys and values of what the encoder heard: (1500, `d_model`).
    pub(crate) fn load(
        backend: &'a B,
        weights: &'a Weights,
        config: &'a Config,
        heard: &[f32],
    ) -> Result<Self, AsrError> {
        let (root, width) = (weights.scope("decoder"), config.d_model);
        let heard = backend.upload(heard, width)?;
        let load = |index: usize| {
            let scope = root.scope(&format!("layers.{index}"));
            let mut pairs = backend.zeros(ENCODER_POSITIONS, 2 * width)?;
            let both = fused(backend, &scope.scope("encoder_attn"), &["k_proj", "v_proj"], width)?;
            backend.linear(
                LinearInput::Plain(&heard),
                &both,
                Epilogue::Store(Activation::None),
                &mut pairs,
            )?;
            Layer::load(&scope, config, &backend.download(&pairs)?)
        };
        let tokens = root.tensor("embed_tokens.weight", &[config.vocab_size, width])?;
        Ok(Self {
            backend,
            config,
            tokens,
            no_bias: vec![0.0; config.vocab_size],
            positions: root
                .tensor("embed_positions.weight", &[config.max_target_positions, width])?,
            layers: (0..config.decoder_layers)
                .map(load)
                .collect::<Result<_, AsrError>>()?,
            norm: norm(&root.scope("layer_norm"), width)?,
            said: 0,
        })
    }

    /// Says a token; returns the logits of the next one. There must be a position left for it.
    pub(crate) fn say(&mut self, token: u32) -> Result<Vec<f32>, AsrError> {
        let (width, heads) = (self.config.d_model, self.config.decoder_attention_heads);
        let row = |table: &[f32], at: usize| table[at * width..(at + 1) * width].to_vec();
        let mut x = row(&self.tokens, token as usize);
        maths::add(&mut x, &row(&self.positions, self.said));
        for layer in &mut self.layers {
            layer.step(self.backend, heads, &mut x)?;
        }
        self.said += 1;
        let mut logits = vec![0.0; self.config.vocab_size];
        self.backend
            .project(&self.tokens, &self.no_bias, &self.norm.apply(&x), &mut logits)?;
        if logits.iter().any(|logit| !logit.is_finite()) {
            return Err(AsrError::NotFinite);
        }
        Ok(logits)
    }
}

impl<'a> Layer<'a> {
    /// `pairs` are rows of keys and values of what was heard.
    fn load(scope: &Scope<'a>, config: &Config, pairs: &[f32]) -> Result<Self, AsrError> {
        let (width, inner) = (config.d_model, config.decoder_ffn_dim);
        let (own, heard) = (scope.scope("self_attn"), scope.scope("encoder_attn"));
        let half = |second: usize| {
            pairs
                .chunks_exact(width)
                .skip(second)
                .step_by(2)
                .flatten()
                .copied()
                .collect::<Vec<f32>>()
        };
        Ok(Self {
            own_norm: norm(&scope.scope("self_attn_layer_norm"), width)?,
            own_query: Dense::load_projection(&own, "q_proj", width)?,
            own_key: Dense::load_projection(&own, "k_proj", width)?,
            own_value: Dense::load_projection(&own, "v_proj", width)?,
            own_out: Dense::load(&own.scope("out_proj"), width, width)?,
            heard_norm: norm(&scope.scope("encoder_attn_layer_norm"), width)?,
            heard_query: Dense::load_projection(&heard, "q_proj", width)?,
            heard_out: Dense::load(&heard.scope("out_proj"), width, width)?,
            inner_norm: norm(&scope.scope("final_layer_norm"), width)?,
            up: Dense::load(&scope.scope("fc1"), inner, width)?,
            down: Dense::load(&scope.scope("fc2"), width, inner)?,
            said_keys: Vec::new(),
            said_values: Vec::new(),
            heard_keys: half(0),
            heard_values: half(1),
        })
    }

    fn step<B: Backend>(
        &mut self,
        backend: &B,
        heads: usize,
        x: &mut [f32],
    ) -> Result<(), AsrError> {
        let normed = self.own_norm.apply(x);
        let query = self.own_query.apply(backend, &normed)?;
        self.said_keys.extend(self.own_key.apply(backend, &normed)?);
        self.said_values
            .extend(self.own_value.apply(backend, &normed)?);
        let attended = maths::attend(&query, &self.said_keys, &self.said_values, heads);
        maths::add(x, &self.own_out.apply(backend, &attended)?);

        let query = self.heard_query.apply(backend, &self.heard_norm.apply(x))?;
        let attended = maths::attend(&query, &self.heard_keys, &self.heard_values, heads);
        maths::add(x, &self.heard_out.apply(backend, &attended)?);

        let mut inner = self.up.apply(backend, &self.inner_norm.apply(x))?;
        maths::gelu(&mut inner);
        maths::add(x, &self.down.apply(backend, &inner)?);
        Ok(())
    }
}
