//! What writes down what is said in recordings without a transcript: Whisper, brought and loaded when it is needed.

use std::{num::NonZeroUsize, path::Path, sync::Arc, time::Duration};

use f5tts_asr::{AsrError, ModelFiles, Options, Transcript, Whisper};
use f5tts_engine::Device;
use f5tts_kernels::{Backend, Cpu, CpuOptions, open_gpu};
use f5tts_service::{
    storage::Storage,
    transcription::{Heard, Listening, TranscribeError, Transcriber, Transcription},
};

use crate::{
    config::{HubSettings, TranscriptionSettings},
    models::{self, Role, TerminalProgress},
};

/// The model that stands for none.
const OFF: &str = "off";
/// People press Ctrl-C.
const NO_LIMIT: Duration = Duration::from_secs(24 * 3600);
/// How often it is asked whether something has changed.
const PAUSE: Duration = Duration::from_millis(200);

/// What hears recordings for a command, for as long as it takes.
pub(crate) fn for_people(
    settings: &TranscriptionSettings,
    hub: &HubSettings,
    device: Device,
    threads: Option<NonZeroUsize>,
) -> Transcription {
    transcription(settings, hub, Means { device, threads, bucket: None, limit: NO_LIMIT })
}

/// What hearing may take.
pub(crate) struct Means {
    pub(crate) device: Device,
    /// As many as there are processors if none are given.
    pub(crate) threads: Option<NonZeroUsize>,
    /// Where the model may lie.
    pub(crate) bucket: Option<Arc<dyn Storage>>,
    /// How long a recording may take.
    pub(crate) limit: Duration,
}

/// What hears recordings.
pub(crate) fn transcription(
    settings: &TranscriptionSettings,
    hub: &HubSettings,
    means: Means,
) -> Transcription {
    if settings.asr_model.eq_ignore_ascii_case(OFF) {
        return Transcription::absent();
    }
    let recogniser = Recogniser {
        model: settings.asr_model.clone(),
        options: Options { language: settings.asr_language.clone() },
        hub: hub.for_models(),
        device: means.device,
        threads: means.threads,
        bucket: means.bucket,
    };
    Transcription::by(Arc::new(recogniser), means.limit)
}

#[derive(Debug)]
struct Recogniser {
    /// A directory, or a repository on the hub.
    model: String,
    options: Options,
    hub: models::HubSettings,
    device: Device,
    threads: Option<NonZeroUsize>,
    bucket: Option<Arc<dyn Storage>>,
}

impl Transcriber for Recogniser {
    fn model(&self) -> &str {
        &self.model
    }

    fn transcribe(&self, task: &Listening) -> Result<Heard, TranscribeError> {
        let files = self.files(task)?;
        task.begun.notify_one();
        let transcript = self
            .hear(task, &files)
            .map_err(|error| self.failure(error))?;
        Ok(Heard {
            text: transcript.text,
            language: transcript.language,
            mean_log_probability: transcript.mean_log_probability.into(),
            no_speech_probability: transcript.no_speech_probability.map(Into::into),
            compression_ratio: transcript.compression_ratio.into(),
        })
    }
}

impl Recogniser {
    /// Writes down what is said, on the device that there is.
    fn hear(&self, task: &Listening, files: &ModelFiles) -> Result<Transcript, AsrError> {
        match self.device {
            Device::Cpu => self.hear_on(self.processor()?, task, files),
            Device::Cuda => self.hear_on(open_gpu(self.threads)?, task, files),
            Device::Auto => match open_gpu(self.threads) {
                Ok(gpu) => self.hear_on(gpu, task, files),
                Err(_) => self.hear_on(self.processor()?, task, files),
            },
        }
    }

    fn processor(&self) -> Result<Cpu, AsrError> {
        Ok(Cpu::new(CpuOptions { threads: self.threads, ..CpuOptions::default() })?)
    }

    fn hear_on<B: Backend>(
        &self,
        device: B,
        task: &Listening,
        files: &ModelFiles,
    ) -> Result<Transcript, AsrError> {
        let whisper = Whisper::load(Arc::new(device), files)?;
        whisper.transcribe(&task.samples, task.sample_rate_hz, &self.options, &task.stop)
    }

    /// The files of the model, which are fetched if need be.
    fn files(&self, task: &Listening) -> Result<ModelFiles, TranscribeError> {
        let directory = Path::new(&self.model);
        if directory.is_dir() {
            return ModelFiles::in_directory(directory).map_err(|error| self.failure(error));
        }
        if !models::is_repository(&self.model) {
            let reason = "it is neither a directory nor a repository on the hub, such as openai/whisper-small";
            return Err(self.unusable(&anyhow::anyhow!(reason)));
        }
        if let Some(bucket) = &self.bucket {
            let brought = async {
                tokio::select! {
                    brought = models::fetch_whisper_from_bucket(&self.model, &self.hub, bucket) => {
                        brought.map_err(|error| self.unusable(&error.into()))
                    }
                    () = stopped(task) => Err(TranscribeError::Stopped),
                }
            };
            // This runs on a thread that the runtime keeps for work that waits.
            tokio::runtime::Handle::current().block_on(brought)?;
        }
        let stop = task.stop.clone();
        let mut progress = TerminalProgress::new(move || stop.is_stopped());
        let mut get = || models::get(&self.model, &self.hub, &mut progress);
        let mut got = get();
        // Another worker fetches the same into a cache that they share.
        while matches!(got, Err(models::ModelsError::Locked { .. })) && !task.stop.is_stopped() {
            std::thread::sleep(PAUSE);
            got = get();
        }
        got.and_then(|_| models::path(&self.model, &self.hub))
            .map_err(|error| {
                if task.stop.is_stopped() {
                    return TranscribeError::Stopped;
                }
                self.unusable(&error.into())
            })
            .and_then(|paths| {
                let find = |role| {
                    let path = paths.of(role).map(Path::to_owned);
                    path.ok_or_else(|| self.unusable(&anyhow::anyhow!("a file of it is missing")))
                };
                Ok(ModelFiles {
                    config: find(Role::Config)?,
                    generation_config: paths.of(Role::Generation).map(Path::to_owned),
                    tokenizer: find(Role::Vocab)?,
                    weights: find(Role::Checkpoint)?,
                })
            })
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all others are about the model"
    )]
    fn failure(&self, error: AsrError) -> TranscribeError {
        match error {
            AsrError::Stopped => TranscribeError::Stopped,
            AsrError::NoSpeech => TranscribeError::NoSpeech,
            AsrError::Recording(reason) => TranscribeError::Recording { reason: reason.to_owned() },
            AsrError::Kernel(f5tts_kernels::Error::Memory { .. }) => TranscribeError::OutOfMemory {
                model: self.model.clone(),
                reason: error.to_string(),
            },
            error => self.unusable(&error.into()),
        }
    }

    /// The model cannot be used because of an error and all that led to it.
    fn unusable(&self, error: &anyhow::Error) -> TranscribeError {
        TranscribeError::Model { model: self.model.clone(), reason: format!("{error:#}") }
    }
}

/// Waits until nobody wants the text any more.
async fn stopped(task: &Listening) {
    while !task.stop.is_stopped() {
        tokio::time::sleep(PAUSE).await;
    }
}
