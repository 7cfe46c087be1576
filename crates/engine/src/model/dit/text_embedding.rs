use std::{ops::Range, sync::Arc};

use f5tts_kernels::{Backend, Items};

use crate::{
    checkpoint::Scope,
    error::LoadError,
    model::{KernelResult, config::DitConfig, convnext::TextBlock},
};

/// One side of classifier-free guidance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Branch {
    /// Sees the reference's mel and the text.
    Conditional,
    /// Sees neither.
    Unconditional,
}

/// Spreads the text over the frames: lookup, absolute positions, ConvNeXt-V2 blocks.
///
/// <https://github.com/SWivid/F5-TTS/blob/2ae2c9b/src/f5_tts/model/backbones/dit.py> (`TextEmbedding`)
#[derive(Debug)]
pub(super) struct TextEmbedding<B: Backend> {
    /// (vocabulary + 1, text width); row 0 is the filler's.
    lookup: Vec<f32>,
    blocks: Vec<TextBlock<B>>,
    dim: usize,
    mask_padding: bool,
    average_upsampling: bool,
    backend: Arc<B>,
}

impl<B: Backend> TextEmbedding<B> {
    pub(super) fn load(
        backend: &Arc<B>,
        weights: &Scope<'_>,
        config: &DitConfig,
        vocab_size: usize,
    ) -> Result<Self, LoadError> {
        let dim = config.text_dim;
        let lookup = weights
            .tensor("text_embed.weight", &[vocab_size + 1, dim])?
            .into_owned();
        let blocks = (0..config.conv_layers)
            .map(|index| {
                TextBlock::load(
                    backend.as_ref(),
                    &weights.scope(&format!("text_blocks.{index}")),
                    dim,
                )
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            lookup,
            blocks,
            dim,
            mask_padding: config.text_mask_padding,
            average_upsampling: config.text_embedding_average_upsampling,
            backend: Arc::clone(backend),
        })
    }

    /// The text's embedding over `frames` rows: (frames, text width).
    ///
    /// Token ids are the vocabulary's; the filler is added here. The unconditional branch looks up the
    /// filler everywhere, but the mask of the padding stays that of the text.
    pub(super) fn forward(
        &self,
        ids: &[u32],
        frames: usize,
        branch: Branch,
    ) -> KernelResult<B::Tensor> {
        let text = &ids[..ids.len().min(frames)];
        let rows = (0..frames).map(|frame| match branch {
            Branch::Conditional => text.get(frame).map_or(0, |&id| id as usize + 1),
            Branch::Unconditional => 0,
        });
        let mut values: Vec<f32> = rows
            .flat_map(|row| &self.lookup[row * self.dim..(row + 1) * self.dim])
            .copied()
            .collect();
        if self.blocks.is_empty() {
            return self.upsampled(&values, text.len(), frames);
        }
        add_positions(&mut values, self.dim);
        let padding = text.len()..frames;
        let mut x = self.backend.upload(&values, self.dim)?;
        self.mask(&padding, &mut x)?;
        let items = Items::single(frames);
        for block in &self.blocks {
            block.forward(&self.backend, &items, &mut x)?;
            self.mask(&padding, &mut x)?;
        }
        if self.average_upsampling {
            let values = self.backend.download(&x)?;
            return self.upsampled(&values, text.len(), frames);
        }
        Ok(x)
    }

    fn mask(&self, padding: &Range<usize>, x: &mut B::Tensor) -> KernelResult<()> {
        if self.mask_padding {
            self.backend.zero_rows(padding.clone(), x)?;
        }
        Ok(())
    }

    /// Repeats the text's rows so that they fill all frames, if the network wants that: each
    /// `frames / length` times, the last `frames % length` once more.
    fn upsampled(&self, values: &[f32], length: usize, frames: usize) -> KernelResult<B::Tensor> {
        if !self.average_upsampling || length == 0 {
            return self.backend.upload(values, self.dim);
        }
        let (each, rest) = (frames / length, frames % length);
        let mut spread = Vec::with_capacity(frames * self.dim);
        for (index, row) in values.chunks_exact(self.dim).take(length).enumerate() {
            let times = each + usize::from(index >= length - rest);
            (0..times).for_each(|_| spread.extend_from_slice(row));
        }
        self.backend.upload(&spread, self.dim)
    }
}

/// Adds `cos(p·f) ‖ sin(p·f)` with `f_i = 10000^(−2i/dim)` to row `p`.
fn add_positions(values: &mut [f32], dim: usize) {
    let half = dim / 2;
    let frequencies: Vec<f32> = (0..half)
        .map(|i| 1.0 / 10_000_f32.powf((2 * i) as f32 / dim as f32))
        .collect();
    for (position, row) in values.chunks_exact_mut(dim).enumerate() {
        let (cosines, sines) = row.split_at_mut(half);
        for ((cosine, sine), frequency) in cosines.iter_mut().zip(sines).zip(&frequencies) {
            let angle = position as f32 * frequency;
            *cosine += angle.cos();
            *sine += angle.sin();
        }
    }
}
