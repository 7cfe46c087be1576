mod downloading;
mod finding;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::*;

/// The message of an error with those of its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

/// A machine with nothing on it.
struct Machine {
    directory: TempDir,
    settings: HubSettings,
}

impl Machine {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let settings = HubSettings {
            hf_home: Some(directory.path().join("hf")),
            ..HubSettings::default()
        };
        Self { directory, settings }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file, with its directories.
    fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Puts the files of a known model into a cache, in their sizes but empty.
    fn fill(&self, cache: &str, name: &str) {
        let model = KnownModel::find(name).unwrap();
        let directory = format!("{cache}/models--{}", model.repository.replace('/', "--"));
        self.write(&format!("{directory}/refs/main"), b"c0ffee");
        for file in model.files {
            let path = self.write(&format!("{directory}/snapshots/c0ffee/{}", file.path), b"");
            let file_on_disk = File::options().write(true).open(path).unwrap();
            file_on_disk.set_len(file.bytes.unwrap_or(1)).unwrap();
        }
    }

    fn resolve(&self, model: &str) -> Result<ModelFiles, ModelsError> {
        resolve(model, &Overrides::default(), &self.settings)
    }

    fn refusal(&self, model: &str) -> String {
        chain(&self.resolve(model).unwrap_err())
    }
}

fn file(path: impl AsRef<Path>) -> FileSource {
    FileSource::File(path.as_ref().to_owned())
}
