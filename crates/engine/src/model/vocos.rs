//! Vocos, the vocoder: log-mel frames become a wave by an inverse short-time Fourier transform.

use std::sync::Arc;

use f5tts_kernels::{
    Activation, Backend, ConvShape, ConvTail, Epilogue, Istft, IstftPadding, Items, LinearInput,
};

use super::{
    KernelResult,
    config::{Padding, VocosConfig},
    convnext::VocosBlock,
    load_linear, load_norm,
};
use crate::{checkpoint::Weights, error::LoadError};

const EMBED_KERNEL: usize = 7;

/// Vocos with its weights, on a device.
///
/// <https://github.com/gemelo-ai/vocos/blob/v0.1.0/vocos/models.py> (`VocosBackbone`) and
/// `heads.py` (`ISTFTHead`)
#[derive(Debug)]
pub struct Vocos<B: Backend> {
    config: VocosConfig,
    embed: B::Conv,
    norm: (B::Tensor, B::Tensor),
    blocks: Vec<VocosBlock<B>>,
    final_norm: (B::Tensor, B::Tensor),
    head: B::Linear,
    window: Vec<f32>,
    backend: Arc<B>,
}

impl<B: Backend> Vocos<B> {
    /// Loads the vocoder.
    ///
    /// # Errors
    /// A missing, surplus or wrongly shaped tensor, named.
    pub fn load(
        backend: &Arc<B>,
        weights: &Weights,
        config: VocosConfig,
    ) -> Result<Self, LoadError> {
        let device = backend.as_ref();
        let root = weights.root();
        let (backbone, dim) = (root.scope("backbone"), config.dim);
        let embed = backbone.scope("embed");
        let shape = ConvShape {
            inputs: config.input_channels,
            outputs: dim,
            kernel: EMBED_KERNEL,
            groups: 1,
        };
        let blocks = (0..config.num_layers)
            .map(|index| {
                let scope = backbone.scope(&format!("convnext.{index}"));
                VocosBlock::load(device, &scope, dim, config.intermediate_dim)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let vocos = Self {
            embed: device.load_conv(
                &embed.tensor("weight", &[dim, config.input_channels, EMBED_KERNEL])?,
                &embed.tensor("bias", &[dim])?,
                shape,
            )?,
            norm: load_norm(device, &backbone.scope("norm"), dim)?,
            blocks,
            final_norm: load_norm(device, &backbone.scope("final_layer_norm"), dim)?,
            head: load_linear(device, &root.scope("head.out"), config.n_fft + 2, dim)?,
            window: root
                .tensor("head.istft.window", &[config.n_fft])?
                .into_owned(),
            config,
            backend: Arc::clone(backend),
        };
        weights.finish()?;
        Ok(vocos)
    }

    /// The wave of each item of `mel` (rows, channels).
    ///
    /// # Errors
    /// A fault of the device.
    pub fn decode(&self, mel: &[f32], items: &Items) -> KernelResult<Vec<Vec<f32>>> {
        let head = self.head(mel, items)?;
        let istft = Istft {
            n_fft: self.config.n_fft,
            hop_length: self.config.hop_length,
            padding: match self.config.padding {
                Padding::Center => IstftPadding::Center,
                Padding::Same => IstftPadding::Same,
            },
        };
        self.backend.istft(&head, items, &self.window, istft)
    }

    /// Log-magnitudes and phases of every frame: (rows, `n_fft` + 2).
    fn head(&self, mel: &[f32], items: &Items) -> KernelResult<B::Tensor> {
        let (backend, rows, dim) = (&self.backend, items.rows(), self.config.dim);
        let mel = backend.upload(mel, self.config.input_channels)?;
        let mut embedded = backend.zeros(rows, dim)?;
        backend.conv(&mel, items, &self.embed, ConvTail::Store, &mut embedded)?;
        let mut x = backend.zeros(rows, dim)?;
        backend.layer_norm(&embedded, &self.norm.0, &self.norm.1, &mut x)?;
        for block in &self.blocks {
            block.forward(backend, items, &mut x)?;
        }
        let mut normed = embedded;
        backend.layer_norm(&x, &self.final_norm.0, &self.final_norm.1, &mut normed)?;
        let mut head = backend.zeros(rows, self.config.n_fft + 2)?;
        let store = Epilogue::Store(Activation::None);
        backend.linear(LinearInput::Plain(&normed), &self.head, store, &mut head)?;
        Ok(head)
    }
}

#[cfg(test)]
mod tests {
    use f5tts_testkit::{Golden, Tolerance, assert_close};

    use super::*;
    use crate::{checkpoint::Checkpoint, model::tiny};

    fn vocos(padding: Padding) -> Vocos<f5tts_kernels::Cpu> {
        let checkpoint = Checkpoint::open(&Golden::path("vocos/pytorch_model.bin")).unwrap();
        let config = VocosConfig::parse(&Golden::text("vocos/config.yaml")).unwrap();
        let weights = Weights::vocos(Arc::new(checkpoint)).unwrap();
        Vocos::load(&tiny::cpu(), &weights, VocosConfig { padding, ..config }).unwrap()
    }

    /// (100, frames) as the official code has it → (frames, 100).
    fn transposed(mel: &[f32], frames: usize) -> Vec<f32> {
        let channels = mel.len() / frames;
        (0..frames)
            .flat_map(|frame| (0..channels).map(move |channel| mel[channel * frames + frame]))
            .collect()
    }

    #[test]
    fn head_and_wave_are_the_official_ones() {
        let golden = Golden::open("vocos/vocos_ref.safetensors");
        let frames = golden.shape("mel")[2];
        let mel = transposed(&golden.f32("mel"), frames);
        let items = Items::single(frames);
        for (padding, name) in [(Padding::Center, "wave"), (Padding::Same, "wave_same")] {
            let vocos = vocos(padding);
            let head = vocos.head(&mel, &items).unwrap();
            // Two blocks of f32 sums in another order than PyTorch's.
            let tolerance = Tolerance::relative(1e-5);
            let head = vocos.backend.download(&head).unwrap();
            assert_close("head_out", &head, &golden.f32("head_out"), tolerance);
            // The exponential and the phase magnify the head's rounding.
            let wave = vocos.decode(&mel, &items).unwrap().concat();
            assert_close(name, &wave, &golden.f32(name), Tolerance::relative(1e-4));
        }
    }

    #[test]
    fn items_of_a_batch_are_what_they_are_alone() {
        let golden = Golden::open("vocos/vocos_ref.safetensors");
        let frames = golden.shape("mel")[2];
        let mel = transposed(&golden.f32("mel"), frames);
        let vocos = vocos(Padding::Center);
        let batched = vocos.decode(&mel, &Items::new([5, frames - 5])).unwrap();
        let (first, second) = mel.split_at(5 * 100);
        assert_eq!(batched[0], vocos.decode(first, &Items::single(5)).unwrap()[0]);
        assert_eq!(batched[1], vocos.decode(second, &Items::single(frames - 5)).unwrap()[0]);
    }

    #[test]
    fn one_frame_has_no_samples() {
        let wave = vocos(Padding::Center)
            .decode(&[0.0; 100], &Items::single(1))
            .unwrap();
        assert_eq!(wave, [Vec::<f32>::new()]);
    }
}
