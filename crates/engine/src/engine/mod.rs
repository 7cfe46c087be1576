//! The stages from text to speech, in order.

use std::{num::NonZeroUsize, time::Instant};

use f5tts_kernels::Items;

use crate::{
    MEL_CHANNELS, SAMPLE_RATE_HZ,
    align::Aligner,
    audio,
    checkpoint::Checkpoint,
    error::{LoadError, SampleError, SpeakError},
    model::config::{ModelConfig, VocosConfig},
    observer::{Observer, Progress},
    options::{Silence, SpeakOptions},
    plan::{PlannedChunk, TextStage},
    sampler::{
        SampleRequest, Schedule,
        grid::{self, Spacing},
        noise::NoiseGenerator,
    },
    speech::{Chunk, Speech, StageTimes},
    stitch::{self, Joined},
    stop::Stop,
    text::{pinyin::Edition, tokenize::Tokenizer, vocab::Vocab},
    voice::Voice,
    warning::Warning,
};

mod measure;
mod network;
#[cfg(test)]
mod parity;

pub use measure::{Evaluations, Workload};
pub use network::Device;
use network::{Loader, Network};

/// The parts of a model, read but not yet on a device.
#[derive(Debug)]
pub struct ModelParts {
    /// Its name, for answers and logs.
    pub name: String,
    /// The DiT's weights.
    pub checkpoint: Checkpoint,
    /// The DiT's sizes and switches.
    pub config: ModelConfig,
    /// The tokens.
    pub vocab: Vocab,
    /// Vocos's weights.
    pub vocoder: Checkpoint,
    /// Vocos's sizes.
    pub vocoder_config: VocosConfig,
}

/// How an engine runs.
#[derive(Clone, Debug, Default)]
pub struct EngineOptions {
    /// Where the networks are computed.
    pub device: Device,
    /// Threads; by default one a core. They do not change the samples.
    pub threads: Option<NonZeroUsize>,
    /// Whose readings of Chinese characters are used.
    pub pinyin: Edition,
}

/// One stretch of text in one voice.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// Who speaks.
    pub voice: &'a Voice,
    /// What is said.
    pub text: &'a str,
}

/// A loaded model that speaks.
///
/// It holds no state between calls, and may be shared between threads.
///
/// ```
/// use std::{fs, path::Path};
///
/// use f5tts_engine::{
///     Engine, EngineOptions, ModelParts, Part, SpeakOptions, Stop, Voice,
///     checkpoint::Checkpoint,
///     model::config::{ModelConfig, VocosConfig},
///     sampler::grid::Nfe,
///     text::vocab::Vocab,
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let model = Path::new("../../models/demo");
/// let parts = ModelParts {
///     name: "demo".to_owned(),
///     checkpoint: Checkpoint::open(&model.join("model.safetensors"))?,
///     config: ModelConfig::parse(&fs::read_to_string(model.join("config.yaml"))?)?,
///     vocab: Vocab::parse(&fs::read(model.join("vocab.txt"))?)?,
///     vocoder: Checkpoint::open(&model.join("vocoder/pytorch_model.bin"))?,
///     vocoder_config: VocosConfig::parse(&fs::read_to_string(model.join("vocoder/config.yaml"))?)?,
/// };
/// let engine = Engine::load(parts, &EngineOptions::default())?;
///
/// let recording = fs::read(model.join("voices/slt.wav"))?;
/// let transcript = fs::read_to_string(model.join("voices/slt.txt"))?;
/// let voice = Voice::from_bytes(&recording, &transcript)?;
///
/// let part = Part { voice: &voice, text: "Good morning." };
/// let options = SpeakOptions { nfe: Nfe::try_from(5)?, seed: 7, ..SpeakOptions::default() };
/// let speech = engine.speak(&[part], &options, &mut (), &Stop::default())?;
/// assert!((0.5..2.0).contains(&speech.seconds()));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Engine {
    name: String,
    config: ModelConfig,
    text: TextStage,
    network: Box<dyn Network>,
    missed_gpu: Option<String>,
}

impl Engine {
    /// Brings a model to the device.
    ///
    /// The checkpoint's file is read as long as the engine lives: replace it by renaming, never in place.
    ///
    /// # Errors
    /// A tensor that is missing, surplus or of another shape than the configuration says, named.
    pub fn load(parts: ModelParts, options: &EngineOptions) -> Result<Self, LoadError> {
        Self::with_network(parts, options.pinyin, |loader| loader.load(options))
    }

