//! The diffusion transformer (DiT) that predicts the flow's velocity.
//!
//! <https://github.com/SWivid/F5-TTS/blob/2ae2c9b/src/f5_tts/model/backbones/dit.py>

mod block;
mod input_embedding;
mod modulation;
#[cfg(test)]
mod parity;
mod rotary;
mod text_embedding;

use std::sync::Arc;

use f5tts_kernels::{Backend, Epilogue, Items, LinearInput, Modulation};

use self::{
    block::Block, input_embedding::InputEmbedding, modulation::Modulations, rotary::Rotary,
    text_embedding::TextEmbedding,
};
use crate::{
    MEL_CHANNELS,
    checkpoint::Weights,
    error::{LoadError, SampleError},
    model::{KernelResult, config::DitConfig},
    stop::Stop,
};

pub use self::modulation::ModulationTable;
pub use self::text_embedding::Branch;

/// The DiT with its weights, on a device.
#[derive(Debug)]
pub struct Dit<B: Backend> {
    config: DitConfig,
    text: TextEmbedding<B>,
    input: InputEmbedding<B>,
    blocks: Vec<Block<B>>,
    long_skip: Option<LongSkip<B>>,
    output: B::Linear,
    rotary: Rotary<B>,
    modulations: Modulations<B>,
    backend: Arc<B>,
}

/// `W[h ‖ h₀]` as `W₁h + W₂h₀`, `h₀` being the embedded input.
#[derive(Debug)]
struct LongSkip<B: Backend> {
    hidden: B::Linear,
    embedded: B::Linear,
}

impl<B: Backend> Dit<B> {
    /// Loads the network. `vocab_size` is the number of tokens without the filler.
    ///
    /// # Errors
    /// A missing, surplus or wrongly shaped tensor, named.
    pub fn load(
        backend: &Arc<B>,
        weights: &Arc<Weights>,
        config: DitConfig,
        vocab_size: usize,
    ) -> Result<Self, LoadError> {
        let root = weights.root();
        let text = TextEmbedding::load(backend, &root.scope("text_embed"), &config, vocab_size)?;
        let input = InputEmbedding::load(backend, &root.scope("input_embed"), &config)?;
        let blocks = (0..config.depth)
            .map(|index| {
                Block::load(
                    backend.as_ref(),
                    &root.scope(&format!("transformer_blocks.{index}")),
                    &config,
                )
            })
            .collect::<Result<Vec<_>, _>>()?;
        let long_skip = config
            .long_skip_connection
            .then(|| LongSkip::load(backend.as_ref(), weights, config.dim))
            .transpose()?;
        let proj_out = root.scope("proj_out");
        let output = backend.load_linear(
            &proj_out.tensor("weight", &[MEL_CHANNELS, config.dim])?,
            Some(&proj_out.tensor("bias", &[MEL_CHANNELS])?),
            config.dim,
        )?;
        let rotary = Rotary::load(backend, &root.scope("rotary_embed"), config.dim_head)?;
        let modulations = Modulations::load(backend, weights, &config)?;
        weights.finish()?;
        Ok(Self {
            config,
            text,
            input,
            blocks,
            long_skip,
            output,
            rotary,
            modulations,
            backend: Arc::clone(backend),
        })
    }

    /// The sizes of this network.
    pub fn config(&self) -> &DitConfig {
        &self.config
    }

    /// All AdaLN modulations for evaluations at `times`; the last few tables are kept.
    ///
    /// # Errors
    /// A fault of the device.
    pub fn modulations(&self, times: &[f32]) -> Result<Arc<ModulationTable<B>>, LoadError> {
        self.modulations.at(times)
    }

    /// What stays the same in all evaluations of one request and branch: `W·[0 ‖ cond ‖ text] + b`,
    /// as (frames, dim).
    ///
    /// # Errors
    /// A fault of the device.
    pub fn embed_condition(
        &self,
        conditioning: &[f32],
        text_ids: &[u32],
        branch: Branch,
    ) -> KernelResult<B::Tensor> {
        let frames = conditioning.len() / MEL_CHANNELS;
        let text = self.text.forward(text_ids, frames, branch)?;
        self.input.embed_condition(conditioning, &text, branch)
    }

    /// Buffers for evaluations of a batch of these items.
    ///
    /// # Errors
    /// A fault of the device.
    pub fn workspace(&self, items: &Items) -> KernelResult<Workspace<B>> {
        let (backend, rows) = (&self.backend, items.rows());
        let inner = self.config.heads * self.config.dim_head;
        let longest = items
            .iter()
            .map(|range| range.len())
            .max()
            .unwrap_or_default();
        Ok(Workspace {
            rotary: self.rotary.table(longest)?,
            hidden: backend.zeros(rows, self.config.dim)?,
            scratch: backend.zeros(rows, self.config.dim)?,
            embedded: if self.long_skip.is_some() {
                Some(backend.zeros(rows, self.config.dim)?)
            } else {
                None
            },
            qkv: backend.activations(rows, 3 * inner)?,
            attended: backend.activations(rows, inner)?,
            widened: backend.activations(rows, self.config.ff_mult * self.config.dim)?,
            velocity: backend.zeros(rows, MEL_CHANNELS)?,
            recording: B::Recording::default(),
        })
    }

