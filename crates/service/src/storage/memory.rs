//! A store in memory, which fails as it is told: for tests of everything that uses a store.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ops::Range,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use url::Url;

use super::{
    CreateOnly, Created, Entry, Link, Object, ObjectKey, ObjectMeta, Permission, Prefix, Storage,
    StorageError, Stored, Version,
};

/// A store in memory. Its clock is tokio's, so that a test can let hours pass.
#[derive(Debug)]
pub struct MemoryStorage {
    state: Mutex<State>,
    began: (Timestamp, Instant),
}

#[derive(Debug)]
struct State {
    objects: BTreeMap<String, Stock>,
    /// Counts writes, so that each content has a version of its own.
    writes: u64,
    operations: BTreeMap<Operation, u64>,
    faults: VecDeque<(Option<Operation>, MemoryFault)>,
    away_until: Option<Instant>,
    delay: Duration,
    clock_offset: SignedDuration,
    create_only: CreateOnly,
    denied: BTreeSet<&'static str>,
}

#[derive(Clone, Debug)]
struct Stock {
    content: Bytes,
    modified: Timestamp,
    version: u64,
}

/// What a store is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// [`Storage::get`] and [`Storage::get_range`]
    Get,
    /// [`Storage::head`]
    Head,
    /// [`Storage::put`]
    Put,
    /// [`Storage::create`]
    Create,
    /// [`Storage::delete`]
    Delete,
    /// [`Storage::list`]
    List,
    /// [`Storage::signed_url`]
    SignedUrl,
}

/// How an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryFault {
    /// Nothing is done, and the store seems not to be there.
    Unreachable,
    /// All is done, and the answer gets lost.
    AnswerLost,
    /// There is no room.
    Full,
    /// Nothing can be written.
    ReadOnly,
}

impl Default for MemoryStorage {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStorage {
    /// An empty store without faults.
    pub fn new() -> Self {
        let state = State {
            objects: BTreeMap::new(),
            writes: 0,
            operations: BTreeMap::new(),
            faults: VecDeque::new(),
            away_until: None,
            delay: Duration::ZERO,
            clock_offset: SignedDuration::ZERO,
            create_only: CreateOnly::Exclusive,
            denied: BTreeSet::new(),
        };
        Self {
            state: Mutex::new(state),
            began: (Timestamp::now(), Instant::now()),
        }
    }

    /// Has the next operation fail, or the next one of a kind; faults queue up.
    pub fn fail_next(&self, operation: Option<Operation>, fault: MemoryFault) {
        self.state().faults.push_back((operation, fault));
    }

    /// Has every operation fail for a while from now, as if the store were away.
    pub fn go_away(&self, duration: Duration) {
        self.state().away_until = Some(Instant::now() + duration);
    }

    /// Has every operation take this long.
    pub fn set_delay(&self, delay: Duration) {
        self.state().delay = delay;
    }

    /// Sets the store's clock ahead of the machine's, or behind it.
    pub fn set_clock_offset(&self, offset: SignedDuration) {
        self.state().clock_offset = offset;
    }

    /// Chooses what the store makes of `create`.
    pub fn set_create_only(&self, create_only: CreateOnly) {
        self.state().create_only = create_only;
    }

    /// Takes a permission away, as a policy of the bucket does.
    pub fn deny(&self, permission: Permission) {
        self.state().denied.insert(permission_name(permission));
    }

    /// How often an operation was asked for, failures included.
    pub fn count(&self, operation: Operation) -> u64 {
        self.state()
            .operations
            .get(&operation)
            .copied()
            .unwrap_or(0)
    }

    /// All keys, in order.
    pub fn keys(&self) -> Vec<String> {
        self.state().objects.keys().cloned().collect()
    }

    /// Puts bytes under any key, behind the back of the interface: what another program left there.
    pub fn plant(&self, key: &str, content: impl Into<Bytes>) {
        let now = self.now(&self.state());
        self.state().insert(key, content.into(), now);
    }

