//! From the hub into a cache, so that the Hugging Face tools find it there as well.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use super::{
    KnownFile, KnownModel,
    cache::RepositoryCache,
    digest::{self, Hasher},
    error::ModelsError,
    hub::{Hub, RemoteFile},
    progress::DownloadObserver,
};

/// Connections in a row that may break off without a byte.
const MAX_FRUITLESS: u32 = 3;
/// The pause after such a connection; it grows with their number.
const PAUSE: Duration = Duration::from_millis(500);

/// Fetches a file into the cache below `root` and gives its place there.
///
/// What an earlier call left unfinished is gone on with. A file appears under its name only when
/// it is complete and its digest is right.
pub(super) fn fetch(
    hub: &Hub<'_>,
    root: &Path,
    model: &KnownModel,
    file: &KnownFile,
    observer: &mut dyn DownloadObserver,
) -> Result<PathBuf, ModelsError> {
    let remote = hub.ask(model, file)?;
    expect_known(file, &remote)?;
    let cache = RepositoryCache::new(root, model.repository);
    let blob = cache.blob(&remote.etag);
    let _lock = lock(&cache.lock(&remote.etag), file)?;
    // A copy that was cut short has the name of the whole.
    if !blob
        .metadata()
        .is_ok_and(|found| found.len() == remote.bytes)
    {
        let part = Part {
            hub,
            file,
            remote: &remote,
            path: cache.incomplete(&remote.etag),
        };
        create_parent(&part.path)?;
        observer.start(file, remote.bytes);
        let digest = part.complete(observer)?;
        part.check(digest)?;
        fs::rename(&part.path, &blob).map_err(io_error("move into place", &blob))?;
        observer.finish(file);
    }
    let place = cache.snapshot(&remote.commit, file.path);
    link(&blob, &place)?;
    write_whole(&cache.reference(), remote.commit.as_bytes())?;
    Ok(place)
}

/// Refuses another file than the known one before gigabytes of it are fetched.
fn expect_known(file: &KnownFile, remote: &RemoteFile) -> Result<(), ModelsError> {
    let other_size = file.bytes.is_some_and(|bytes| bytes != remote.bytes);
    let other_content = digest::is_sha256(&remote.etag)
        && file.sha256.is_some_and(|expected| expected != remote.etag);
    if other_size || other_content {
        return Err(ModelsError::Changed { file: file.path.to_owned() });
    }
    Ok(())
}

/// A file that is there in part.
struct Part<'a> {
    hub: &'a Hub<'a>,
    file: &'a KnownFile,
    remote: &'a RemoteFile,
    path: PathBuf,
}

/// What there is of it.
struct Received {
    file: File,
    hasher: Hasher,
    bytes: u64,
}

