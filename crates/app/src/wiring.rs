//! From settings to a loaded engine and its options.

use std::{fs::File, io::Read, path::Path};

use anyhow::{Context, anyhow, ensure};
use f5tts_engine::{
    Engine, EngineOptions, ModelParts, Silence, SpeakOptions,
    checkpoint::{Checkpoint, CheckpointError},
    model::config::{ModelConfig, ModelDefaults, VocosConfig},
    sampler::grid::Nfe,
    text::vocab::Vocab,
};

use crate::{
    config::{HubSettings, ModelSettings, SpeechSettings},
    demo,
    failure::{Failure, say},
    models::{self, ConfigSource, FileSource, ModelFiles, ModelsError, Overrides},
};

/// Vocabularies and configurations are smaller.
const MAX_BYTES: u64 = 32 << 20;
/// So many warnings about a vocabulary tell that it is a bad one.
const MOST_WARNINGS: usize = 3;

/// Finds the files of the model.
pub(crate) fn find(model: &ModelSettings, hub: &HubSettings) -> Result<ModelFiles, Failure> {
    let overrides = Overrides {
        vocab: model.vocab.clone(),
        config: model.model_config.clone(),
        vocoder: model.vocoder.clone(),
    };
    Ok(models::resolve(&model.model, &overrides, &hub.for_models())?)
}

/// Loads the model.
pub(crate) fn load(files: &ModelFiles, settings: &ModelSettings) -> Result<Engine, Failure> {
    let options = EngineOptions {
        device: settings.device(),
        threads: settings.threads,
        pinyin: settings.pinyin,
    };
    let engine = read(files).and_then(|parts| Ok(Engine::load(parts, &options)?));
    let engine = engine.with_context(|| format!("could not load the model {}", files.name))?;
    if let Some(reason) = engine.missed_gpu() {
        say(format_args!("warning: {reason}; speaking on the processor"));
    }
    Ok(engine)
}

impl From<ModelsError> for Failure {
    fn from(error: ModelsError) -> Self {
        if error.is_bad_input() {
            Self::BadInput(error.into())
        } else {
            Self::Failed(error.into())
        }
    }
}

fn read(files: &ModelFiles) -> anyhow::Result<ModelParts> {
    let vocab = match &files.vocab {
        FileSource::Embedded => Vocab::parse(demo::VOCAB)?,
        FileSource::File(path) => parse_file(path, |bytes| Ok(Vocab::parse(bytes)?))?,
    };
    for warning in vocab.warnings().iter().take(MOST_WARNINGS) {
        say(format_args!("warning: {warning}"));
    }
    Ok(ModelParts {
        name: files.name.clone(),
        checkpoint: checkpoint(&files.checkpoint, demo::checkpoint)?,
        config: match &files.config {
            ConfigSource::Embedded => ModelConfig::parse(demo::CONFIG)?,
            ConfigSource::File(path) => parse_file(path, model_config)?,
            ConfigSource::Preset(name) => {
                ModelConfig::preset(name).ok_or_else(|| anyhow!("there is no preset `{name}`"))?
            }
        },
        vocab,
        vocoder: checkpoint(&files.vocoder_checkpoint, demo::vocoder)?,
        vocoder_config: match &files.vocoder_config {
            FileSource::Embedded => VocosConfig::parse(demo::VOCODER_CONFIG)?,
            FileSource::File(path) => parse_file(path, vocos_config)?,
        },
    })
}

fn checkpoint(
    source: &FileSource,
    embedded: fn() -> Result<Checkpoint, CheckpointError>,
) -> Result<Checkpoint, CheckpointError> {
    match source {
        FileSource::Embedded => embedded(),
        FileSource::File(path) => Checkpoint::open(path),
    }
}

fn model_config(bytes: &[u8]) -> anyhow::Result<ModelConfig> {
    Ok(ModelConfig::parse(std::str::from_utf8(bytes)?)?)
}

fn vocos_config(bytes: &[u8]) -> anyhow::Result<VocosConfig> {
    Ok(VocosConfig::parse(std::str::from_utf8(bytes)?)?)
}

fn parse_file<T>(path: &Path, parse: impl Fn(&[u8]) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let mut bytes = Vec::new();
    let parsed = File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .context("could not read it")
        .and_then(|_| {
            ensure!(bytes.len() as u64 <= MAX_BYTES, "it has more than {MAX_BYTES} bytes");
            parse(&bytes)
        });
    parsed.with_context(|| format!("`{}`", path.display()))
}

/// The options of a request to this model.
pub(crate) fn speak_options(
    speech: &SpeechSettings,
    model: ModelDefaults,
    seed: u64,
) -> SpeakOptions {
    SpeakOptions {
        nfe: steps(speech, model),
        method: speech.method,
        cfg_strength: speech.cfg_strength,
        sway: speech.sway_sampling_coef,
        speed: speech.speed,
        duration: speech.duration_seconds,
        cross_fade: speech.cross_fade_duration,
        seed,
        silence: if speech.remove_silence {
            Silence::Remove
        } else {
            Silence::Keep
        },
    }
}

/// A number of steps beats a quality, which beats what the model's configuration says.
fn steps(speech: &SpeechSettings, model: ModelDefaults) -> Nfe {
    let quality = speech.quality.map(|quality| quality.steps());
    speech.nfe_step.or(quality).unwrap_or_else(|| model.nfe())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn steps_of(flags: &[&str], model: Option<usize>) -> usize {
        let arguments = [&["f5tts", "say", "Hello.", "-o", "a.wav"], flags].concat();
        let Command::Say(say) = Cli::parse_from(arguments).command else {
            panic!("another command")
        };
        steps(&say.speech, ModelDefaults { nfe_step: model }).get()
    }

    #[test]
    fn steps_beat_quality_and_that_the_model_and_that_the_official_default() {
        assert_eq!(steps_of(&["--nfe", "5", "--quality", "fast"], Some(12)), 5);
        assert_eq!(steps_of(&["--quality", "fast"], Some(12)), 7);
        assert_eq!(steps_of(&["--quality", "balanced"], None), 16);
        assert_eq!(steps_of(&["--quality", "best"], Some(12)), 32);
        assert_eq!(steps_of(&[], Some(12)), 12);
        assert_eq!(steps_of(&[], None), 32);
    }
}
