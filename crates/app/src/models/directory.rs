//! What lies in a directory of a model or vocoder.

use std::path::{Path, PathBuf};

use f5tts_engine::model::config::ModelConfig;

use super::{
    error::ModelsError,
    resolve::{ConfigSource, FileSource},
};

/// The checkpoints in a directory: those called `model…` if there are any, safetensors before pickles.
pub(super) fn checkpoints(directory: &Path) -> Vec<PathBuf> {
    let with = |prefix: &str, extension: &str| {
        let fits = |path: &Path| {
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            name.starts_with(prefix) && path.extension().is_some_and(|found| found == extension)
        };
        files(directory)
            .into_iter()
            .filter(|path| fits(path))
            .collect::<Vec<_>>()
    };
    let kinds = [
        ("model", "safetensors"),
        ("model", "pt"),
        ("", "safetensors"),
        ("", "pt"),
    ];
    let found = kinds
        .into_iter()
        .map(|(prefix, extension)| with(prefix, extension));
    found
        .into_iter()
        .find(|found| !found.is_empty())
        .unwrap_or_default()
}

/// The tokens in a directory.
pub(super) fn vocab_in(directory: &Path) -> Result<FileSource, ModelsError> {
    let path = directory.join("vocab.txt");
    if path.is_file() {
        return Ok(FileSource::File(path));
    }
    Err(ModelsError::Incomplete {
        directory: directory.to_owned(),
        what: "`vocab.txt`",
        advice: "put the tokens of the model there, or give `--vocab`".to_owned(),
    })
}

/// The configuration in a directory: one of the usual name, or the only YAML file.
pub(super) fn config_in(directory: &Path) -> Result<ConfigSource, ModelsError> {
    for name in ["config.yaml", "config.yml", "config.json"] {
        let path = directory.join(name);
        if path.is_file() {
            return Ok(ConfigSource::File(path));
        }
    }
    let yaml = |path: &PathBuf| {
        path.extension()
            .is_some_and(|found| found == "yaml" || found == "yml")
    };
    let others: Vec<PathBuf> = files(directory).into_iter().filter(yaml).collect();
    match others.as_slice() {
        [path] => Ok(ConfigSource::File(path.clone())),
        [] => Err(ModelsError::Incomplete {
            directory: directory.to_owned(),
            what: "configuration (`config.yaml` or `config.json`)",
            advice: format!(
                "put it there, or give `--model-config` with a file or one of {}",
                ModelConfig::PRESETS.join(", ")
            ),
        }),
        several => Err(ModelsError::Ambiguous {
            directory: directory.to_owned(),
            what: "configurations",
            found: names(several),
            advice: "give one with `--model-config`",
        }),
    }
}

/// The weights and the configuration in the directory of a vocoder.
pub(super) fn vocoder_in(directory: &Path) -> Result<(FileSource, FileSource), ModelsError> {
    if !directory.is_dir() {
        return Err(ModelsError::NoSuchFile {
            what: "directory of the vocoder",
            path: directory.to_owned(),
        });
    }
    let find = |names: &[&str], what| {
        let found = names
            .iter()
            .map(|name| directory.join(name))
            .find(|path| path.is_file());
        found
            .map(FileSource::File)
            .ok_or_else(|| ModelsError::Incomplete {
                directory: directory.to_owned(),
                what,
                advice: "a Vocos vocoder has both weights and configuration".to_owned(),
            })
    };
    let weights = [
        "model.safetensors",
        "pytorch_model.safetensors",
        "pytorch_model.bin",
    ];
    let checkpoint = find(&weights, "`pytorch_model.bin` or `model.safetensors`")?;
    let config = find(&["config.yaml", "config.yml", "config.json"], "`config.yaml`")?;
    Ok((checkpoint, config))
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = directory.read_dir().into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files
}

/// The names of files for a message.
pub(super) fn names(paths: &[PathBuf]) -> String {
    let names = paths.iter().filter_map(|path| path.file_name());
    let names: Vec<String> = names
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.join(", ")
}
