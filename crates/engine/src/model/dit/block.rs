use f5tts_kernels::{Activation, Attention, Backend, Epilogue, LinearInput};

use super::{Batch, Workspace, modulation::Columns};
use crate::{
    checkpoint::Scope,
    error::LoadError,
    model::{KernelResult, config::DitConfig, load_linear},
};

/// A DiT block: attention and feed-forward, each modulated before and gated after by AdaLN.
///
/// <https://github.com/SWivid/F5-TTS/blob/2ae2c9b/src/f5_tts/model/modules.py> (`DiTBlock`)
#[derive(Debug)]
pub(super) struct Block<B: Backend> {
    qkv: B::Linear,
    query_key_norm: Option<(B::Tensor, B::Tensor)>,
    attention_out: B::Linear,
    widen: B::Linear,
    narrow: B::Linear,
    columns: Columns,
    heads: usize,
    head_dim: usize,
    rotated_heads: usize,
}

impl<B: Backend> Block<B> {
    pub(super) fn load(
        backend: &B,
        weights: &Scope<'_>,
        config: &DitConfig,
    ) -> Result<Self, LoadError> {
        let (dim, inner) = (config.dim, config.heads * config.dim_head);
        let attention = weights.scope("attn");
        let feed_forward = weights.scope("ff.ff");
        let query_key_norm = if config.qk_norm.is_some() {
            let norm = |name| -> Result<B::Tensor, LoadError> {
                let weight = attention.scope(name).tensor("weight", &[config.dim_head])?;
                Ok(backend.upload(&weight, config.dim_head)?)
            };
            Some((norm("q_norm")?, norm("k_norm")?))
        } else {
            None
        };
        Ok(Self {
            qkv: Self::load_qkv(backend, &attention, inner, dim)?,
            query_key_norm,
            attention_out: load_linear(backend, &attention.scope("to_out.0"), dim, inner)?,
            widen: load_linear(backend, &feed_forward.scope("0.0"), config.ff_mult * dim, dim)?,
            narrow: load_linear(backend, &feed_forward.scope("2"), dim, config.ff_mult * dim)?,
            columns: Columns::new(config),
            heads: config.heads,
            head_dim: config.dim_head,
            rotated_heads: config.pe_attn_head.unwrap_or(config.heads),
        })
    }

    /// The three projections as one, so that the input is read once.
    fn load_qkv(
        backend: &B,
        attention: &Scope<'_>,
        inner: usize,
        dim: usize,
    ) -> Result<B::Linear, LoadError> {
        let mut weight = Vec::with_capacity(3 * inner * dim);
        let mut bias = Vec::with_capacity(3 * inner);
        for name in ["to_q", "to_k", "to_v"] {
            let part = attention.scope(name);
            weight.extend_from_slice(&part.tensor("weight", &[inner, dim])?);
            bias.extend_from_slice(&part.tensor("bias", &[inner])?);
        }
        Ok(backend.load_linear(&weight, Some(&bias), dim)?)
    }

    pub(super) fn forward(
        &self,
        backend: &B,
        batch: &Batch<'_, B>,
        index: usize,
        workspace: &mut Workspace<B>,
    ) -> KernelResult<()> {
        let Workspace { rotary, hidden, qkv, attended, widened, .. } = workspace;
        let attention = Attention {
            items: batch.items,
            heads: self.heads,
            head_dim: self.head_dim,
            rotary: rotary.as_ref(),
            rotated_heads: self.rotated_heads,
            query_key_norm: self
                .query_key_norm
                .as_ref()
                .map(|(query, key)| (query, key)),
        };
        let gate =
            |gate| Epilogue::GatedResidual { table: batch.modulations, items: batch.items, gate };
        let columns = self.columns.block(index);

        let modulated = LinearInput::Modulated(hidden, batch.modulation(columns.attention));
        backend.linear(modulated, &self.qkv, Epilogue::Store(Activation::None), qkv)?;
        backend.attention(qkv, attention, attended)?;
        backend.linear(
            LinearInput::Plain(attended),
            &self.attention_out,
            gate(columns.attention_gate),
            hidden,
        )?;

        let modulated = LinearInput::Modulated(hidden, batch.modulation(columns.feed_forward));
        backend.linear(modulated, &self.widen, Epilogue::Store(Activation::GeluTanh), widened)?;
        backend.linear(
            LinearInput::Plain(widened),
            &self.narrow,
            gate(columns.feed_forward_gate),
            hidden,
        )
    }
}
