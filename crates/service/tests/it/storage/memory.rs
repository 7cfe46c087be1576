use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use f5tts_service::storage::{
    CreateOnly, Created, Fault, MemoryFault, MemoryStorage, Operation, Permission, Prefix, Storage,
    StorageError, probe,
};
use jiff::SignedDuration;

use super::{
    contract::{Expectations, storage_contract},
    job_id, output, record,
};

#[tokio::test]
async fn memory_keeps_the_contract() {
    let expected = Expectations { create_only: CreateOnly::Exclusive, listed_objects: 1100 };
    let storage = Arc::new(MemoryStorage::new());
    storage_contract(storage.clone(), expected).await;
    assert_eq!(storage.keys(), [] as [&str; 0]);
}

#[tokio::test]
async fn a_store_that_cannot_create_only_is_found_out() {
    for create_only in [
        CreateOnly::Unsupported,
        CreateOnly::Ignored,
        CreateOnly::Exclusive,
    ] {
        let storage = MemoryStorage::new();
        storage.set_create_only(create_only);
        assert_eq!(probe(&storage).await.unwrap(), create_only);
        assert_eq!(storage.keys(), [] as [&str; 0]);
    }
}

#[tokio::test]
async fn faults_come_as_they_were_asked_for() {
    let (storage, key) = (MemoryStorage::new(), output("a"));
    storage.fail_next(None, MemoryFault::Unreachable);
    storage.fail_next(Some(Operation::Put), MemoryFault::AnswerLost);
    storage.fail_next(Some(Operation::Put), MemoryFault::Full);
    let content = || Bytes::from_static(b"x");
    assert!(storage.head(&key).await.unwrap_err().is_transient());
    assert!(
        storage
            .put(&key, content())
            .await
            .unwrap_err()
            .is_transient()
    );
    assert_eq!(storage.get(&key, 10).await.unwrap().bytes, content());
    assert_eq!(storage.put(&key, content()).await.unwrap_err().fault(), Fault::Operator);
    assert!(storage.put(&key, content()).await.is_ok());
    assert_eq!(storage.count(Operation::Put), 3);
}

#[tokio::test(start_paused = true)]
async fn time_is_the_stores() {
    let (storage, key) = (MemoryStorage::new(), output("a"));
    storage.set_clock_offset(SignedDuration::from_hours(-1));
    storage.put(&key, Bytes::new()).await.unwrap();
    tokio::time::advance(Duration::from_secs(61)).await;
    let meta = storage.head(&key).await.unwrap().unwrap();
    assert_eq!(meta.age(), Duration::from_secs(61));
    storage.go_away(Duration::from_secs(30));
    storage.set_delay(Duration::from_secs(10));
    assert!(storage.head(&key).await.is_err());
    assert!(storage.head(&key).await.is_err());
    assert!(storage.head(&key).await.is_ok());
}

#[tokio::test]
async fn without_the_permission_to_list_a_missing_key_is_a_normal_answer() {
    let storage = MemoryStorage::new();
    storage.deny(Permission::ListBucket);
    let key = record(&job_id("a"), 0);
    let error = storage.get(&key, 10).await.unwrap_err();
    assert!(matches!(error, StorageError::MissingOrDenied { .. }) && error.is_missing());
    assert_eq!(storage.head(&key).await.unwrap(), None);
    assert!(matches!(storage.create(&key, Bytes::new()).await, Ok(Created::Yes(_))));
    assert!(storage.get(&key, 10).await.is_ok());
    let error = storage.list(&Prefix::Jobs).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the credentials lack the permission s3:ListBucket for `jobs/`"
    );
    assert_eq!(probe(&storage).await.unwrap(), CreateOnly::Exclusive);
}
