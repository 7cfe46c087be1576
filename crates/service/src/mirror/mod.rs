//! Models of the store, mirrored to a directory where the engine can map them.
//!
//! `models/ORGANISATION--NAME/PATH` of the store becomes `ORGANISATION--NAME/PATH` below a root. The caller names the
//! files, so no list is needed. A file gets its name when it is complete and checked. What is not a file of the
//! model lies in `.mirror` beside it: the lock by which many processes on one volume fetch once, what has arrived of a
//! file so far, and which version each file is.

mod part;
mod record;

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use self::{part::Part, record::Record};
use crate::storage::{
    Fault, FilePath, ObjectKey, ObjectMeta, Repository, Storage, StorageError, hexadecimal,
};

/// Where everything lies that is not a file of the model.
const PRIVATE: &str = ".mirror";
/// How often a lock that somebody else holds is tried.
const LOCK_PAUSE: Duration = Duration::from_millis(200);
/// Attempts at a file that is replaced in the store while it is fetched.
const ATTEMPTS: usize = 3;

/// Mirrors repositories of a store below one root.
#[derive(Clone, Debug)]
pub struct Mirror {
    storage: Arc<dyn Storage>,
    root: PathBuf,
    options: MirrorOptions,
}

/// How files are fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MirrorOptions {
    /// Bytes of one request, above 0. What breaks off is begun again from the last complete one.
    pub part_bytes: u64,
    /// Requests at a time, at least 1. Each holds its part in memory.
    pub parallel: usize,
}

impl Default for MirrorOptions {
    fn default() -> Self {
        Self { part_bytes: 8 << 20, parallel: 6 }
    }
}

/// A file that is to be there.
#[derive(Clone, Debug)]
pub struct WantedFile {
    /// Where it lies in the repository.
    pub path: FilePath,
    /// What it has to be, as 64 hexadecimal digits in lower case, if that is known.
    pub sha256: Option<String>,
}

/// What became of a wanted file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mirrored {
    /// It had been there.
    Present(PathBuf),
    /// It was fetched.
    Fetched(PathBuf),
    /// It is neither here nor in the store.
    Missing,
}

/// What happens meanwhile.
#[derive(Clone, Copy, Debug)]
pub enum MirrorEvent<'a> {
    /// Another process fetches the same model.
    Waiting,
    /// A file of `bytes` is fetched, of which `arrived` are here.
    Started {
        /// Which file.
        path: &'a FilePath,
        /// Its size.
        bytes: u64,
        /// What an earlier run left.
        arrived: u64,
    },
    /// So many more bytes are here.
    Advanced(u64),
    /// The file is complete and has its name.
    Finished(&'a FilePath),
}

/// Who is told what happens.
pub type Observer<'a> = &'a (dyn Fn(MirrorEvent<'_>) + Send + Sync);

/// A model could not be mirrored. What has arrived stays, and the next run goes on with it.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// The store failed.
    #[error("could not fetch `{path}` from the store")]
    Storage {
        /// Which file.
        path: String,
        /// How it failed.
        source: StorageError,
    },
    /// The directory failed.
    #[error("could not {action} `{}`", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// How it failed.
        source: io::Error,
    },
    /// The store has another file than the wanted one.
    #[error("`{path}` of the store has the SHA-256 {found} instead of {expected}")]
    Damaged {
        /// Which file.
        path: String,
        /// What it has.
        found: String,
        /// What it ought to have.
        expected: String,
    },
}

impl MirrorError {
    /// Who can do something about it.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Storage { source, .. } => source.fault(),
            Self::Io { .. } | Self::Damaged { .. } => Fault::Operator,
        }
    }

    /// Whether there is no room left.
    pub fn is_full(&self) -> bool {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        let full = [StorageFull, QuotaExceeded, FileTooLarge];
        matches!(self, Self::Io { source, .. } if full.contains(&source.kind()))
    }

    /// Whether the directory cannot be written to.
    pub fn is_read_only(&self) -> bool {
        use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
        let refused = [PermissionDenied, ReadOnlyFilesystem];
        matches!(self, Self::Io { source, .. } if refused.contains(&source.kind()))
    }
}

impl Mirror {
    /// A mirror of `storage` below `root`, which is made when it is needed.
    pub fn new(storage: Arc<dyn Storage>, root: PathBuf, options: MirrorOptions) -> Self {
        let options = MirrorOptions {
            part_bytes: options.part_bytes.max(1),
            parallel: options.parallel.max(1),
        };
        Self { storage, root, options }
    }

    /// Sees to it that files of a repository are here, and gives what became of each, in order.
    ///
    /// A store that is away is no failure for a file that is here already.
    pub async fn mirror(
        &self,
        repository: &Repository,
        files: &[WantedFile],
        observer: Observer<'_>,
    ) -> Result<Vec<Mirrored>, MirrorError> {
        let directory = self.root.join(repository.directory());
        let lock = match lock(&directory, observer).await {
            Err(error) if error.is_read_only() => return kept(&directory, files, error),
            other => other?.map(Arc::new),
        };
        let mut mirrored = Vec::with_capacity(files.len());
        for file in files {
            let place = Place::new(&directory, &file.path, lock.clone());
            mirrored.push(self.mirror_file(repository, file, &place, observer).await?);
        }
        Ok(mirrored)
    }

