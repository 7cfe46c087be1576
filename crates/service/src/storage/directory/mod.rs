//! Objects as files of a directory.
//!
//! A key is the path below the root, so people and other programs find the files by name; Unicode and case are what
//! the file system makes of them. A write goes to a file of its own in `.f5tts/staging`, which then gets the name,
//! so nobody ever reads half an object.

mod clock;
mod files;
mod links;

use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use url::Url;

use self::files::Files;
pub use self::links::{LinkError, SignedLinks, VerifiedLink};
use super::{
    Created, Entry, Link, Object, ObjectKey, ObjectMeta, Prefix, Secret, Storage, StorageError,
    Stored, Version, hexadecimal,
};

/// Bytes of a secret that is made here.
const SECRET_BYTES: usize = 32;

/// How a directory is used.
#[derive(Clone, Debug)]
pub struct DirectoryConfig {
    /// Where objects lie. It is made if it is not there.
    pub root: PathBuf,
    /// Whether a write outlives a power failure.
    pub durability: Durability,
    /// What a link to an object is.
    pub links: LinkConfig,
}

/// Whether a write outlives a power failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// A write is done when the disk says so.
    Synced,
    /// A write is done when the system has taken it: the end of the process does no harm, that of the machine may.
    Unsynced,
}

/// What a link to an object of a directory is.
#[derive(Clone, Debug)]
pub enum LinkConfig {
    /// `file://`, for programs of the same machine.
    Files,
    /// A signed link to the own server.
    Server {
        /// How clients reach the server.
        base: Url,
        /// What signs; without one it is made once and kept in the directory.
        secret: Option<Secret>,
    },
}

/// A directory as a store.
#[derive(Clone, Debug)]
pub struct DirectoryStorage {
    files: Arc<Files>,
    links: Option<Arc<SignedLinks>>,
}

impl DirectoryStorage {
    /// Opens a directory, and makes it if it is not there.
    ///
    /// One that cannot be written to can be opened and read.
    pub fn open(config: DirectoryConfig) -> Result<Self, StorageError> {
        let files = Files::open(&config.root, config.durability)?;
        let links = match config.links {
            LinkConfig::Files => None,
            LinkConfig::Server { base, secret } => {
                let secret = secret.map_or_else(|| kept_secret(&files), Ok)?;
                Some(Arc::new(SignedLinks::new(base, secret)))
            }
        };
        Ok(Self { files: Arc::new(files), links })
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        self.files.root()
    }

    /// What a server needs to serve the links of this store; `None` if these are `file://`.
    pub const fn links(&self) -> Option<&Arc<SignedLinks>> {
        self.links.as_ref()
    }

    /// Does what may wait for a disk, where that holds up nobody else.
    async fn perform<T: Send + 'static>(
        &self,
        key: &ObjectKey,
        work: impl FnOnce(&Files, &ObjectKey) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let (files, key) = (Arc::clone(&self.files), key.clone());
        run_blocking(move || work(&files, &key)).await
    }
}

async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    tokio::task::spawn_blocking(work)
        .await
        .expect("work on files does not panic and is not cancelled while the runtime lives")
}

/// The secret of this directory, made if there is none.
fn kept_secret(files: &Files) -> Result<Secret, StorageError> {
    if let Some(secret) = files.read_secret()? {
        return Ok(secret);
    }
    let mut random = [0; SECRET_BYTES];
    getrandom::fill(&mut random).map_err(|error| StorageError::Other {
        operation: "make a secret in",
        place: files.root().display().to_string(),
        source: error.into(),
    })?;
    let secret = Secret::new(hexadecimal(&random));
    match files.keep_secret(&secret) {
        Ok(()) => Ok(files.read_secret()?.unwrap_or(secret)),
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "links end with this process, because their secret could not be kept"
            );
            Ok(secret)
        }
    }
}

#[async_trait]
impl Storage for DirectoryStorage {
    async fn get(&self, key: &ObjectKey, limit_bytes: u64) -> Result<Object, StorageError> {
        self.perform(key, move |files, key| files.get(key, limit_bytes))
            .await
    }

    async fn get_range(
        &self,
        key: &ObjectKey,
        range: Range<u64>,
        version: Option<&Version>,
    ) -> Result<Object, StorageError> {
        let version = version.cloned();
        self.perform(key, move |files, key| files.get_range(key, range, version.as_ref()))
            .await
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>, StorageError> {
        self.perform(key, |files, key| files.head(key)).await
    }

    async fn put(&self, key: &ObjectKey, content: Bytes) -> Result<Stored, StorageError> {
        self.perform(key, move |files, key| files.put(key, &content))
            .await
    }

    async fn create(&self, key: &ObjectKey, content: Bytes) -> Result<Created, StorageError> {
        self.perform(key, move |files, key| files.create(key, &content))
            .await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StorageError> {
        self.perform(key, |files, key| files.delete(key)).await
    }

    async fn list(&self, prefix: &Prefix) -> Result<Vec<Entry>, StorageError> {
        let (files, prefix) = (Arc::clone(&self.files), prefix.to_string());
        run_blocking(move || files.list(&prefix)).await
    }

    async fn signed_url(&self, key: &ObjectKey, link: &Link) -> Result<Url, StorageError> {
        match &self.links {
            Some(links) => Ok(links.link(key, link, Timestamp::now())),
            None => Ok(self.files.url(key)),
        }
    }

    fn description(&self) -> String {
        format!("the directory {}", self.root().display())
    }
}
