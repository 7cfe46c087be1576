use std::sync::Arc;

use f5tts_kernels::{Activation, Backend, ConvShape, ConvTail, Epilogue, LinearInput};

use super::{Batch, Branch, Workspace};
use crate::{
    MEL_CHANNELS,
    checkpoint::Scope,
    error::LoadError,
    model::{KernelResult, config::DitConfig},
};

const POSITION_KERNEL: usize = 31;
const POSITION_GROUPS: usize = 16;

/// Joins noised mel, conditioning mel and text, and adds convolutional positions.
///
/// The official projection of `[x ‖ cond ‖ text]` is linear, so it splits into three: only the part
/// of the noised mel changes from step to step.
///
/// <https://github.com/SWivid/F5-TTS/blob/2ae2c9b/src/f5_tts/model/backbones/dit.py> (`InputEmbedding`)
#[derive(Debug)]
pub(super) struct InputEmbedding<B: Backend> {
    noised: B::Linear,
    conditioning: B::Linear,
    text: B::Linear,
    positions: [B::Conv; 2],
    dim: usize,
    backend: Arc<B>,
}

impl<B: Backend> InputEmbedding<B> {
    pub(super) fn load(
        backend: &Arc<B>,
        weights: &Scope<'_>,
        config: &DitConfig,
    ) -> Result<Self, LoadError> {
        let (dim, width) = (config.dim, 2 * MEL_CHANNELS + config.text_dim);
        let projection = weights.scope("proj");
        let weight = projection.tensor("weight", &[dim, width])?;
        let bias = projection.tensor("bias", &[dim])?;
        let columns = |from: usize, to: usize| -> Vec<f32> {
            weight
                .chunks_exact(width)
                .flat_map(|row| &row[from..to])
                .copied()
                .collect()
        };
        let shape = ConvShape {
            inputs: dim,
            outputs: dim,
            kernel: POSITION_KERNEL,
            groups: POSITION_GROUPS,
        };
        let position = |index: usize| -> Result<B::Conv, LoadError> {
            let conv = weights.scope(&format!("conv_pos_embed.conv1d.{index}"));
            let weight = conv.tensor("weight", &[dim, dim / POSITION_GROUPS, POSITION_KERNEL])?;
            Ok(backend.load_conv(&weight, &conv.tensor("bias", &[dim])?, shape)?)
        };
        Ok(Self {
            noised: backend.load_linear(&columns(0, MEL_CHANNELS), None, MEL_CHANNELS)?,
            conditioning: backend.load_linear(
                &columns(MEL_CHANNELS, 2 * MEL_CHANNELS),
                Some(&bias),
                MEL_CHANNELS,
            )?,
            text: backend.load_linear(&columns(2 * MEL_CHANNELS, width), None, config.text_dim)?,
            positions: [position(0)?, position(2)?],
            dim,
            backend: Arc::clone(backend),
        })
    }

    /// The part that all evaluations share. The unconditional branch sees no audio.
    pub(super) fn embed_condition(
        &self,
        conditioning: &[f32],
        text: &B::Tensor,
        branch: Branch,
    ) -> KernelResult<B::Tensor> {
        let frames = conditioning.len() / MEL_CHANNELS;
        let mel = match branch {
            Branch::Conditional => self.backend.upload(conditioning, MEL_CHANNELS)?,
            Branch::Unconditional => self.backend.zeros(frames, MEL_CHANNELS)?,
        };
        let mut out = self.backend.zeros(frames, self.dim)?;
        let store = Epilogue::Store(Activation::None);
        self.backend
            .linear(LinearInput::Plain(&mel), &self.conditioning, store, &mut out)?;
        self.backend
            .linear(LinearInput::Plain(text), &self.text, Epilogue::Residual, &mut out)?;
        Ok(out)
    }

    /// Writes `h + ConvPos(h)` to `workspace.hidden`.
    pub(super) fn forward(
        &self,
        batch: &Batch<'_, B>,
        workspace: &mut Workspace<B>,
    ) -> KernelResult<()> {
        let Workspace { hidden, scratch, .. } = workspace;
        let noised = LinearInput::Plain(batch.noised);
        self.backend
            .linear(noised, &self.noised, Epilogue::Plus(batch.condition), hidden)?;
        self.backend
            .conv(hidden, batch.items, &self.positions[0], ConvTail::Mish, scratch)?;
        self.backend
            .conv(scratch, batch.items, &self.positions[1], ConvTail::MishResidual, hidden)
    }
}
