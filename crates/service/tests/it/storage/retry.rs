use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use f5tts_service::storage::{
    Created, MemoryFault, MemoryStorage, Operation, Prefix, RetryPolicy, Retrying, Storage,
    StorageError,
};
use tokio::time::Instant;

use super::{
    contract::{Expectations, storage_contract},
    job_id, output, record,
};

fn retrying() -> (Arc<MemoryStorage>, Retrying) {
    let memory = Arc::new(MemoryStorage::new());
    let storage = Retrying::new(Arc::clone(&memory) as Arc<dyn Storage>, RetryPolicy::default());
    (memory, storage)
}

#[tokio::test]
async fn asking_again_keeps_the_contract() {
    let create_only = f5tts_service::storage::CreateOnly::Exclusive;
    let (_, storage) = retrying();
    storage_contract(Arc::new(storage), Expectations { create_only, listed_objects: 10 }).await;
}

#[tokio::test(start_paused = true)]
async fn a_store_may_be_away_for_half_a_minute() {
    let (memory, storage) = retrying();
    let (key, content) = (output("a"), Bytes::from_static(b"x"));
    storage.put(&key, content.clone()).await.unwrap();
    let away = || memory.go_away(Duration::from_secs(30));
    away();
    storage.put(&key, content.clone()).await.unwrap();
    away();
    assert_eq!(storage.get(&key, 9).await.unwrap().bytes, content);
    away();
    assert!(storage.head(&key).await.unwrap().is_some());
    away();
    assert_eq!(storage.get_range(&key, 0..1, None).await.unwrap().bytes, content);
    away();
    assert_eq!(storage.list(&Prefix::Outputs).await.unwrap().len(), 1);
    away();
    storage.delete(&key).await.unwrap();
    away();
    assert!(matches!(storage.create(&key, content).await.unwrap(), Created::Yes(_)));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_stays_away_is_given_up() {
    let (memory, storage) = retrying();
    memory.go_away(Duration::from_secs(1000));
    let began = Instant::now();
    let error = storage.head(&output("a")).await.unwrap_err();
    assert!(matches!(error, StorageError::Unreachable { .. }), "{error:?}");
    assert!(began.elapsed() <= Duration::from_secs(60), "{:?}", began.elapsed());
    assert!(began.elapsed() >= Duration::from_secs(50), "{:?}", began.elapsed());
    assert!(memory.count(Operation::Head) < 60);
}

#[tokio::test(start_paused = true)]
async fn one_of_many_creators_wins_though_answers_get_lost() {
    for _ in 0..20 {
        let memory = Arc::new(MemoryStorage::new());
        memory.fail_next(Some(Operation::Create), MemoryFault::AnswerLost);
        memory.fail_next(Some(Operation::Create), MemoryFault::Unreachable);
        let key = record(&job_id("a"), 0);
        let attempts = (0..8).map(|writer| {
            let inner = Arc::clone(&memory) as Arc<dyn Storage>;
            let (storage, key) = (Retrying::new(inner, RetryPolicy::default()), key.clone());
            let content = Bytes::from(format!("writer {writer}"));
            tokio::spawn(
                async move { (storage.create(&key, content.clone()).await.unwrap(), content) },
            )
        });
        let mut winners = Vec::new();
        for attempt in attempts.collect::<Vec<_>>() {
            if let (Created::Yes(_), content) = attempt.await.unwrap() {
                winners.push(content);
            }
        }
        assert_eq!(winners, [memory.get(&key, 100).await.unwrap().bytes]);
    }
}

#[tokio::test]
async fn what_will_not_pass_comes_through_at_once() {
    let (memory, storage) = retrying();
    for fault in [MemoryFault::Full, MemoryFault::ReadOnly] {
        memory.fail_next(Some(Operation::Put), fault);
        let error = storage.put(&output("a"), Bytes::new()).await.unwrap_err();
        assert!(!error.is_transient(), "{error:?}");
    }
    assert_eq!(memory.count(Operation::Put), 2);
}
