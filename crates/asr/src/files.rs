use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;

use crate::AsrError;

/// The files without which there is no model.
pub const REQUIRED_FILES: [&str; 3] = ["config.json", "tokenizer.json", "model.safetensors"];
/// The files that are read where there are any.
pub const USED_FILES: [&str; 4] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "model.safetensors",
];

/// A tokenizer of 52 000 tokens takes 2.5 MB.
const LARGEST_JSON: u64 = 64 << 20;

/// Where the files of a model lie, in the layout of the hub's `openai/whisper-*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFiles {
    /// `config.json`: the sizes of the network.
    pub config: PathBuf,
    /// `generation_config.json`: tokens that are never chosen, languages. Old models have it in `config.json`.
    pub generation_config: Option<PathBuf>,
    /// `tokenizer.json`: what each token stands for.
    pub tokenizer: PathBuf,
    /// `model.safetensors`, in f32, f16 or bf16.
    pub weights: PathBuf,
}

impl ModelFiles {
    /// The files of a directory.
    ///
    /// # Errors
    /// The first of the required files that is not there.
    pub fn in_directory(directory: &Path) -> Result<Self, AsrError> {
        let required = |name: &str| {
            let path = directory.join(name);
            if path.is_file() {
                Ok(path)
            } else {
                Err(AsrError::MissingFile(path))
            }
        };
        let generation_config = directory.join("generation_config.json");
        Ok(Self {
            config: required("config.json")?,
            generation_config: generation_config.is_file().then_some(generation_config),
            tokenizer: required("tokenizer.json")?,
            weights: required("model.safetensors")?,
        })
    }
}

/// Reads a JSON file of at most 64 MB.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, AsrError> {
    let failed = |source: io::Error| AsrError::Read { path: path.to_owned(), source };
    let file = fs::File::open(path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    if bytes > LARGEST_JSON {
        return Err(AsrError::TooLarge { path: path.to_owned(), bytes, limit: LARGEST_JSON });
    }
    let mut text = Vec::new();
    file.take(LARGEST_JSON)
        .read_to_end(&mut text)
        .map_err(failed)?;
    serde_json::from_slice(&text).map_err(|source| AsrError::Json { path: path.to_owned(), source })
}
