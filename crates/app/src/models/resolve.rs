//! From what the user calls a model to its files.

use std::path::{Path, PathBuf};

use f5tts_engine::model::config::ModelConfig;
use serde::Serialize;

use super::{
    Kind, KnownModel, Role,
    cache::Caches,
    catalogue::{DEMO, KNOWN, OFFICIAL, VOCODER},
    directory::{checkpoints, config_in, names, vocab_in, vocoder_in},
    error::ModelsError,
    settings::HubSettings,
};

/// Files that are given apart from the model.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides {
    /// The tokens.
    pub(crate) vocab: Option<PathBuf>,
    /// The configuration: a file, or the name of an official model.
    pub(crate) config: Option<PathBuf>,
    /// The directory of a vocoder.
    pub(crate) vocoder: Option<PathBuf>,
}

/// The files of a model that speaks. All of them existed when they were looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ModelFiles {
    pub(crate) name: String,
    pub(crate) checkpoint: FileSource,
    pub(crate) vocab: FileSource,
    pub(crate) config: ConfigSource,
    pub(crate) vocoder_checkpoint: FileSource,
    pub(crate) vocoder_config: FileSource,
}

/// Where a file is read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FileSource {
    /// The demonstration model in the program.
    Embedded,
    File(PathBuf),
}

/// Where a configuration is read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ConfigSource {
    /// The demonstration model in the program.
    Embedded,
    /// The built-in configuration of an official model.
    Preset(String),
    File(PathBuf),
}

/// Finds the files of a model.
///
/// `model` is `auto` (the official model if it is here, else the one in the program), `demo`, a
/// known name, the name of a directory in `--models-dir`, or the path of a directory or checkpoint.
pub(crate) fn resolve(
    model: &str,
    overrides: &Overrides,
    settings: &HubSettings,
) -> Result<ModelFiles, ModelsError> {
    let caches = Caches::new(settings);
    match (model, KnownModel::find(model)) {
        (DEMO, _) => demo(overrides),
        ("auto", _) => {
            let official = KnownModel::find(OFFICIAL).expect("the official model is known");
            let is_here = official
                .with_vocoder()
                .all(|part| caches.missing(part).is_empty());
            if is_here {
                from_cache(official, overrides, settings)
            } else {
                demo(overrides)
            }
        }
        (_, Some(known)) if known.kind == Kind::Vocoder => {
            Err(ModelsError::NotAModel { name: model.to_owned() })
        }
        (_, Some(known)) => from_cache(known, overrides, settings),
        (_, None) => {
            let own = own_models(settings)
                .into_iter()
                .find(|(name, _)| name == model);
            let path = own.map_or_else(|| PathBuf::from(model), |(_, path)| path);
            if path.is_dir() {
                from_directory(&path, overrides, &caches)
            } else if path.is_file() {
                from_file(&path, overrides, &caches)
            } else {
                Err(unknown(model))
            }
        }
    }
}

/// The directories with models in `--models-dir`, by name. The hub's own directories are no such.
pub(super) fn own_models(settings: &HubSettings) -> Vec<(String, PathBuf)> {
    let entries = settings
        .models_dir
        .as_ref()
        .and_then(|directory| directory.read_dir().ok());
    let paths = entries
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let named = paths.filter_map(|path| Some((path.file_name()?.to_str()?.to_owned(), path)));
    let is_model = |(name, path): &(String, PathBuf)| {
        !name.starts_with('.') && !name.starts_with("models--") && !checkpoints(path).is_empty()
    };
    let mut models: Vec<_> = named.filter(is_model).collect();
    models.sort();
    models
}

/// Why a known model cannot be used.
pub(super) fn not_fetched(model: &'static KnownModel, settings: &HubSettings) -> ModelsError {
    let (name, how) = (model.name, how_to_place(model, settings));
    let advice = format!("fetch it with `f5tts models get {name}`; without a network, {how}");
    ModelsError::NotFetched { name: name.to_owned(), advice }
}

pub(super) fn unknown(name: &str) -> ModelsError {
    let known: Vec<&str> = KNOWN.iter().map(|model| model.name).collect();
    ModelsError::UnknownModel {
        name: name.to_owned(),
        known: format!("auto, {DEMO}, {}", known.join(", ")),
    }
}

/// Which files to put where on a machine that cannot fetch them.
pub(super) fn how_to_place(model: &'static KnownModel, settings: &HubSettings) -> String {
    let endpoint = &settings.hf_endpoint;
    let files = model.with_vocoder().flat_map(|part| {
        let folder = if part.kind == Kind::Vocoder {
            "vocoder/"
        } else {
            ""
        };
        part.files.iter().map(move |file| {
            let (name, repository, path) = (file.name(), part.repository, file.path);
            format!("`{folder}{name}` from {endpoint}/{repository}/resolve/main/{path}")
        })
    });
    let files: Vec<String> = files.collect();
    let preset = model
        .preset
        .map(|preset| format!(" --model-config {preset}"));
    let flag = match model.kind {
        Kind::Speech => "model",
        Kind::Vocoder => "vocoder",
        Kind::Transcription => "asr-model",
    };
    format!(
        "put these files into a directory DIR and give `--{flag} DIR{}`: {}",
        preset.unwrap_or_default(),
        files.join(", ")
    )
}

