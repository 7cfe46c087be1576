//! Parts of the work alone, for measurements.

use f5tts_kernels::Items;

use super::{Engine, network::Sampling};
use crate::{
    MEL_CHANNELS,
    error::SampleError,
    sampler::{Method, SampleRequest, Schedule, noise::NoiseGenerator},
    stop::Stop,
};

/// What is measured. The values do not matter to the time; equal seeds give equal ones.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Mel frames, the reference's included.
    pub frames: usize,
    /// Seed of noise and reference.
    pub seed: u64,
}

/// A sampling that makes one evaluation at a time, with guidance: a batch of two.
#[derive(Debug)]
pub struct Evaluations {
    sampler: Box<dyn Sampling>,
}

/// A third of the frames is the reference, as with a usual voice and text.
const REFERENCE_SHARE: usize = 3;
/// Frames of a character in usual speech.
const FRAMES_PER_TOKEN: usize = 6;

impl Engine {
    /// A sampling of `count` evaluations with random noise, tokens and reference.
    ///
    /// # Errors
    /// A fault of the device.
    pub fn evaluations(&self, workload: Workload, count: u16) -> Result<Evaluations, SampleError> {
        let Workload { frames, seed } = workload;
        let mut noise = NoiseGenerator::new(seed);
        let reference = frames / REFERENCE_SHARE;
        let mut conditioning = noise.normal(reference * MEL_CHANNELS);
        conditioning.resize(frames * MEL_CHANNELS, 0.0);
        let grid: Vec<f32> = (0..=count)
            .map(|step| f32::from(step) / f32::from(count.max(1)))
            .collect();
        let request = SampleRequest {
            conditioning,
            known: (0..frames).map(|frame| frame < reference).collect(),
            text_ids: self.any_tokens(frames / FRAMES_PER_TOKEN),
            noise: noise.normal(frames * MEL_CHANNELS),
            schedule: Schedule::new(&grid, Method::Euler, 2.0),
        };
        let mut sampler = self.network.sampling();
        sampler.admit(request)?;
        Ok(Evaluations { sampler })
    }

    /// Tokens of the vocabulary, one after the other, as if all had the same frequency.
    fn any_tokens(&self, count: usize) -> Vec<u32> {
        let size = u32::try_from(self.text.vocab.size()).unwrap_or(u32::MAX);
        (0..size.max(1)).cycle().take(count).collect()
    }

    /// Makes random frames audible and returns the number of samples.
    ///
    /// # Errors
    /// A fault of the device.
    pub fn vocode_noise(&self, workload: Workload) -> Result<usize, SampleError> {
        let mel = NoiseGenerator::new(workload.seed).normal(workload.frames * MEL_CHANNELS);
        let waves = self.network.decode(&mel, &Items::single(workload.frames))?;
        Ok(waves.iter().map(Vec::len).sum())
    }
}

impl Evaluations {
    /// Makes the next evaluation, if one is left.
    ///
    /// # Errors
    /// A fault of the device, a stop, or values that are not finite.
    pub fn step(&mut self, stop: &Stop) -> Result<(), SampleError> {
        let done = self.sampler.step(stop)?;
        done.into_iter()
            .try_for_each(|sampled| sampled.mel.map(drop))
    }
}