    /// The time by the store's clock.
    pub fn clock(&self) -> Timestamp {
        self.now(&self.state())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn now(&self, state: &State) -> Timestamp {
        let (began, instant) = self.began;
        let passed = SignedDuration::try_from(instant.elapsed()).unwrap_or(SignedDuration::MAX);
        began
            .saturating_add(passed.saturating_add(state.clock_offset))
            .unwrap_or(Timestamp::MAX)
    }

    /// Does `work` on the objects, or fails as was asked for.
    async fn perform<T>(
        &self,
        operation: Operation,
        place: &str,
        work: impl FnOnce(&mut State, Timestamp) -> Result<T, StorageError> + Send,
    ) -> Result<T, StorageError> {
        let delay = self.state().delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let mut state = self.state();
        let now = self.now(&state);
        *state.operations.entry(operation).or_default() += 1;
        if state.away_until.is_some_and(|until| Instant::now() < until) {
            return Err(unreachable());
        }
        state.check_permission(operation, place)?;
        match state.take_fault(operation) {
            None => work(&mut state, now),
            Some(MemoryFault::Unreachable) => Err(unreachable()),
            Some(MemoryFault::AnswerLost) => work(&mut state, now).and(Err(unreachable())),
            Some(MemoryFault::Full) => {
                Err(StorageError::Full { place: place.to_owned(), source: asked_for() })
            }
            Some(MemoryFault::ReadOnly) => {
                Err(StorageError::ReadOnly { place: place.to_owned(), source: asked_for() })
            }
        }
    }
}

impl State {
    fn insert(&mut self, key: &str, content: Bytes, modified: Timestamp) {
        self.writes += 1;
        let stock = Stock { content, modified, version: self.writes };
        self.objects.insert(key.to_owned(), stock);
    }

    fn take_fault(&mut self, operation: Operation) -> Option<MemoryFault> {
        let fits = |(wanted, _): &(Option<Operation>, MemoryFault)| {
            wanted.is_none_or(|wanted| wanted == operation)
        };
        let position = self.faults.iter().position(fits)?;
        self.faults.remove(position).map(|(_, fault)| fault)
    }

    fn check_permission(&self, operation: Operation, place: &str) -> Result<(), StorageError> {
        let permission = match operation {
            Operation::Get | Operation::Head => Permission::GetObject,
            Operation::Put | Operation::Create => Permission::PutObject,
            Operation::Delete => Permission::DeleteObject,
            Operation::List => Permission::ListBucket,
            Operation::SignedUrl => return Ok(()),
        };
        let is_denied = |permission| self.denied.contains(permission_name(permission));
        let cannot_tell = permission == Permission::GetObject
            && is_denied(Permission::ListBucket)
            && !self.objects.contains_key(place);
        let (key, source) = (place.to_owned(), asked_for());
        match is_denied(permission) {
            _ if cannot_tell => Err(StorageError::MissingOrDenied { key, source }),
            true if permission == Permission::GetObject => {
                Err(StorageError::MissingOrDenied { key, source })
            }
            true => Err(StorageError::Denied { place: key, permission, source }),
            false => Ok(()),
        }
    }

    fn find(&self, key: &ObjectKey) -> Result<&Stock, StorageError> {
        let key = key.to_string();
        self.objects.get(&key).ok_or(StorageError::Missing { key })
    }
}

impl Stock {
    fn meta(&self, now: Timestamp) -> ObjectMeta {
        ObjectMeta {
            size: self.content.len() as u64,
            modified: self.modified,
            now,
            version: Some(Version(self.version.to_string())),
        }
    }
}

fn permission_name(permission: Permission) -> &'static str {
    match permission {
        Permission::GetObject => "get",
        Permission::PutObject => "put",
        Permission::DeleteObject => "delete",
        Permission::ListBucket => "list",
    }
}

fn unreachable() -> StorageError {
    StorageError::Unreachable { store: "the store in memory".to_owned(), source: asked_for() }
}

fn asked_for() -> super::Cause {
    "a test asked for this".into()
}

#[async_trait]
impl Storage for MemoryStorage {
    async fn get(&self, key: &ObjectKey, limit_bytes: u64) -> Result<Object, StorageError> {
        let place = key.to_string();
        self.perform(Operation::Get, &place, |state, now| {
            let stock = state.find(key)?;
            let size_bytes = stock.content.len() as u64;
            if size_bytes > limit_bytes {
                return Err(StorageError::TooLarge {
                    key: key.to_string(),
                    size_bytes,
                    limit_bytes,
                });
            }
            Ok(Object { bytes: stock.content.clone(), meta: stock.meta(now) })
        })
        .await
    }

