//! What a store does, done with files. Blocking.

use std::{
    fs::{self, File, Metadata},
    io::{self, ErrorKind, Read, Seek, SeekFrom, Write},
    ops::Range,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use jiff::Timestamp;
use tempfile::NamedTempFile;
use url::Url;

use super::{
    Durability,
    clock::{FileClock, timestamp},
};
use crate::storage::{
    Created, Entry, Object, ObjectKey, ObjectMeta, Secret, StorageError, Stored, Version,
};

/// What is not an object lies here, below the root.
const PRIVATE: &str = ".f5tts";
/// How old a file has to be to be what a process left that was killed.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);
/// Attempts at a write whose directory somebody else removes in the same moment.
const ATTEMPTS: usize = 50;
/// Directories below each other that a list goes into: more than any key has.
const MAX_DEPTH: usize = 16;
/// Longest secret that is read.
const MAX_SECRET_BYTES: u64 = 1024;

/// Files below one root.
#[derive(Debug)]
pub(super) struct Files {
    root: PathBuf,
    staging: PathBuf,
    durability: Durability,
    clock: FileClock,
}

impl Files {
    pub(super) fn open(root: &Path, durability: Durability) -> Result<Self, StorageError> {
        let place = root.display().to_string();
        fs::create_dir_all(root).map_err(|error| write_error(&place, error))?;
        let root = fs::canonicalize(root).map_err(|error| read_error(&place, error))?;
        let staging = root.join(PRIVATE).join("staging");
        let files = Self { root, staging, durability, clock: FileClock::default() };
        files.remove_abandoned();
        Ok(files)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn get(&self, key: &ObjectKey, limit_bytes: u64) -> Result<Object, StorageError> {
        let (mut file, meta) = self.open_object(key)?;
        if meta.size > limit_bytes {
            return Err(StorageError::TooLarge {
                key: key.to_string(),
                size_bytes: meta.size,
                limit_bytes,
            });
        }
        let bytes =
            read(&mut file, meta.size).map_err(|error| read_error(&key.to_string(), error))?;
        Ok(Object { bytes: bytes.into(), meta })
    }

    pub(super) fn get_range(
        &self,
        key: &ObjectKey,
        range: Range<u64>,
        version: Option<&Version>,
    ) -> Result<Object, StorageError> {
        let (mut file, meta) = self.open_object(key)?;
        if version.is_some() && version != meta.version.as_ref() {
            return Err(StorageError::Changed { key: key.to_string() });
        }
        let start = range.start.min(meta.size);
        let count = range.end.min(meta.size).saturating_sub(start);
        let bytes = file
            .seek(SeekFrom::Start(start))
            .and_then(|_| read(&mut file, count))
            .map_err(|error| read_error(&key.to_string(), error))?;
        Ok(Object { bytes: bytes.into(), meta })
    }

    pub(super) fn head(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>, StorageError> {
        match self.open_object(key) {
            Ok((_, meta)) => Ok(Some(meta)),
            Err(StorageError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn put(&self, key: &ObjectKey, content: &[u8]) -> Result<Stored, StorageError> {
        let path = self.path(key)?;
        let (staged, stored) = self
            .stage(content)
            .map_err(|error| write_error(&key.to_string(), error))?;
        self.in_parent(&path, || fs::rename(staged.path(), &path))
            .map_err(|error| write_error(&key.to_string(), error))?;
        Ok(stored)
    }

    pub(super) fn create(&self, key: &ObjectKey, content: &[u8]) -> Result<Created, StorageError> {
        let path = self.path(key)?;
        let (staged, stored) = self
            .stage(content)
            .map_err(|error| write_error(&key.to_string(), error))?;
        match self.in_parent(&path, || link(&staged, &path)) {
            Ok(()) => Ok(Created::Yes(stored)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Created::AlreadyThere),
            Err(error) => Err(write_error(&key.to_string(), error)),
        }
    }

    pub(super) fn delete(&self, key: &ObjectKey) -> Result<(), StorageError> {
        let path = self.path(key)?;
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if is_absence(&error) => return Ok(()),
            Err(error) => return Err(write_error(&key.to_string(), error)),
        }
        let Some(parent) = path.parent() else {
            return Ok(());
        };
        self.sync_directory(parent)
            .map_err(|error| write_error(&key.to_string(), error))?;
        // The directory of a job goes with its last record; one that is not empty stays.
        if parent.parent().is_some_and(|above| above != self.root) {
            drop(fs::remove_dir(parent));
        }
        Ok(())
    }

    pub(super) fn list(&self, prefix: &str) -> Result<Vec<Entry>, StorageError> {
        let now = self.now();
        let mut entries = Vec::new();
        let mut pending = vec![(self.root.join(prefix), String::new(), 0)];
        while let Some((directory, name, depth)) = pending.pop() {
            let found = match fs::read_dir(&directory) {
                Ok(found) => found,
                Err(error) if is_absence(&error) => continue,
                Err(error) => return Err(read_error(prefix, error)),
            };
            for child in found {
                let child = child.map_err(|error| read_error(prefix, error))?;
                let Ok(part) = child.file_name().into_string() else {
                    tracing::warn!(path = %child.path().display(), "a file whose name is not Unicode is left out");
                    continue;
                };
                // Does not follow a link.
                let Some(metadata) =
                    present(child.metadata()).map_err(|error| read_error(prefix, error))?
                else {
                    continue;
                };
                let name = format!("{name}{part}");
                if metadata.is_file() {
                    entries.push(Entry { name, meta: meta(&metadata, now) });
                } else if metadata.is_dir() && depth < MAX_DEPTH {
                    pending.push((child.path(), name + "/", depth + 1));
                }
            }
        }
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    pub(super) fn url(&self, key: &ObjectKey) -> Url {
        let path = self.root.join(key.to_string());
        Url::from_file_path(path).expect("the root is absolute")
    }

    /// The secret that is kept in the directory.
    pub(super) fn read_secret(&self) -> Result<Option<Secret>, StorageError> {
        let path = self.secret_path();
        let place = path.display().to_string();
        let Some(file) = present(File::open(&path)).map_err(|error| read_error(&place, error))?
        else {
            return Ok(None);
        };
        let mut text = String::new();
        file.take(MAX_SECRET_BYTES)
            .read_to_string(&mut text)
            .map_err(|error| read_error(&place, error))?;
        Ok(Some(Secret::new(text)).filter(|secret| !secret.reveal().is_empty()))
    }

    /// Keeps a secret for this user alone, if there is none yet.
    pub(super) fn keep_secret(&self, secret: &Secret) -> Result<(), StorageError> {
        let path = self.secret_path();
        let keep = || {
            fs::create_dir_all(&self.staging)?;
            // Files of this kind are made with mode 0600.
            let mut staged = NamedTempFile::new_in(&self.staging)?;
            staged.write_all(secret.reveal().as_bytes())?;
            staged.as_file().sync_all()?;
            match link(&staged, &path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
                other => other,
            }
        };
        keep().map_err(|error| write_error(&path.display().to_string(), error))
    }

    fn secret_path(&self) -> PathBuf {
        self.root.join(PRIVATE).join("link-secret")
    }

    /// Where an object lies. Links of the file system that lead out of the root are not followed.
    fn path(&self, key: &ObjectKey) -> Result<PathBuf, StorageError> {
        let key = key.to_string();
        let mut path = self.root.clone();
        let mut parts = key.split('/').peekable();
        while let Some(part) = parts.next() {
            path.push(part);
            let found = match fs::symlink_metadata(&path) {
                Ok(found) => found,
                Err(error) if is_absence(&error) => {
                    path.extend(parts);
                    break;
                }
                Err(error) => return Err(read_error(&key, error)),
            };
            let is_object = parts.peek().is_none();
            let leads_out =
                || !fs::canonicalize(&path).is_ok_and(|target| target.starts_with(&self.root));
            if found.is_symlink() && (is_object || leads_out()) {
                let source = format!("`{}` is a symbolic link", path.display()).into();
                return Err(StorageError::Other { operation: "reach", place: key, source });
            }
        }
        Ok(path)
    }

    fn open_object(&self, key: &ObjectKey) -> Result<(File, ObjectMeta), StorageError> {
        let path = self.path(key)?;
        let open = || {
            let file = File::open(&path)?;
            let metadata = file.metadata()?;
            Ok((file, metadata))
        };
        let opened = present(open()).map_err(|error| read_error(&key.to_string(), error))?;
        match opened {
            Some((file, metadata)) if metadata.is_file() => {
                let meta = meta(&metadata, self.now());
                Ok((file, meta))
            }
            _ => Err(StorageError::Missing { key: key.to_string() }),
        }
    }

    fn now(&self) -> Timestamp {
        timestamp(self.clock.now(&self.staging))
    }

    /// Writes what is to become an object. If it does not, it goes with the returned value.
    fn stage(&self, content: &[u8]) -> io::Result<(NamedTempFile, Stored)> {
        let mut staged = match self.staged_file() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                fs::create_dir_all(&self.staging)?;
                self.staged_file()?
            }
            other => other?,
        };
        staged.write_all(content)?;
        if self.durability == Durability::Synced {
            staged.as_file().sync_all()?;
        }
        let modified = staged.as_file().metadata()?.modified()?;
        self.clock.learn(modified);
        Ok((staged, Stored { at: timestamp(modified) }))
    }

    fn staged_file(&self) -> io::Result<NamedTempFile> {
        let mut builder = tempfile::Builder::new();
        // Objects are for everybody who may enter the directory, as far as the user's mask allows.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        builder.prefix("").tempfile_in(&self.staging)
    }

    /// Gives a staged file its name by `publish`, in a directory that is made if need be.
    ///
    /// `ErrorKind::AlreadyExists` always comes from `publish`.
    fn in_parent(&self, path: &Path, publish: impl Fn() -> io::Result<()>) -> io::Result<()> {
        let parent = path.parent().unwrap_or(&self.root);
        for _ in 1..ATTEMPTS {
            match publish() {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    let made = self.create_directory(parent);
                    // Somebody else may make and remove it in the same moment.
                    let raced = [ErrorKind::AlreadyExists, ErrorKind::NotFound];
                    made.or_else(|error| match raced.contains(&error.kind()) {
                        true => Ok(()),
                        false => Err(error),
                    })?;
                }
                Err(error) => return Err(error),
                Ok(()) => return self.sync_directory(parent),
            }
        }
        publish()?;
        self.sync_directory(parent)
    }

    fn create_directory(&self, directory: &Path) -> io::Result<()> {
        fs::create_dir_all(directory)?;
        for made in directory
            .ancestors()
            .skip(1)
            .take_while(|above| above.starts_with(&self.root))
        {
            self.sync_directory(made)?;
        }
        Ok(())
    }

    /// Makes the names in a directory outlive a power failure.
    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        if self.durability == Durability::Unsynced || cfg!(not(unix)) {
            return Ok(());
        }
        match present(File::open(directory))? {
            Some(directory) => directory.sync_all(),
            None => Ok(()),
        }
    }

    /// Removes what processes left that were killed in the middle of a write.
    fn remove_abandoned(&self) {
        let Ok(found) = fs::read_dir(&self.staging) else {
            return;
        };
        let now = self.clock.now(&self.staging);
        for file in found.flatten() {
            let modified = file.metadata().and_then(|metadata| metadata.modified());
            let age = modified.map(|modified| now.duration_since(modified).unwrap_or_default());
            if age.is_ok_and(|age| age > ABANDONED) {
                // Another process may have been quicker, and what stays does no harm.
                drop(fs::remove_file(file.path()));
            }
        }
    }
}

/// Gives a staged file a second name, if nothing has that name.
fn link(staged: &NamedTempFile, path: &Path) -> io::Result<()> {
    match fs::hard_link(staged.path(), path) {
        // File systems without hard links; the kernel can keep a rename from replacing something.
        Err(error)
            if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::PermissionDenied) =>
        {
            let copy = NamedTempFile::new_in(staged.path().parent().unwrap_or(path))?;
            fs::copy(staged.path(), copy.path())?;
            copy.as_file().sync_all()?;
            copy.persist_noclobber(path)
                .map(drop)
                .map_err(|failed| failed.error)
        }
        other => other,
    }
}

fn read(file: &mut File, count: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(usize::try_from(count).unwrap_or_default());
    file.take(count).read_to_end(&mut bytes)?;
    match bytes.len() as u64 == count {
        true => Ok(bytes),
        false => Err(ErrorKind::UnexpectedEof.into()),
    }
}

fn meta(metadata: &Metadata, now: Timestamp) -> ObjectMeta {
    let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    let modified = timestamp(modified);
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(metadata);
    #[cfg(not(unix))]
    let inode = 0;
    let version = format!("{inode:x}-{:x}-{:x}", modified.as_nanosecond(), metadata.len());
    ObjectMeta {
        size: metadata.len(),
        modified,
        now,
        version: Some(Version(version)),
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// `None` for what is not there.
fn present<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if is_absence(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn read_error(place: &str, error: io::Error) -> StorageError {
    classify("read", place, error)
}

fn write_error(place: &str, error: io::Error) -> StorageError {
    let refused = [ErrorKind::ReadOnlyFilesystem, ErrorKind::PermissionDenied];
    if refused.contains(&error.kind()) {
        return StorageError::ReadOnly { place: place.to_owned(), source: error.into() };
    }
    classify("write", place, error)
}

fn classify(operation: &'static str, place: &str, error: io::Error) -> StorageError {
    let full = [
        ErrorKind::StorageFull,
        ErrorKind::QuotaExceeded,
        ErrorKind::FileTooLarge,
    ];
    let away = [
        ErrorKind::TimedOut,
        ErrorKind::StaleNetworkFileHandle,
        ErrorKind::NetworkDown,
    ];
    let (kind, place, source) = (error.kind(), place.to_owned(), error.into());
    if full.contains(&kind) {
        StorageError::Full { place, source }
    } else if away.contains(&kind) {
        StorageError::Unreachable { store: place, source }
    } else if kind == ErrorKind::InvalidFilename {
        StorageError::InvalidName { key: place, source }
    } else {
        StorageError::Other { operation, place, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_system_say_who_can_help() {
        let error = |kind: ErrorKind| write_error("output/a.wav", kind.into());
        assert!(matches!(error(ErrorKind::StorageFull), StorageError::Full { .. }));
        assert!(matches!(error(ErrorKind::QuotaExceeded), StorageError::Full { .. }));
        assert!(matches!(error(ErrorKind::ReadOnlyFilesystem), StorageError::ReadOnly { .. }));
        assert!(matches!(error(ErrorKind::PermissionDenied), StorageError::ReadOnly { .. }));
        assert!(matches!(error(ErrorKind::InvalidFilename), StorageError::InvalidName { .. }));
        assert!(error(ErrorKind::StaleNetworkFileHandle).is_transient());
        let denied = read_error("output/a.wav", ErrorKind::PermissionDenied.into());
        assert_eq!(denied.to_string(), "could not read `output/a.wav`");
    }
}
