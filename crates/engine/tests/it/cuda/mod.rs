//! The engine on the emulation of a GPU: the official goldens, batches, recordings and memory.

mod goldens;
mod memory;
mod sampling;
#[path = "../../../examples/cuda_check/weights.rs"]
mod weights;

use std::{
    num::NonZeroUsize,
    sync::{Arc, LazyLock},
};

use f5tts_engine::{
    MEL_CHANNELS, SampleError, Stop,
    checkpoint::{Checkpoint, Weights},
    model::{
        config::{DitConfig, VocosConfig},
        dit::Dit,
        vocos::Vocos,
    },
    sampler::{
        Method, SampleRequest, Sampler, Schedule,
        grid::{Nfe, Spacing, Sway, times},
        noise::NoiseGenerator,
    },
};
use f5tts_kernels::{Backend, Cpu, CpuOptions, Cuda, CudaOptions};

/// Memory is not a number before it is written to, and freed at once when it is given back.
fn options() -> CudaOptions {
    CudaOptions {
        threads: NonZeroUsize::new(1),
        idle_bytes: 0,
        poisoned: true,
        ..CudaOptions::default()
    }
}

fn emulated() -> Arc<Cuda> {
    Arc::new(Cuda::emulated(options()).unwrap())
}

fn cpu() -> Arc<Cpu> {
    Arc::new(Cpu::new(CpuOptions::default()).unwrap())
}

/// The times of some steps, those of EPSS where there are.
fn grid(steps: u32) -> Vec<f32> {
    times(Nfe::try_from(steps).unwrap(), Spacing::Pruned, Sway::default())
}

/// Random networks, small but with heads as wide as those of the real ones.
struct Networks<B: Backend> {
    dit: Arc<Dit<B>>,
    vocos: Vocos<B>,
    backend: Arc<B>,
}

const VOCAB: usize = 30;

impl<B: Backend> Networks<B> {
    fn load(backend: &Arc<B>) -> Self {
        static FILES: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
            let folder = tempfile::tempdir().unwrap();
            let path = |name| folder.path().join(name);
            weights::write_dit(&path("dit.safetensors"), &dit_config(), VOCAB).unwrap();
            weights::write_vocos(&path("vocos.safetensors"), &vocos_config()).unwrap();
            folder
        });
        let open = |name| Arc::new(Checkpoint::open(&FILES.path().join(name)).unwrap());
        let weights = Arc::new(Weights::dit(open("dit.safetensors")).unwrap());
        let vocoder = Weights::vocos(open("vocos.safetensors")).unwrap();
        Self {
            dit: Arc::new(Dit::load(backend, &weights, dit_config(), VOCAB).unwrap()),
            vocos: Vocos::load(backend, &vocoder, vocos_config()).unwrap(),
            backend: Arc::clone(backend),
        }
    }

    fn sampler(&self) -> Sampler<B> {
        Sampler::new(&self.dit, &self.backend)
    }

    /// The mel of a request alone.
    fn sample(&self, request: SampleRequest) -> Result<Vec<f32>, SampleError> {
        let mut sampler = self.sampler();
        sampler.admit(request)?;
        loop {
            if let Some(sampled) = sampler.step(&Stop::default())?.pop() {
                return sampled.mel;
            }
        }
    }
}

fn dit_config() -> DitConfig {
    DitConfig {
        dim: 64,
        depth: 2,
        heads: 2,
        dim_head: 64,
        text_dim: 24,
        conv_layers: 1,
        ..DitConfig::f5tts_v1_base()
    }
}

fn vocos_config() -> VocosConfig {
    VocosConfig {
        dim: 40,
        intermediate_dim: 72,
        num_layers: 2,
        ..VocosConfig::vocos_mel_24khz()
    }
}

/// A request after a reference of a third of its frames.
fn request(frames: usize, schedule: Schedule) -> SampleRequest {
    let mut noise = NoiseGenerator::new(frames as u64);
    let reference = frames / 3;
    let mut conditioning = noise.normal(reference * MEL_CHANNELS);
    conditioning.resize(frames * MEL_CHANNELS, 0.0);
    SampleRequest {
        conditioning,
        known: (0..frames).map(|frame| frame < reference).collect(),
        text_ids: (0..30).cycle().take(frames / 3).collect(),
        noise: noise.normal(frames * MEL_CHANNELS),
        schedule,
    }
}

fn guided(steps: u32) -> Schedule {
    Schedule::new(&grid(steps), Method::Euler, 2.0)
}
