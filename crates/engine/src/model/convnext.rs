use f5tts_kernels::{Activation, Backend, ConvShape, ConvTail, Epilogue, Items, LinearInput};

use super::{KernelResult, load_linear, load_norm};
use crate::{checkpoint::Scope, error::LoadError};

const KERNEL: usize = 7;

/// What both ConvNeXt blocks begin with: depthwise convolution, norm, widening, GELU.
#[derive(Debug)]
struct Stem<B: Backend> {
    depthwise: B::Conv,
    norm: (B::Tensor, B::Tensor),
    widen: B::Linear,
    dim: usize,
    inner: usize,
}

impl<B: Backend> Stem<B> {
    fn load(backend: &B, weights: &Scope<'_>, dim: usize, inner: usize) -> Result<Self, LoadError> {
        let depthwise = weights.scope("dwconv");
        let shape = ConvShape { inputs: dim, outputs: dim, kernel: KERNEL, groups: dim };
        Ok(Self {
            depthwise: backend.load_conv(
                &depthwise.tensor("weight", &[dim, 1, KERNEL])?,
                &depthwise.tensor("bias", &[dim])?,
                shape,
            )?,
            norm: load_norm(backend, &weights.scope("norm"), dim)?,
            widen: load_linear(backend, &weights.scope("pwconv1"), inner, dim)?,
            dim,
            inner,
        })
    }

    /// (rows, inner)
    fn forward(&self, backend: &B, items: &Items, x: &B::Tensor) -> KernelResult<B::Tensor> {
        let rows = items.rows();
        let mut convolved = backend.zeros(rows, self.dim)?;
        backend.conv(x, items, &self.depthwise, ConvTail::Store, &mut convolved)?;
        let mut normed = backend.activations(rows, self.dim)?;
        backend.layer_norm(&convolved, &self.norm.0, &self.norm.1, &mut normed)?;
        let mut widened = backend.activations(rows, self.inner)?;
        let gelu = Epilogue::Store(Activation::GeluErf);
        backend.linear(LinearInput::Plain(&normed), &self.widen, gelu, &mut widened)?;
        Ok(widened)
    }
}

/// The text's ConvNeXt-V2 block, with global response normalisation over all frames.
///
/// <https://github.com/SWivid/F5-TTS/blob/2ae2c9b/src/f5_tts/model/modules.py> (`ConvNeXtV2Block`)
#[derive(Debug)]
pub(super) struct TextBlock<B: Backend> {
    stem: Stem<B>,
    gamma: B::Tensor,
    beta: B::Tensor,
    narrow: B::Linear,
}

impl<B: Backend> TextBlock<B> {
    pub(super) fn load(backend: &B, weights: &Scope<'_>, dim: usize) -> Result<Self, LoadError> {
        let inner = 2 * dim;
        let grn = weights.scope("grn");
        Ok(Self {
            stem: Stem::load(backend, weights, dim, inner)?,
            gamma: backend.upload(&grn.tensor("gamma", &[1, 1, inner])?, inner)?,
            beta: backend.upload(&grn.tensor("beta", &[1, 1, inner])?, inner)?,
            narrow: load_linear(backend, &weights.scope("pwconv2"), dim, inner)?,
        })
    }

    /// Adds the block's result to `x` (rows, dim).
    pub(super) fn forward(
        &self,
        backend: &B,
        items: &Items,
        x: &mut B::Tensor,
    ) -> KernelResult<()> {
        let mut widened = self.stem.forward(backend, items, x)?;
        backend.global_response_norm(&mut widened, items, &self.gamma, &self.beta)?;
        backend.linear(LinearInput::Plain(&widened), &self.narrow, Epilogue::Residual, x)
    }
}

/// Vocos's ConvNeXt block, with a learned scale of each channel.
///
/// <https://github.com/gemelo-ai/vocos/blob/v0.1.0/vocos/modules.py> (`ConvNeXtBlock`)
#[derive(Debug)]
pub(super) struct VocosBlock<B: Backend> {
    stem: Stem<B>,
    scale: B::Tensor,
    narrow: B::Linear,
}

impl<B: Backend> VocosBlock<B> {
    pub(super) fn load(
        backend: &B,
        weights: &Scope<'_>,
        dim: usize,
        inner: usize,
    ) -> Result<Self, LoadError> {
        Ok(Self {
            stem: Stem::load(backend, weights, dim, inner)?,
            scale: backend.upload(&weights.tensor("gamma", &[dim])?, dim)?,
            narrow: load_linear(backend, &weights.scope("pwconv2"), dim, inner)?,
        })
    }

    /// Adds the block's result to `x` (rows, dim).
    pub(super) fn forward(
        &self,
        backend: &B,
        items: &Items,
        x: &mut B::Tensor,
    ) -> KernelResult<()> {
        let widened = self.stem.forward(backend, items, x)?;
        let scaled = Epilogue::ScaledResidual(&self.scale);
        backend.linear(LinearInput::Plain(&widened), &self.narrow, scaled, x)
    }
}