    /// Brings a model to a device that is open: for tests, which look at the device meanwhile.
    ///
    /// # Errors
    /// As [`Self::load`].
    #[cfg(feature = "cuda-emulation")]
    pub fn load_onto<B: f5tts_kernels::Backend>(
        parts: ModelParts,
        backend: std::sync::Arc<B>,
    ) -> Result<Self, LoadError> {
        Self::with_network(parts, Edition::default(), |loader| Ok((loader.onto(backend)?, None)))
    }

    fn with_network(
        parts: ModelParts,
        pinyin: Edition,
        load: impl FnOnce(&Loader) -> Result<(Box<dyn Network>, Option<String>), LoadError>,
    ) -> Result<Self, LoadError> {
        parts.vocab.check_rows(parts.vocab.size() + 1)?;
        let configs = (parts.config.dit.clone(), parts.vocoder_config);
        let loader = Loader::new(parts.checkpoint, parts.vocoder, configs, parts.vocab.size())?;
        let (network, missed_gpu) = load(&loader)?;
        Ok(Self {
            name: parts.name,
            config: parts.config,
            text: TextStage { tokenizer: Tokenizer::new(pinyin), vocab: parts.vocab },
            network,
            missed_gpu,
        })
    }

    /// The model's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The model's configuration, with its own defaults.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The device, for people: `cpu (avx2, 2 threads)`.
    pub fn device(&self) -> String {
        self.network.device()
    }

    /// Why [`Device::Auto`] took the processor although this build knows GPUs.
    pub fn missed_gpu(&self) -> Option<&str> {
        self.missed_gpu.as_deref()
    }

    /// Finds when words are spoken, with the dictionaries of this engine.
    pub fn aligner(&self) -> Aligner<'_> {
        Aligner::new(&self.text.tokenizer)
    }

    /// Speaks the parts one after the other.
    ///
    /// All noise comes from one generator, in the order of the text, as the official API draws it with
    /// one worker.
    ///
    /// # Errors
    /// Nothing to speak, a duration that the model cannot take, a stop, or values that are not finite.
    pub fn speak(
        &self,
        parts: &[Part<'_>],
        options: &SpeakOptions,
        observer: &mut dyn Observer,
        stop: &Stop,
    ) -> Result<Speech, SpeakError> {
        let start = Instant::now();
        let chunks = self.text.plan(parts, options)?;
        let mut speech = self.perform(&chunks, options, observer, stop)?;
        speech.times.text = start.elapsed().saturating_sub(speech.times.total());
        speech.warnings = voice_warnings(parts);
        speech.warnings.extend(self.text.warnings(&chunks));
        Ok(speech)
    }

    /// Speaks planned chunks.
    fn perform(
        &self,
        chunks: &[PlannedChunk<'_>],
        options: &SpeakOptions,
        observer: &mut dyn Observer,
        stop: &Stop,
    ) -> Result<Speech, SampleError> {
        let mut times = StageTimes::default();
        let mut takes = Vec::with_capacity(chunks.len());
        let mut noise = NoiseGenerator::new(options.seed);
        for (index, chunk) in chunks.iter().enumerate() {
            let mut stage = Stage { observer, name: format!("chunk{index}") };
            let request = self.request(chunk, options, &mut noise);
            stage.show("noise", MEL_CHANNELS, &request.noise);
            let progress = Progress {
                evaluations_done: index * request.schedule.evaluations().len(),
                evaluations: chunks.len() * request.schedule.evaluations().len(),
                chunk: index,
                chunks: chunks.len(),
            };
            let sampled =
                timed(&mut times.sampling, || self.sample(request, progress, &mut stage, stop))?;
            let mel = sampled[chunk.voice.frames() * MEL_CHANNELS..].to_vec();
            stage.show("mel", MEL_CHANNELS, &mel);
            let wave = timed(&mut times.vocoder, || self.vocode(&mel, chunk.voice))?;
            stage.show("wave", 1, &wave);
            takes.push(Take { mel, wave });
        }
        let mut speech = timed(&mut times.stitch, || join(chunks, takes, options));
        speech.evaluations = chunks.len() * options.method.evaluations(options.nfe);
        speech.times = times;
        Ok(speech)
    }

    fn request(
        &self,
        chunk: &PlannedChunk<'_>,
        options: &SpeakOptions,
        noise: &mut NoiseGenerator,
    ) -> SampleRequest {
        let mel = chunk.voice.mel();
        let mut conditioning = vec![0.0; chunk.frames * MEL_CHANNELS];
        conditioning[..mel.len()].copy_from_slice(mel);
        let known = (0..chunk.frames)
            .map(|frame| frame < chunk.voice.mel_frames())
            .collect();
        let grid = grid::times(options.nfe, Spacing::default(), options.sway);
        SampleRequest {
            conditioning,
            known,
            text_ids: self.text.vocab.ids(&chunk.tokens),
            noise: noise.normal(chunk.frames * MEL_CHANNELS),
            schedule: Schedule::new(&grid, options.method, options.cfg_strength.get()),
        }
    }

    /// The mel of one request: (frames, 100), the reference's frames included.
    fn sample(
        &self,
        request: SampleRequest,
        mut progress: Progress,
        stage: &mut Stage<'_>,
        stop: &Stop,
    ) -> Result<Vec<f32>, SampleError> {
        let mut sampler = self.network.sampling();
        sampler.admit(request)?;
        stage.observer.progress(progress);
        loop {
            let done = sampler.step(stop)?.pop();
            progress.evaluations_done += 1;
            stage.observer.progress(progress);
            if let Some(sampled) = done {
                return sampled.mel;
            }
        }
    }

    /// The wave of a generated mel, at the level of the voice's recording.
    fn vocode(&self, mel: &[f32], voice: &Voice) -> Result<Vec<f32>, SampleError> {
        let items = Items::single(mel.len() / MEL_CHANNELS);
        let mut wave = self.network.decode(mel, &items)?.pop().unwrap_or_default();
        if !wave.iter().all(|sample| sample.is_finite()) {
            return Err(SampleError::NotFiniteWave);
        }
        let gain = voice.output_gain();
        if gain < 1.0 {
            wave.iter_mut().for_each(|sample| *sample *= gain);
        }
        Ok(wave)
    }
}

/// What a chunk became.
struct Take {
    mel: Vec<f32>,
    wave: Vec<f32>,
}

/// Hands the observer the results of one chunk.
struct Stage<'a> {
    observer: &'a mut dyn Observer,
    name: String,
}

