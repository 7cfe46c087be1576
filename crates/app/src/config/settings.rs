//! The settings. Several commands share them.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use clap::{Args, builder::BoolishValueParser};
use f5tts_engine::{
    CfgStrength, SpeechSeconds,
    audio::Format,
    duration::Speed,
    sampler::{
        Method,
        grid::{Nfe, Sway},
    },
    stitch::CrossFade,
    text::pinyin::Edition,
};
use f5tts_service::storage::Secret;

use crate::models;

use super::{
    DataDirectory,
    values::{self, NamedFile, Quality, SampleRate, Seed},
};

/// Which model speaks, and on what.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Model")]
pub(crate) struct ModelSettings {
    /// The model: `auto`, `demo`, a name of `f5tts models list`, a directory or a file of weights
    ///
    /// `auto` takes the best model that is on this machine already, and the small demonstration
    /// model in this program if there is none.
    #[arg(
        long,
        env = "F5TTS_MODEL",
        value_name = "NAME|PATH",
        default_value = "auto"
    )]
    pub(crate) model: String,

    /// The tokens of the model, if they do not lie beside its weights
    #[arg(long, env = "F5TTS_VOCAB", value_name = "FILE")]
    pub(crate) vocab: Option<PathBuf>,

    /// The sizes of the model as YAML or JSON, or the name of an official model
    #[arg(long, env = "F5TTS_MODEL_CONFIG", value_name = "FILE|NAME")]
    pub(crate) model_config: Option<PathBuf>,

    /// The Vocos vocoder: a directory with its weights and `config.yaml`
    #[arg(long, env = "F5TTS_VOCODER", value_name = "DIR")]
    pub(crate) vocoder: Option<PathBuf>,

    /// Where to compute; `auto` takes a GPU if there is one
    #[cfg(feature = "cuda")]
    #[arg(
        long,
        env = "F5TTS_DEVICE",
        value_name = "DEVICE",
        value_enum,
        default_value = "auto"
    )]
    pub(crate) device: values::DeviceChoice,

    /// Threads; one a core by default. They do not change the samples
    #[arg(long, env = "F5TTS_THREADS", value_name = "COUNT", value_parser = values::threads)]
    pub(crate) threads: Option<NonZeroUsize>,

    /// Whose readings of Chinese characters the model was trained with: pypinyin `0.54` or `0.55`
    #[arg(long, env = "F5TTS_PINYIN", value_name = "VERSION", default_value = "0.54", value_parser = values::pinyin)]
    pub(crate) pinyin: Edition,
}

impl ModelSettings {
    /// Where to compute.
    pub(crate) fn device(&self) -> f5tts_engine::Device {
        #[cfg(feature = "cuda")]
        return self.device.into();
        #[cfg(not(feature = "cuda"))]
        f5tts_engine::Device::Cpu
    }
}

/// Where models are kept and come from, as the Hugging Face tools have it.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Models on disk and on the hub")]
pub(crate) struct HubSettings {
    /// A directory of models that is looked at first
    #[arg(long, env = "F5TTS_MODELS_DIR", value_name = "DIR")]
    pub(crate) models_dir: Option<PathBuf>,

    /// The directory of the Hugging Face tools; the cache is `hub` in it
    #[arg(long, env = "HF_HOME", value_name = "DIR", hide_short_help = true)]
    pub(crate) hf_home: Option<PathBuf>,

    /// The cache of the Hugging Face tools, in place of that in `--hf-home`
    #[arg(long, env = "HF_HUB_CACHE", value_name = "DIR", hide_short_help = true)]
    pub(crate) hf_hub_cache: Option<PathBuf>,

    /// The older name of `HF_HUB_CACHE`
    #[arg(
        long,
        env = "TRANSFORMERS_CACHE",
        value_name = "DIR",
        hide_short_help = true
    )]
    pub(crate) transformers_cache: Option<PathBuf>,

    /// The token for models that need one
    #[arg(
        long,
        env = "HF_TOKEN",
        value_name = "TOKEN",
        value_parser = values::secret,
        hide_env_values = true,
        hide_short_help = true
    )]
    pub(crate) hf_token: Option<Secret>,

    /// The hub
    #[arg(
        long,
        env = "HF_ENDPOINT",
        value_name = "URL",
        default_value = "https://huggingface.co",
        hide_short_help = true
    )]
    pub(crate) hf_endpoint: String,

    /// Use what is on this machine and ask no network
    #[arg(
        long,
        env = "HF_HUB_OFFLINE",
        value_parser = BoolishValueParser::new(),
        hide_short_help = true
    )]
    pub(crate) hf_hub_offline: bool,

    #[command(flatten)]
    pub(crate) network: NetworkSettings,
}

