//! The networks on the device that was chosen, behind which no other line knows it.

use std::{fmt::Debug, sync::Arc};

use f5tts_kernels::{Backend, Cpu, CpuOptions, Items, open_gpu};

use super::EngineOptions;
use crate::{
    checkpoint::{Checkpoint, Weights},
    error::{LoadError, SampleError},
    model::{
        KernelResult,
        config::{DitConfig, VocosConfig},
        dit::Dit,
        vocos::Vocos,
    },
    sampler::{SampleRequest, Sampled, Sampler, Ticket},
    stop::Stop,
};

/// Where an engine computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// An NVIDIA GPU if this build knows them and there is one, else the processor.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// An NVIDIA GPU, or an error.
    Cuda,
}

/// Both networks, on some device.
pub(super) trait Network: Debug + Send + Sync {
    /// The device, for people.
    fn device(&self) -> String;

    /// An empty batch.
    fn sampling(&self) -> Box<dyn Sampling>;

    /// The wave of each item of a mel (rows, channels).
    fn decode(&self, mel: &[f32], items: &Items) -> KernelResult<Vec<Vec<f32>>>;
}

/// A running batch, on some device.
pub(super) trait Sampling: Debug + Send {
    /// [`Sampler::admit`]
    fn admit(&mut self, request: SampleRequest) -> Result<Ticket, SampleError>;

    /// [`Sampler::step`]
    fn step(&mut self, stop: &Stop) -> Result<Vec<Sampled>, SampleError>;
}

impl<B: Backend> Sampling for Sampler<B> {
    fn admit(&mut self, request: SampleRequest) -> Result<Ticket, SampleError> {
        Self::admit(self, request)
    }

    fn step(&mut self, stop: &Stop) -> Result<Vec<Sampled>, SampleError> {
        Self::step(self, stop)
    }
}

#[derive(Debug)]
struct OnDevice<B: Backend> {
    dit: Arc<Dit<B>>,
    vocos: Vocos<B>,
    backend: Arc<B>,
}

impl<B: Backend> Network for OnDevice<B> {
    fn device(&self) -> String {
        self.backend.describe()
    }

    fn sampling(&self) -> Box<dyn Sampling> {
        Box::new(Sampler::new(&self.dit, &self.backend))
    }

    fn decode(&self, mel: &[f32], items: &Items) -> KernelResult<Vec<Vec<f32>>> {
        self.vocos.decode(mel, items)
    }
}

/// What brings the networks to a device.
pub(super) struct Loader {
    dit: Arc<Weights>,
    vocoder: Weights,
    dit_config: DitConfig,
    vocoder_config: VocosConfig,
    vocab_size: usize,
}

impl Loader {
    pub(super) fn new(
        checkpoint: Checkpoint,
        vocoder: Checkpoint,
        (dit_config, vocoder_config): (DitConfig, VocosConfig),
        vocab_size: usize,
    ) -> Result<Self, LoadError> {
        Ok(Self {
            dit: Arc::new(Weights::dit(Arc::new(checkpoint))?),
            vocoder: Weights::vocos(Arc::new(vocoder))?,
            dit_config,
            vocoder_config,
            vocab_size,
        })
    }

    /// Loads onto the device that is wanted; with the reason if `auto` could not take a GPU that this build
    /// knows.
    pub(super) fn load(
        &self,
        options: &EngineOptions,
    ) -> Result<(Box<dyn Network>, Option<String>), LoadError> {
        let mut missed = None;
        if options.device != Device::Cpu {
            match open_gpu(options.threads) {
                Ok(gpu) => return Ok((self.onto(Arc::new(gpu))?, None)),
                Err(error) if options.device == Device::Cuda => return Err(error.into()),
                Err(error) => missed = cfg!(feature = "cuda").then(|| error.to_string()),
            }
        }
        let cpu = CpuOptions { threads: options.threads, ..CpuOptions::default() };
        Ok((self.onto(Arc::new(Cpu::new(cpu)?))?, missed))
    }

    /// Loads onto a device that is open.
    pub(super) fn onto<B: Backend>(&self, backend: Arc<B>) -> Result<Box<dyn Network>, LoadError> {
        let dit = Dit::load(&backend, &self.dit, self.dit_config.clone(), self.vocab_size)?;
        let vocos = Vocos::load(&backend, &self.vocoder, self.vocoder_config.clone())?;
        Ok(Box::new(OnDevice { dit: Arc::new(dit), vocos, backend }))
    }
}