impl Stage<'_> {
    fn show(&mut self, what: &str, columns: usize, values: &[f32]) {
        let shape = [values.len() / columns, columns];
        let shape = if columns == 1 {
            &shape[..1]
        } else {
            &shape[..]
        };
        self.observer
            .stage(&format!("{}.{what}", self.name), shape, values);
    }
}

/// Chunks of one part fade into each other; parts follow each other as they are.
fn join(chunks: &[PlannedChunk<'_>], takes: Vec<Take>, options: &SpeakOptions) -> Speech {
    let mut described = Vec::with_capacity(chunks.len());
    let mut parts: Vec<(usize, Vec<&[f32]>)> = Vec::new();
    for (chunk, take) in chunks.iter().zip(&takes) {
        match parts.last_mut() {
            Some((part, waves)) if *part == chunk.part => waves.push(&take.wave),
            _ => parts.push((chunk.part, vec![&take.wave])),
        }
    }
    let Joined { samples, starts } = stitch::concatenate(
        parts
            .iter()
            .map(|(_, waves)| stitch::cross_fade(waves, options.cross_fade)),
    );
    for ((chunk, take), start_sample) in chunks.iter().zip(&takes).zip(starts) {
        described.push(Chunk {
            text: chunk.text.clone(),
            part: chunk.part,
            frames: take.mel.len() / MEL_CHANNELS,
            start_sample,
            samples: take.wave.len(),
        });
    }
    let (samples, kept) = match options.silence {
        Silence::Keep => (samples, None),
        Silence::Remove => {
            let kept = audio::remove_silence(&samples, SAMPLE_RATE_HZ);
            (kept.samples, Some(kept.ranges))
        }
    };
    Speech {
        samples,
        sample_rate_hz: SAMPLE_RATE_HZ,
        mel: takes.into_iter().flat_map(|take| take.mel).collect(),
        chunks: described,
        kept,
        evaluations: 0,
        times: StageTimes::default(),
        warnings: Vec::new(),
    }
}

/// The warnings of all voices, each voice's once.
fn voice_warnings(parts: &[Part<'_>]) -> Vec<Warning> {
    let mut warnings: Vec<Warning> = Vec::new();
    for warning in parts.iter().flat_map(|part| part.voice.warnings()) {
        if !warnings.contains(warning) {
            warnings.push(warning.clone());
        }
    }
    warnings
}

fn timed<T>(total: &mut std::time::Duration, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    *total += start.elapsed();
    result
}