impl Part<'_> {
    /// Fetches what is missing, over as many connections as it takes; gives the digest.
    fn complete(&self, observer: &mut dyn DownloadObserver) -> Result<String, ModelsError> {
        let mut received = self.open()?;
        observer.advance(received.bytes);
        let mut fruitless = 0;
        while received.bytes < self.remote.bytes {
            let before = received.bytes;
            let broken = self.go_on(&mut received, observer);
            if broken.as_ref().is_err_and(|error| !error.is_transient()) {
                broken?;
            } else if received.bytes > before {
                fruitless = 0;
            } else {
                fruitless += 1;
                if fruitless == MAX_FRUITLESS {
                    broken?;
                    return Err(self.interrupted(received.bytes, None));
                }
                thread::sleep(PAUSE * fruitless);
            }
        }
        received.file.sync_all().map_err(self.write_error())?;
        Ok(received.hasher.finish())
    }

    /// Reads over one connection until the file is complete or the connection ends.
    fn go_on(
        &self,
        received: &mut Received,
        observer: &mut dyn DownloadObserver,
    ) -> Result<(), ModelsError> {
        let mut source = self.hub.read(self.remote, received.bytes, self.file)?;
        if source.start != received.bytes {
            // The server cannot resume.
            received.file.set_len(0).map_err(self.write_error())?;
            *received = self.open()?;
            observer.restart();
        }
        let mut buffer = vec![0; 1 << 18];
        while received.bytes < self.remote.bytes {
            if observer.is_stopped() {
                return Err(ModelsError::Stopped { file: self.file.path.to_owned() });
            }
            let count = match source.reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) => return Err(self.interrupted(received.bytes, Some(error))),
            };
            let left = usize::try_from(self.remote.bytes - received.bytes).unwrap_or(usize::MAX);
            let data = &buffer[..count.min(left)];
            received.file.write_all(data).map_err(self.write_error())?;
            received.hasher.update(data);
            received.bytes += data.len() as u64;
            observer.advance(data.len() as u64);
        }
        Ok(())
    }

    /// Opens what there is, to go on at its end. More than there can be is dropped.
    fn open(&self) -> Result<Received, ModelsError> {
        let mut options = OpenOptions::new();
        let file = options
            .create(true)
            .read(true)
            .append(true)
            .open(&self.path);
        let file = file.map_err(self.write_error())?;
        let mut hasher = Hasher::default();
        let mut bytes = hasher.read(&file).map_err(self.write_error())?;
        if bytes > self.remote.bytes {
            file.set_len(0).map_err(self.write_error())?;
            (hasher, bytes) = (Hasher::default(), 0);
        }
        Ok(Received { file, hasher, bytes })
    }

    /// Compares the digest with the known one and, where the hub tells it, with the hub's.
    fn check(&self, found: String) -> Result<(), ModelsError> {
        let hub = Some(self.remote.etag.as_str()).filter(|etag| digest::is_sha256(etag));
        let mut expected = self.file.sha256.into_iter().chain(hub);
        let Some(expected) = expected.find(|expected| **expected != found) else {
            return Ok(());
        };
        fs::remove_file(&self.path).map_err(io_error("remove", &self.path))?;
        let (file, expected) = (self.file.path.to_owned(), expected.to_owned());
        Err(ModelsError::Damaged { file, found, expected })
    }

    fn interrupted(&self, at: u64, source: Option<io::Error>) -> ModelsError {
        let (file, bytes) = (self.file.path.to_owned(), self.remote.bytes);
        ModelsError::Interrupted { file, at, bytes, source }
    }

    fn write_error(&self) -> impl Fn(io::Error) -> ModelsError {
        io_error("write", &self.path)
    }
}

/// Takes a lock that ends with the process at the latest.
fn lock(path: &Path, file: &KnownFile) -> Result<File, ModelsError> {
    create_parent(path)?;
    let lock = File::create(path).map_err(io_error("create", path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => {
            Err(ModelsError::Locked { file: file.path.to_owned(), lock: path.to_owned() })
        }
        Err(TryLockError::Error(source)) => Err(io_error("lock", path)(source)),
    }
}

/// Puts a blob in a snapshot, as a link where the file system has such.
fn link(blob: &Path, place: &Path) -> Result<(), ModelsError> {
    create_parent(place)?;
    let size = |path: &Path| path.metadata().ok().map(|found| found.len());
    if size(place).is_some() && size(place) == size(blob) {
        return Ok(());
    }
    // A link whose blob is gone, or a copy that was cut short, stands in the way.
    match fs::remove_file(place) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(io_error("replace", place)(error));
        }
        _ => {}
    }
    #[cfg(unix)]
    if std::os::unix::fs::symlink(relative(blob, place), place).is_ok() {
        return Ok(());
    }
    fs::hard_link(blob, place)
        .or_else(|_| fs::copy(blob, place).map(drop))
        .map_err(io_error("write", place))
}

/// The way from the directory of one file to another. Both lie below the same directory.
#[cfg(unix)]
fn relative(target: &Path, from: &Path) -> PathBuf {
    let common = target.components().zip(from.components());
    let common = common.take_while(|(a, b)| a == b).count();
    let up = from.components().skip(common + 1).map(|_| "..");
    up.map(Path::new)
        .chain(
            target
                .components()
                .skip(common)
                .map(|part| Path::new(part.as_os_str())),
        )
        .collect()
}

/// Writes a small file so that no reader sees half of it.
fn write_whole(path: &Path, content: &[u8]) -> Result<(), ModelsError> {
    create_parent(path)?;
    let draft = path.with_extension("incomplete");
    fs::write(&draft, content).map_err(io_error("write", &draft))?;
    fs::rename(&draft, path).map_err(io_error("write", path))
}

fn create_parent(path: &Path) -> Result<(), ModelsError> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).map_err(io_error("create", parent))
}

fn io_error(action: &'static str, path: &Path) -> impl Fn(io::Error) -> ModelsError {
    let path = path.to_owned();
    move |source| ModelsError::Io { action, path: path.clone(), source }
}
