//! Where voices, speech, records of jobs and models are kept.
//!
//! One trait, [`Storage`], with three implementations that keep one contract (`tests/it/storage`): a directory, a
//! bucket of S3 and the memory of a test. Every place of an object is an [`ObjectKey`].

mod directory;
mod error;
mod key;
mod memory;
mod name;
mod probe;
mod retry;
mod s3;
mod secret;

use std::{fmt::Debug, ops::Range, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use url::Url;

pub use directory::{DirectoryConfig, DirectoryStorage, Durability, LinkConfig};
pub use directory::{LinkError, SignedLinks, VerifiedLink};
pub use error::{Cause, Fault, Permission, StorageError};
pub use key::{AudioExtension, ObjectKey, Prefix, TimingExtension, UnknownExtension};
pub use memory::{MemoryFault, MemoryStorage, Operation};
pub use name::{FilePath, IdempotencyHash, JobId, NameError, Repository, VoiceName, WriterId};
pub use probe::{CreateOnly, probe};
pub use retry::{RetryPolicy, Retrying};
pub use s3::{S3Config, S3Credentials, S3Storage};
pub use secret::Secret;

pub(crate) use name::hexadecimal;

/// A place for objects.
///
/// An object is there whole or not at all: no reader sees half of one, and what a writer was told is stored stays
/// so. Times are those of the store, never of this machine's clock.
#[async_trait]
pub trait Storage: Debug + Send + Sync {
    /// Reads an object of at most `limit_bytes`.
    async fn get(&self, key: &ObjectKey, limit_bytes: u64) -> Result<Object, StorageError>;

    /// Reads the part of an object from `range.start` up to its end or `range.end`, whichever comes first.
    ///
    /// With a version, anything else under the key is [`StorageError::Changed`]. A range that begins at the end or
    /// beyond it has no bytes.
    async fn get_range(
        &self,
        key: &ObjectKey,
        range: Range<u64>,
        version: Option<&Version>,
    ) -> Result<Object, StorageError>;

    /// What is known about an object without reading it; `None` if it is not there.
    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>, StorageError>;

    /// Writes an object, in the place of what was there.
    async fn put(&self, key: &ObjectKey, content: Bytes) -> Result<Stored, StorageError>;

    /// Writes an object where there is none: of any number of writers exactly one gets [`Created::Yes`].
    ///
    /// Whether a store keeps this promise, [`probe`] finds out. Contents of different writers have to differ, so
    /// that one whose answer got lost can find out that it was the one.
    async fn create(&self, key: &ObjectKey, content: Bytes) -> Result<Created, StorageError>;

    /// Removes an object. That there is none is no error.
    async fn delete(&self, key: &ObjectKey) -> Result<(), StorageError>;

    /// All objects below a prefix, by key in ascending order of bytes.
    async fn list(&self, prefix: &Prefix) -> Result<Vec<Entry>, StorageError>;

    /// A link by which anybody can read the object for a while.
    async fn signed_url(&self, key: &ObjectKey, link: &Link) -> Result<Url, StorageError>;

    /// Which store it is, for people: never a secret.
    fn description(&self) -> String;
}

/// An object, or a part of one.
#[derive(Clone, Debug)]
pub struct Object {
    /// The content.
    pub bytes: Bytes,
    /// About the whole object.
    pub meta: ObjectMeta,
}

/// What a store tells about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Bytes of the whole object.
    pub size: u64,
    /// When it was written, by the store's clock.
    pub modified: Timestamp,
    /// When the store said so, by the same clock.
    pub now: Timestamp,
    /// Which content it is, where the store tells.
    pub version: Option<Version>,
}

impl ObjectMeta {
    /// How long ago the object was written, by the store's clock alone. S3 counts in whole seconds.
    pub fn age(&self) -> Duration {
        self.now
            .duration_since(self.modified)
            .try_into()
            .unwrap_or(Duration::ZERO)
    }
}

/// What tells one content of an object from another, as the store words it: not a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(pub(crate) String);

impl Version {
    /// A version that was kept as text.
    pub fn from_text(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The version as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An object was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// When, by the store's clock.
    pub at: Timestamp,
}

/// Whether an object was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// It is the one that was given.
    Yes(Stored),
    /// There was one before.
    AlreadyThere,
}

/// An object in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key without the prefix of the list.
    pub name: String,
    /// About the object.
    pub meta: ObjectMeta,
}

/// What a signed link is like.
#[derive(Clone, Debug)]
pub struct Link {
    /// How long it works.
    pub lifetime: LinkLifetime,
    /// The name under which a browser saves the object, instead of showing it.
    pub file_name: Option<String>,
}

/// How long a signed link works.
///
/// Invariant: within [`LinkLifetime::RANGE_S`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkLifetime(Duration);

impl LinkLifetime {
    /// What S3 takes, in seconds.
    pub const RANGE_S: std::ops::RangeInclusive<u64> = 1..=604_800;

    /// The duration itself.
    pub const fn as_duration(self) -> Duration {
        self.0
    }
}

impl TryFrom<Duration> for LinkLifetime {
    type Error = LinkLifetimeError;

    fn try_from(lifetime: Duration) -> Result<Self, LinkLifetimeError> {
        let seconds = lifetime.as_secs();
        match Self::RANGE_S.contains(&seconds) {
            true => Ok(Self(Duration::from_secs(seconds))),
            false => Err(LinkLifetimeError { seconds }),
        }
    }
}

/// A lifetime that S3 does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a link cannot work for {seconds} seconds; allowed is 1 to 604800, seven days")]
pub struct LinkLifetimeError {
    seconds: u64,
}

/// The text for `Content-Disposition` that has a browser save a file under `name`.
pub(crate) fn content_disposition(name: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || " ._-()+".contains(c) {
            c
        } else {
            '_'
        }
    };
    let simple: String = name.chars().map(plain).collect();
    let mut exact = String::new();
    for &byte in name.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"._-".contains(&byte) {
            exact.push(char::from(byte));
        } else {
            exact.push('%');
            exact.push_str(&hexadecimal(&[byte]).to_ascii_uppercase());
        }
    }
    format!("attachment; filename=\"{simple}\"; filename*=UTF-8''{exact}")
}