/// What writes down what is said in recordings without a transcript.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Transcription")]
pub(crate) struct TranscriptionSettings {
    /// The Whisper model that writes down what is said in a voice without a transcript, or `off`
    ///
    /// It is a repository on the hub, such as `openai/whisper-small`, or a directory. It is loaded when such a voice is
    /// first used, and not before.
    #[arg(
        long,
        env = "ASR_MODEL",
        value_name = "REPOSITORY|DIR|off",
        default_value = "openai/whisper-large-v3-turbo"
    )]
    pub(crate) asr_model: String,

    /// The language of recordings without a transcript, such as `en`, for a model that would have to guess it
    #[arg(
        long,
        env = "ASR_LANGUAGE",
        value_name = "CODE",
        hide_short_help = true
    )]
    pub(crate) asr_language: Option<String>,
}

/// Requests that go out.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Network")]
pub(crate) struct NetworkSettings {
    /// How long one outgoing request may take until it answers, in seconds
    #[arg(
        long,
        env = "REQUEST_TIMEOUT",
        value_name = "SECONDS",
        default_value = "30",
        value_parser = clap::value_parser!(u64).range(1..=3600),
        hide_short_help = true
    )]
    pub(crate) request_timeout: u64,
}

impl NetworkSettings {
    /// How long one outgoing request may take.
    pub(crate) const fn timeout(self) -> Duration {
        Duration::from_secs(self.request_timeout)
    }
}

impl HubSettings {
    /// The same for those who look for models, with the places that have no flag.
    #[expect(
        clippy::disallowed_methods,
        reason = "here is where the environment is read"
    )]
    pub(crate) fn for_models(&self) -> models::HubSettings {
        let cache = std::env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty());
        models::HubSettings {
            models_dir: self.models_dir.clone(),
            hf_hub_cache: self.hf_hub_cache.clone(),
            hf_home: self.hf_home.clone(),
            transformers_cache: self.transformers_cache.clone(),
            xdg_cache_home: cache.map(PathBuf::from),
            home: std::env::home_dir(),
            hf_endpoint: self.hf_endpoint.trim_end_matches('/').to_owned(),
            hf_token: self.hf_token.clone(),
            hf_hub_offline: self.hf_hub_offline,
            request_timeout: self.network.timeout(),
        }
    }
}

/// Who speaks.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Voice")]
pub(crate) struct VoiceSettings {
    /// The voice: `rms` or `slt`, another known name, or a recording of 3 to 12 seconds
    ///
    /// A recording needs its transcript: `--ref-text`, or a text file of the same name beside it
    /// (`anna.wav`, `anna.txt`). Known are the two voices in this program, those that
    /// `f5tts voices add` stored on this machine, or those of `--voices-dir` in their place, and
    /// those of `--add-voice`.
    #[arg(long, env = "F5TTS_DEFAULT_VOICE", value_name = "NAME|FILE", default_value = crate::demo::DEFAULT_VOICE)]
    pub(crate) voice: String,

    /// What is said in the recording, word for word
    #[arg(long, env = "F5TTS_REF_TEXT", value_name = "TEXT")]
    pub(crate) ref_text: Option<String>,

    /// A directory of recordings, each with its transcript beside it [default: `voices` in `--data-dir`]
    #[arg(long, env = "F5TTS_VOICES_DIR", value_name = "DIR")]
    pub(crate) voices_dir: Option<PathBuf>,

    /// One more voice; may be repeated
    #[arg(
        long,
        env = "F5TTS_ADD_VOICE",
        value_name = "NAME=FILE",
        value_delimiter = ',',
        value_parser = NamedFile::parse
    )]
    pub(crate) add_voice: Vec<NamedFile>,

    /// `[name]` in the text chooses the voice from there on and is not spoken
    #[arg(long, env = "F5TTS_MULTI_VOICE", value_parser = BoolishValueParser::new())]
    pub(crate) multi_voice: bool,

    #[command(flatten)]
    pub(crate) data: DataDirectory,
}

