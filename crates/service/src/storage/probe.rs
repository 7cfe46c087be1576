//! What a store can do, found out by trying.

use std::hash::{BuildHasher, RandomState};

use bytes::Bytes;

use super::{Created, ObjectKey, Storage, StorageError, WriterId};

/// Whether a store keeps a second writer from an object that is to be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateOnly {
    /// Of any number of writers one wins: AWS, `MinIO`, R2, Ceph, a directory.
    Exclusive,
    /// The store refuses the request: Backblaze B2, Swift.
    Unsupported,
    /// The store overwrites without a word: Garage.
    Ignored,
}

/// Finds out what `create` means on a store, by two attempts at one object, which is removed again.
///
/// Fails as a write, a read or a removal does: nothing else is needed from a store.
pub async fn probe(storage: &dyn Storage) -> Result<CreateOnly, StorageError> {
    let key = ObjectKey::Probe(fresh_id());
    let found = attempt(storage, &key).await;
    let removed = storage.delete(&key).await;
    let found = found?;
    removed?;
    Ok(found)
}

async fn attempt(storage: &dyn Storage, key: &ObjectKey) -> Result<CreateOnly, StorageError> {
    let (first, second) = (Bytes::from_static(b"first"), Bytes::from_static(b"second"));
    // A plain write tells wrong credentials and the like from a store that lacks conditions.
    storage.put(key, first.clone()).await?;
    let read = storage.get(key, 64).await?;
    if read.bytes != first {
        let source = "what was read is not what was written".into();
        return Err(StorageError::Other { operation: "read back", place: key.to_string(), source });
    }
    match storage.create(key, second).await {
        Ok(Created::AlreadyThere) => Ok(CreateOnly::Exclusive),
        Ok(Created::Yes(_)) => Ok(CreateOnly::Ignored),
        Err(StorageError::Unsupported { .. }) => Ok(CreateOnly::Unsupported),
        Err(error) => Err(error),
    }
}

/// An identifier that no other process has.
fn fresh_id() -> WriterId {
    // Keyed anew for each state, from the randomness of the system.
    let id = format!("{:016x}", RandomState::new().hash_one(std::process::id()));
    WriterId::try_from(id.as_str()).expect("hexadecimal digits are an identifier")
}
