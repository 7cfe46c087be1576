use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{KnownFile, KnownModel, settings::HubSettings};

/// The directory in a cache that mirrors the models of the bucket: `ORG--NAME/PATH`.
pub(super) const BUCKET: &str = "f5tts-bucket";

/// The caches of models on this machine, all in the layout of the hub:
/// `models--ORG--NAME/{blobs/ETAG, refs/main, snapshots/COMMIT/PATH}`.
#[derive(Debug)]
pub(super) struct Caches {
    roots: Vec<PathBuf>,
}

impl Caches {
    pub(super) fn new(settings: &HubSettings) -> Self {
        Self { roots: settings.caches() }
    }

    /// Where a file of a model lies. One of another size than the known one is a copy cut short.
    pub(super) fn find(&self, model: &KnownModel, file: &KnownFile) -> Option<PathBuf> {
        let repositories = self
            .roots
            .iter()
            .map(|root| RepositoryCache::new(root, model.repository));
        let size = |path: &PathBuf| path.metadata().ok().map(|found| found.len());
        let mirrored = self.roots.iter().map(|root| mirrored(root, model, file));
        repositories
            .filter_map(|repository| repository.find(file.path))
            .chain(mirrored.filter(|path| path.is_file()))
            .find(|path| file.bytes.is_none() || file.bytes == size(path))
    }

    /// The files of a model that are in no cache.
    pub(super) fn missing(&self, model: &'static KnownModel) -> Vec<&'static KnownFile> {
        let files = model.files.iter();
        files
            .filter(|file| !file.role.is_optional() && self.find(model, file).is_none())
            .collect()
    }

    /// Where files are fetched to.
    pub(super) fn target(&self) -> Option<&Path> {
        self.roots.first().map(PathBuf::as_path)
    }
}

/// Where a file of the bucket is mirrored to.
fn mirrored(root: &Path, model: &KnownModel, file: &KnownFile) -> PathBuf {
    root.join(BUCKET)
        .join(model.repository.replace('/', "--"))
        .join(file.path)
}

/// One repository in one cache.
#[derive(Debug)]
pub(super) struct RepositoryCache {
    directory: PathBuf,
    locks: PathBuf,
}

impl RepositoryCache {
    pub(super) fn new(root: &Path, repository: &str) -> Self {
        let name = format!("models--{}", repository.replace('/', "--"));
        Self {
            directory: root.join(&name),
            locks: root.join(".locks").join(name),
        }
    }

    /// Where a file lies: in the commit that `main` was last, else in any other.
    pub(super) fn find(&self, path: &str) -> Option<PathBuf> {
        let main = fs::read_to_string(self.reference()).ok();
        let main = main.map(|commit| self.snapshot(commit.trim(), path));
        main.filter(|file| file.is_file()).or_else(|| {
            let snapshots = fs::read_dir(self.directory.join("snapshots")).ok()?;
            let files = snapshots
                .flatten()
                .map(|snapshot| snapshot.path().join(path));
            // In an order that does not change from run to run.
            files.filter(|file| file.is_file()).max()
        })
    }

    /// The content of a file, under the name of its entity tag.
    pub(super) fn blob(&self, etag: &str) -> PathBuf {
        self.directory.join("blobs").join(etag)
    }

    /// What there is so far of a file that is being fetched.
    pub(super) fn incomplete(&self, etag: &str) -> PathBuf {
        self.directory
            .join("blobs")
            .join(format!("{etag}.incomplete"))
    }

    /// What those who fetch a file lock.
    pub(super) fn lock(&self, etag: &str) -> PathBuf {
        self.locks.join(format!("{etag}.lock"))
    }

    /// A file of a commit.
    pub(super) fn snapshot(&self, commit: &str, path: &str) -> PathBuf {
        self.directory.join("snapshots").join(commit).join(path)
    }

    /// The file that tells which commit `main` was last.
    pub(super) fn reference(&self) -> PathBuf {
        self.directory.join("refs/main")
    }
}
