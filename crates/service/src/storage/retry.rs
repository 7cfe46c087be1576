//! A store that is away for a moment is asked again.

use std::{
    hash::{BuildHasher, RandomState},
    ops::Range,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::Instant;
use url::Url;

use super::{
    Created, Entry, Link, Object, ObjectKey, ObjectMeta, Prefix, Storage, StorageError, Stored,
    Version,
};

/// How long a store that does not answer is asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// After this time no new attempt is begun.
    pub give_up_after: Duration,
    /// The pause after the first failure; each later one is twice as long, and up to half of it is left to chance.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
}

impl Default for RetryPolicy {
    /// Outlasts a store that is away for 30 seconds.
    fn default() -> Self {
        Self {
            give_up_after: Duration::from_secs(60),
            first_pause: Duration::from_millis(200),
            longest_pause: Duration::from_secs(5),
        }
    }
}

/// A store that is asked again where it did not answer. Every other failure comes through at once.
#[derive(Debug)]
pub struct Retrying {
    inner: Arc<dyn Storage>,
    policy: RetryPolicy,
}

impl Retrying {
    /// Asks `inner` as `policy` says.
    pub fn new(inner: Arc<dyn Storage>, policy: RetryPolicy) -> Self {
        Self { inner, policy }
    }

    async fn retry<T, F>(&self, attempt: impl Fn() -> F + Send) -> Result<T, StorageError>
    where
        F: Future<Output = Result<T, StorageError>> + Send,
    {
        let mut pauses = Pauses::begin(self.policy);
        loop {
            match attempt().await {
                Err(StorageError::Unreachable { store, source }) => {
                    let Some(pause) = pauses.next() else {
                        return Err(StorageError::Unreachable { store, source });
                    };
                    note(&store, &source, pause);
                    tokio::time::sleep(pause).await;
                }
                done => return done,
            }
        }
    }

    /// Whether what lies under a key is what an earlier attempt wrote, whose answer was lost.
    async fn is_ours(&self, key: &ObjectKey, content: &Bytes) -> Result<Created, StorageError> {
        match self.get(key, content.len() as u64).await {
            Ok(found) if found.bytes == *content => {
                Ok(Created::Yes(Stored { at: found.meta.modified }))
            }
            Err(error)
                if !error.is_missing() && !matches!(error, StorageError::TooLarge { .. }) =>
            {
                Err(error)
            }
            _ => Ok(Created::AlreadyThere),
        }
    }
}

fn note(store: &str, source: &super::Cause, pause: Duration) {
    let error = source.as_ref() as &(dyn std::error::Error + 'static);
    let pause_s = pause.as_secs_f32();
    tracing::warn!(error, pause_s, "{store} does not answer and is asked again");
}

/// The pauses between attempts, as long as there is to be another one.
struct Pauses {
    policy: RetryPolicy,
    began: Instant,
    pause: Duration,
}

impl Pauses {
    fn begin(policy: RetryPolicy) -> Self {
        Self { policy, began: Instant::now(), pause: policy.first_pause }
    }

    fn next(&mut self) -> Option<Duration> {
        let full = self.pause.min(self.policy.longest_pause);
        self.pause = full * 2;
        // Workers that lost the store together do not come back together.
        let chance = RandomState::new().hash_one(0) % 1024;
        let pause = full / 2 + full / 2 * u32::try_from(chance).unwrap_or(0) / 1024;
        (self.began.elapsed() + pause <= self.policy.give_up_after).then_some(pause)
    }
}

#[async_trait]
impl Storage for Retrying {
    async fn get(&self, key: &ObjectKey, limit_bytes: u64) -> Result<Object, StorageError> {
        self.retry(|| self.inner.get(key, limit_bytes)).await
    }

    async fn get_range(
        &self,
        key: &ObjectKey,
        range: Range<u64>,
        version: Option<&Version>,
    ) -> Result<Object, StorageError> {
        self.retry(|| self.inner.get_range(key, range.clone(), version))
            .await
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>, StorageError> {
        self.retry(|| self.inner.head(key)).await
    }

    async fn put(&self, key: &ObjectKey, content: Bytes) -> Result<Stored, StorageError> {
        self.retry(|| self.inner.put(key, content.clone())).await
    }

    async fn create(&self, key: &ObjectKey, content: Bytes) -> Result<Created, StorageError> {
        let mut pauses = Pauses::begin(self.policy);
        let mut answer_was_lost = false;
        loop {
            match self.inner.create(key, content.clone()).await {
                Err(StorageError::Unreachable { store, source }) => {
                    answer_was_lost = true;
                    let Some(pause) = pauses.next() else {
                        return Err(StorageError::Unreachable { store, source });
                    };
                    note(&store, &source, pause);
                    tokio::time::sleep(pause).await;
                }
                Ok(Created::AlreadyThere) if answer_was_lost => {
                    return self.is_ours(key, &content).await;
                }
                done => return done,
            }
        }
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StorageError> {
        self.retry(|| self.inner.delete(key)).await
    }

    async fn list(&self, prefix: &Prefix) -> Result<Vec<Entry>, StorageError> {
        self.retry(|| self.inner.list(prefix)).await
    }

    async fn signed_url(&self, key: &ObjectKey, link: &Link) -> Result<Url, StorageError> {
        self.inner.signed_url(key, link).await
    }

    fn description(&self) -> String {
        self.inner.description()
    }
}