    /// One evaluation: the velocity of every row, in `workspace.velocity`.
    ///
    /// A workspace belongs to one `batch`: only the values in its matrices may change from call to call.
    ///
    /// # Errors
    /// A fault of the device, or [`SampleError::Stopped`] between two blocks.
    pub fn forward(
        &self,
        batch: &Batch<'_, B>,
        workspace: &mut Workspace<B>,
        stop: &Stop,
    ) -> Result<(), SampleError> {
        stop.check()?;
        let mut recording = std::mem::take(&mut workspace.recording);
        let done = self
            .backend
            .repeat(&mut recording, &mut || self.evaluate(batch, workspace, stop));
        workspace.recording = recording;
        done
    }

    fn evaluate(
        &self,
        batch: &Batch<'_, B>,
        workspace: &mut Workspace<B>,
        stop: &Stop,
    ) -> Result<(), SampleError> {
        self.input.forward(batch, workspace)?;
        if let Some(embedded) = &mut workspace.embedded {
            self.backend
                .copy_rows(&workspace.hidden, 0..batch.items.rows(), 0, embedded)?;
        }
        for (index, block) in self.blocks.iter().enumerate() {
            stop.check()?;
            block.forward(&self.backend, batch, index, workspace)?;
        }
        if let (Some(skip), Some(embedded)) = (&self.long_skip, &workspace.embedded) {
            skip.forward(&self.backend, &workspace.hidden, embedded, &mut workspace.scratch)?;
            std::mem::swap(&mut workspace.hidden, &mut workspace.scratch);
        }
        let modulation = batch.modulation(self.modulations.columns().output());
        let input = LinearInput::Modulated(&workspace.hidden, modulation);
        let store = Epilogue::Store(f5tts_kernels::Activation::None);
        self.backend
            .linear(input, &self.output, store, &mut workspace.velocity)?;
        Ok(())
    }

    /// The hidden state after the input embedding and after each block, for the parity tests.
    #[cfg(test)]
    pub(crate) fn trace(
        &self,
        batch: &Batch<'_, B>,
        workspace: &mut Workspace<B>,
    ) -> Result<Vec<Vec<f32>>, SampleError> {
        self.input.forward(batch, workspace)?;
        let mut states = vec![self.backend.download(&workspace.hidden)?];
        for (index, block) in self.blocks.iter().enumerate() {
            block.forward(&self.backend, batch, index, workspace)?;
            states.push(self.backend.download(&workspace.hidden)?);
        }
        Ok(states)
    }
}

/// What one evaluation reads.
#[derive(Debug)]
pub struct Batch<'a, B: Backend> {
    /// One item a request and branch.
    pub items: &'a Items,
    /// The noised mel of every row: (rows, 100).
    pub noised: &'a B::Tensor,
    /// [`Dit::embed_condition`] of every row: (rows, dim).
    pub condition: &'a B::Tensor,
    /// One row of [`ModulationTable`] an item.
    pub modulations: &'a B::Tensor,
}

impl<B: Backend> Batch<'_, B> {
    fn modulation(&self, (scale, shift): (usize, usize)) -> Modulation<'_, B::Tensor> {
        Modulation { table: self.modulations, items: self.items, scale, shift }
    }
}

/// The buffers of [`Dit::forward`], reused from step to step.
#[derive(Debug)]
pub struct Workspace<B: Backend> {
    rotary: Arc<B::Tensor>,
    hidden: B::Tensor,
    scratch: B::Tensor,
    embedded: Option<B::Tensor>,
    qkv: B::Tensor,
    attended: B::Tensor,
    widened: B::Tensor,
    /// The result: (rows, 100).
    pub velocity: B::Tensor,
    /// The evaluation as the device repeats it.
    recording: B::Recording,
}

impl<B: Backend> LongSkip<B> {
    fn load(backend: &B, weights: &Weights, dim: usize) -> Result<Self, LoadError> {
        let weight = weights
            .root()
            .scope("long_skip_connection")
            .tensor("weight", &[dim, 2 * dim])?
            .into_owned();
        let half = |from: usize| -> Vec<f32> {
            weight
                .chunks_exact(2 * dim)
                .flat_map(|row| &row[from..from + dim])
                .copied()
                .collect()
        };
        Ok(Self {
            hidden: backend.load_linear(&half(0), None, dim)?,
            embedded: backend.load_linear(&half(dim), None, dim)?,
        })
    }

    fn forward(
        &self,
        backend: &B,
        hidden: &B::Tensor,
        embedded: &B::Tensor,
        out: &mut B::Tensor,
    ) -> KernelResult<()> {
        let store = Epilogue::Store(f5tts_kernels::Activation::None);
        backend.linear(LinearInput::Plain(hidden), &self.hidden, store, out)?;
        backend.linear(LinearInput::Plain(embedded), &self.embedded, Epilogue::Residual, out)
    }
}