    async fn get_range(
        &self,
        key: &ObjectKey,
        range: Range<u64>,
        version: Option<&Version>,
    ) -> Result<Object, StorageError> {
        let place = key.to_string();
        self.perform(Operation::Get, &place, |state, now| {
            let stock = state.find(key)?;
            let meta = stock.meta(now);
            if version.is_some() && version != meta.version.as_ref() {
                return Err(StorageError::Changed { key: key.to_string() });
            }
            let clip = |at: u64| usize::try_from(at.min(meta.size)).unwrap_or(usize::MAX);
            let (start, end) = (clip(range.start), clip(range.end));
            Ok(Object { bytes: stock.content.slice(start..end.max(start)), meta })
        })
        .await
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>, StorageError> {
        let place = key.to_string();
        let found = self
            .perform(Operation::Head, &place, |state, now| Ok(state.find(key)?.meta(now)))
            .await;
        match found {
            Ok(meta) => Ok(Some(meta)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn put(&self, key: &ObjectKey, content: Bytes) -> Result<Stored, StorageError> {
        let place = key.to_string();
        self.perform(Operation::Put, &place, |state, now| {
            state.insert(&place, content, now);
            Ok(Stored { at: now })
        })
        .await
    }

    async fn create(&self, key: &ObjectKey, content: Bytes) -> Result<Created, StorageError> {
        let place = key.to_string();
        self.perform(Operation::Create, &place, |state, now| {
            let exists = state.objects.contains_key(&place);
            match state.create_only {
                CreateOnly::Unsupported => {
                    let (store, operation) =
                        ("the store in memory".to_owned(), "create-only writes");
                    return Err(StorageError::Unsupported { store, operation, source: None });
                }
                CreateOnly::Exclusive if exists => return Ok(Created::AlreadyThere),
                CreateOnly::Exclusive | CreateOnly::Ignored => {}
            }
            state.insert(&place, content, now);
            Ok(Created::Yes(Stored { at: now }))
        })
        .await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StorageError> {
        let place = key.to_string();
        self.perform(Operation::Delete, &place, |state, _| {
            state.objects.remove(&place);
            Ok(())
        })
        .await
    }

    async fn list(&self, prefix: &Prefix) -> Result<Vec<Entry>, StorageError> {
        let prefix = prefix.to_string();
        self.perform(Operation::List, &prefix, |state, now| {
            let below = state.objects.range(prefix.clone()..);
            let entries = below.map_while(|(key, stock)| {
                let name = key.strip_prefix(&prefix)?.to_owned();
                Some(Entry { name, meta: stock.meta(now) })
            });
            Ok(entries.collect())
        })
        .await
    }

    async fn signed_url(&self, key: &ObjectKey, link: &Link) -> Result<Url, StorageError> {
        let place = key.to_string();
        self.perform(Operation::SignedUrl, &place, |_, now| {
            let expires = now
                .as_second()
                .saturating_add_unsigned(link.lifetime.as_duration().as_secs());
            let mut url = Url::parse("memory:///").expect("a constant that is a URL");
            url.set_path(&place);
            url.query_pairs_mut()
                .append_pair("expires", &expires.to_string());
            Ok(url)
        })
        .await
    }

    fn description(&self) -> String {
        "memory".to_owned()
    }
}