impl VoiceSettings {
    /// The directory of voices: the one that was named, else that of the store if it is there.
    pub(crate) fn directory(&self) -> Option<PathBuf> {
        let stored = || self.data.path().map(|data| data.join("voices"));
        let named = self.voices_dir.clone();
        named.or_else(|| stored().filter(|directory| directory.is_dir()))
    }
}

/// Who speaks where a request names no voice.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Voice")]
pub(crate) struct DefaultVoice {
    /// The voice of requests that name none
    #[arg(long, env = "F5TTS_DEFAULT_VOICE", value_name = "NAME", default_value = crate::demo::DEFAULT_VOICE)]
    pub(crate) voice: String,
}

/// How it is spoken.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Speech")]
pub(crate) struct SpeechSettings {
    /// The pace, against the recording's: 0.5 to 2
    #[arg(long, env = "F5TTS_SPEED", value_name = "FACTOR", default_value = "1", value_parser = values::speed)]
    pub(crate) speed: Speed,

    /// How long the speech shall be, in place of the pace
    #[arg(long, env = "F5TTS_DURATION_SECONDS", value_name = "SECONDS", value_parser = values::speech_seconds)]
    pub(crate) duration_seconds: Option<SpeechSeconds>,

    /// Equal seeds give equal speech; random by default, and always told
    #[arg(long, env = "F5TTS_SEED", value_name = "NUMBER", value_parser = Seed::parse)]
    pub(crate) seed: Option<Seed>,

    /// Steps: 7, 16 or 32 [default: what the model's configuration says, or best]
    #[arg(long, env = "F5TTS_QUALITY", value_name = "QUALITY")]
    pub(crate) quality: Option<Quality>,

    /// Steps from noise to speech, 1 to 128; beats --quality
    #[arg(long, alias = "nfe", env = "F5TTS_NFE_STEP", value_name = "STEPS", value_parser = values::nfe)]
    pub(crate) nfe_step: Option<Nfe>,

    /// How strongly text and voice guide, 0 to 10; 0 halves the work
    #[arg(long, env = "F5TTS_CFG_STRENGTH", value_name = "STRENGTH", default_value = "2", value_parser = values::cfg_strength)]
    pub(crate) cfg_strength: CfgStrength,

    /// Below 0, steps crowd near the noise: -1 to 1, or `none`
    #[arg(
        long,
        env = "F5TTS_SWAY_SAMPLING_COEF",
        value_name = "NUMBER",
        default_value = "-1",
        allow_negative_numbers = true,
        value_parser = values::sway
    )]
    pub(crate) sway_sampling_coef: Sway,

    /// How the steps are taken: `euler`, or `midpoint` with two evaluations a step
    #[arg(long, env = "F5TTS_METHOD", value_name = "METHOD", default_value = "euler", value_parser = values::method)]
    pub(crate) method: Method,

    /// How long neighbouring chunks of a long text overlap, 0 to 1
    #[arg(long, env = "F5TTS_CROSS_FADE_DURATION", value_name = "SECONDS", default_value = "0.15", value_parser = values::cross_fade)]
    pub(crate) cross_fade_duration: CrossFade,

    /// Shorten pauses of a second and more
    #[arg(long, env = "F5TTS_REMOVE_SILENCE", value_parser = BoolishValueParser::new())]
    pub(crate) remove_silence: bool,

    #[command(flatten)]
    pub(crate) limit: TextLimit,
}

/// How much text is spoken.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct TextLimit {
    /// The longest text that is accepted
    #[arg(
        long,
        env = "F5TTS_MAX_CHARACTERS",
        value_name = "COUNT",
        default_value = "20000",
        value_parser = clap::value_parser!(u32).range(1..=10_000_000),
        hide_short_help = true
    )]
    pub(crate) max_characters: u32,
}

/// What the file is like.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputSettings {
    /// The format, if the name of the file does not tell it
    #[arg(long, env = "F5TTS_FORMAT", value_name = "FORMAT", value_parser = values::format)]
    pub(crate) format: Option<Format>,

    /// Samples a second, 8000 to 48000
    #[arg(
        long,
        env = "F5TTS_SAMPLE_RATE",
        value_name = "HERTZ",
        default_value = "24000",
        value_parser = SampleRate::parse
    )]
    pub(crate) sample_rate: SampleRate,
}