fn demo(overrides: &Overrides) -> Result<ModelFiles, ModelsError> {
    let (vocoder_checkpoint, vocoder_config) = match &overrides.vocoder {
        Some(directory) => vocoder_in(directory)?,
        None => (FileSource::Embedded, FileSource::Embedded),
    };
    Ok(ModelFiles {
        name: DEMO.to_owned(),
        checkpoint: FileSource::Embedded,
        vocab: given_vocab(overrides)?.unwrap_or(FileSource::Embedded),
        config: given_config(overrides)?.unwrap_or(ConfigSource::Embedded),
        vocoder_checkpoint,
        vocoder_config,
    })
}

fn from_cache(
    model: &'static KnownModel,
    overrides: &Overrides,
    settings: &HubSettings,
) -> Result<ModelFiles, ModelsError> {
    let caches = Caches::new(settings);
    let find = |role| {
        let file = model.file(role).and_then(|file| caches.find(model, file));
        file.map(FileSource::File)
            .ok_or_else(|| not_fetched(model, settings))
    };
    let preset = || ConfigSource::Preset(model.preset.unwrap_or(model.name).to_owned());
    let vocab = given_vocab(overrides)?;
    let vocoder = match &overrides.vocoder {
        Some(directory) => Some(vocoder_in(directory)?),
        None => cached_vocoder(&caches),
    };
    let (vocoder_checkpoint, vocoder_config) =
        vocoder.ok_or_else(|| not_fetched(model, settings))?;
    Ok(ModelFiles {
        name: model.name.to_owned(),
        checkpoint: find(Role::Checkpoint)?,
        vocab: vocab.map_or_else(|| find(Role::Vocab), Ok)?,
        config: given_config(overrides)?.unwrap_or_else(preset),
        vocoder_checkpoint,
        vocoder_config,
    })
}

fn from_directory(
    directory: &Path,
    overrides: &Overrides,
    caches: &Caches,
) -> Result<ModelFiles, ModelsError> {
    let candidates = checkpoints(directory);
    match candidates.as_slice() {
        [checkpoint] => from_file(checkpoint, overrides, caches),
        [] => Err(ModelsError::Incomplete {
            directory: directory.to_owned(),
            what: "checkpoint",
            advice: "expected is a file such as `model.safetensors` or `model_last.pt`".to_owned(),
        }),
        several => Err(ModelsError::Ambiguous {
            directory: directory.to_owned(),
            what: "checkpoints",
            found: names(several),
            advice: "give the path of one",
        }),
    }
}

/// A checkpoint with what lies beside it.
fn from_file(
    checkpoint: &Path,
    overrides: &Overrides,
    caches: &Caches,
) -> Result<ModelFiles, ModelsError> {
    let directory = match checkpoint.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let vocab = match given_vocab(overrides)? {
        Some(vocab) => vocab,
        None => vocab_in(directory)?,
    };
    let config = match given_config(overrides)? {
        Some(config) => config,
        None => config_in(directory)?,
    };
    let (vocoder_checkpoint, vocoder_config) = match &overrides.vocoder {
        Some(vocoder) => vocoder_in(vocoder)?,
        None if directory.join("vocoder").is_dir() => vocoder_in(&directory.join("vocoder"))?,
        None => cached_vocoder(caches).ok_or_else(|| ModelsError::Incomplete {
            directory: directory.to_owned(),
            what: "directory `vocoder`",
            advice: format!(
                "fetch the official one with `f5tts models get {VOCODER}`, or give `--vocoder`"
            ),
        })?,
    };
    Ok(ModelFiles {
        name: name_of(checkpoint, directory),
        checkpoint: FileSource::File(checkpoint.to_owned()),
        vocab,
        config,
        vocoder_checkpoint,
        vocoder_config,
    })
}

fn cached_vocoder(caches: &Caches) -> Option<(FileSource, FileSource)> {
    let vocoder = KnownModel::find(VOCODER)?;
    let find = |role| {
        caches
            .find(vocoder, vocoder.file(role)?)
            .map(FileSource::File)
    };
    Some((find(Role::Checkpoint)?, find(Role::Config)?))
}

fn given_vocab(overrides: &Overrides) -> Result<Option<FileSource>, ModelsError> {
    match &overrides.vocab {
        None => Ok(None),
        Some(path) if path.is_file() => Ok(Some(FileSource::File(path.clone()))),
        Some(path) => {
            Err(ModelsError::NoSuchFile { what: "file of `--vocab`", path: path.clone() })
        }
    }
}

fn given_config(overrides: &Overrides) -> Result<Option<ConfigSource>, ModelsError> {
    let Some(path) = &overrides.config else {
        return Ok(None);
    };
    if let Some(name) = path
        .to_str()
        .filter(|name| ModelConfig::PRESETS.contains(name))
    {
        return Ok(Some(ConfigSource::Preset(name.to_owned())));
    }
    if path.is_file() {
        return Ok(Some(ConfigSource::File(path.clone())));
    }
    Err(ModelsError::NoSuchFile { what: "file of `--model-config`", path: path.clone() })
}

/// The directory's name, or the file's where that tells more.
fn name_of(checkpoint: &Path, directory: &Path) -> String {
    let absolute = directory.canonicalize();
    let directory = absolute
        .ok()
        .and_then(|path| Some(path.file_name()?.to_str()?.to_owned()));
    let file = checkpoint
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned());
    directory.or(file).unwrap_or_else(|| "model".to_owned())
}