    async fn mirror_file(
        &self,
        repository: &Repository,
        file: &WantedFile,
        place: &Place,
        observer: Observer<'_>,
    ) -> Result<Mirrored, MirrorError> {
        let path = file.path.clone();
        let key = ObjectKey::ModelFile { repository: repository.clone(), path };
        let mut attempt = 1;
        loop {
            let Some(meta) = self.ask(&key, file, place).await? else {
                return Ok(place.kept());
            };
            if is_current(place, file, &meta).await? {
                return Ok(Mirrored::Present(place.file.clone()));
            }
            let part = Part {
                storage: &self.storage,
                options: self.options,
                key: &key,
                file,
                meta,
                place,
            };
            match part.fetch(observer).await {
                Err(MirrorError::Storage { source: StorageError::Changed { .. }, .. })
                    if attempt < ATTEMPTS =>
                {
                    attempt += 1;
                }
                Err(error) => return Err(error),
                Ok(()) => return Ok(Mirrored::Fetched(place.file.clone())),
            }
        }
    }

    /// What the store has; `None` if that is nothing, or nothing is needed from it.
    async fn ask(
        &self,
        key: &ObjectKey,
        file: &WantedFile,
        place: &Place,
    ) -> Result<Option<ObjectMeta>, MirrorError> {
        match self.storage.head(key).await {
            Ok(found) => Ok(found),
            Err(error) if place.file.is_file() => {
                let (error, path) = (&error as &dyn std::error::Error, file.path.as_str());
                tracing::warn!(
                    error,
                    path,
                    "the store was not asked for a newer version of a model file"
                );
                Ok(None)
            }
            Err(source) => {
                Err(MirrorError::Storage { path: file.path.as_str().to_owned(), source })
            }
        }
    }
}

/// What a directory has that cannot be written to, if that is everything.
fn kept(
    directory: &Path,
    files: &[WantedFile],
    error: MirrorError,
) -> Result<Vec<Mirrored>, MirrorError> {
    let places = files
        .iter()
        .map(|file| Place::new(directory, &file.path, None).kept());
    let places: Vec<_> = places.collect();
    match places.contains(&Mirrored::Missing) {
        true => Err(error),
        false => Ok(places),
    }
}

/// Where a file and what belongs to it lie.
#[derive(Clone, Debug)]
struct Place {
    file: PathBuf,
    record: PathBuf,
    part: PathBuf,
    journal: PathBuf,
    /// Held as long as anything is written, even by what nobody waits for any more.
    #[expect(dead_code, reason = "it is there to be held")]
    lock: Option<Arc<File>>,
}

impl Place {
    fn new(directory: &Path, path: &FilePath, lock: Option<Arc<File>>) -> Self {
        let private = |ending: &str| {
            let mut place = directory.join(PRIVATE);
            place.extend(path.parts());
            place.as_mut_os_string().push(ending);
            place
        };
        // Where the file system has no locks, each process has its own unfinished file.
        let own = match lock {
            Some(_) => String::new(),
            None => format!(".{}", std::process::id()),
        };
        let mut file = directory.to_owned();
        file.extend(path.parts());
        Self {
            file,
            record: private(".json"),
            part: private(&format!("{own}.part")),
            journal: private(&format!("{own}.journal")),
            lock,
        }
    }

    fn kept(&self) -> Mirrored {
        match self.file.is_file() {
            true => Mirrored::Present(self.file.clone()),
            false => Mirrored::Missing,
        }
    }
}

/// Whether the file that is here is the one of the store, and the wanted one.
async fn is_current(
    place: &Place,
    file: &WantedFile,
    meta: &ObjectMeta,
) -> Result<bool, MirrorError> {
    let (place, wanted, meta) = (place.clone(), file.sha256.clone(), meta.clone());
    blocking(move || {
        if !fs::metadata(&place.file).is_ok_and(|here| here.is_file() && here.len() == meta.size) {
            return Ok(false);
        }
        let is_wanted = |found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        if let Some(record) = Record::read(&place.record) {
            let is_version =
                record.version == meta.version.map(|version| version.as_str().to_owned());
            return Ok(is_version && is_wanted(&record.sha256));
        }
        // Somebody put it there, or a run ended between the last two steps.
        let sha256 = part::sha256(&place.file).map_err(io_error("read", &place.file))?;
        let is_current = is_wanted(&sha256);
        if is_current {
            Record::new(&meta, sha256).write(&place.record)?;
        }
        Ok(is_current)
    })
    .await
}

/// Waits until no other process fetches the same model; `None` where the file system has no locks.
///
/// The lock ends with the process at the latest.
async fn lock(directory: &Path, observer: Observer<'_>) -> Result<Option<File>, MirrorError> {
    let private = directory.join(PRIVATE);
    create_directory(&private)?;
    let path = &private.join("lock");
    let file = File::create(path).map_err(io_error("create", path))?;
    let mut is_first = true;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                tracing::warn!(path = %path.display(), "the file system has no locks; models may be fetched twice");
                return Ok(None);
            }
            Err(TryLockError::Error(source)) => return Err(io_error("lock", path)(source)),
        }
        if std::mem::take(&mut is_first) {
            observer(MirrorEvent::Waiting);
        }
        tokio::time::sleep(LOCK_PAUSE).await;
    }
}

/// Does what may wait for a disk, where that holds up nobody else.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, MirrorError> + Send + 'static,
) -> Result<T, MirrorError> {
    tokio::task::spawn_blocking(work)
        .await
        .expect("work on files does not panic and is not cancelled while the runtime lives")
}

fn create_directory(path: &Path) -> Result<(), MirrorError> {
    fs::create_dir_all(path).map_err(io_error("create", path))
}

/// Makes the names in a directory outlive a power failure.
fn sync_directory(path: &Path) -> Result<(), MirrorError> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(io_error("write", path))
}

fn io_error(action: &'static str, path: &Path) -> impl Fn(io::Error) -> MirrorError {
    let path = path.to_owned();
    move |source| MirrorError::Io { action, path: path.clone(), source }
}
