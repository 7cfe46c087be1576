//! Stores that are away, full, wrong about the time, or allow little.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use f5tts_service::{
    ErrorCode, Parts, Service,
    doctor::{Verdict, check_store},
    fetch::{Fetcher, Limits, Rules},
    jobs::Exclusion,
    storage::{
        CreateOnly, DirectoryConfig, DirectoryStorage, Durability, LinkConfig, MemoryFault,
        MemoryStorage, Operation, Permission, RetryPolicy, Retrying, Storage,
    },
    voices::Voices,
};
use jiff::SignedDuration;
use serde_json::json;

use crate::fake::{Tone, ask, options, service, voice};
use crate::jobs::begun;

/// A service on a store that is asked again, as buckets are.
fn patient(memory: &Arc<MemoryStorage>, tone: &Arc<Tone>) -> Arc<Service> {
    let policy = RetryPolicy {
        first_pause: Duration::from_millis(20),
        ..RetryPolicy::default()
    };
    let storage: Arc<dyn Storage> = Arc::new(Retrying::new(Arc::clone(memory) as _, policy));
    service(&storage, tone)
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_for_half_a_minute_costs_half_a_minute() {
    let memory = Arc::new(MemoryStorage::new());
    let tone = Tone::new(Duration::from_millis(100));
    let service = patient(&memory, &tone);
    let working = tokio::spawn({
        let service = Arc::clone(&service);
        async move { ask(&service, "a", json!({"text": "Hello."})).await }
    });
    begun(&tone).await;
    memory.go_away(Duration::from_secs(30));
    // The lease of the tests is shorter than that: the job is given up, and runs again.
    let answer = match working.await.unwrap() {
        Ok(answer) => answer,
        Err(_) => ask(&service, "a", json!({"text": "Hello."})).await.unwrap(),
    };
    assert_eq!(answer["status"], "COMPLETED");
    let status = ask(&service, "s", json!({"endpoint": "status", "job_id": "a"}))
        .await
        .unwrap();
    assert_eq!(status["status"], "COMPLETED");
}

#[tokio::test]
async fn a_lost_answer_is_not_a_lost_job() {
    for operation in [Operation::Create, Operation::Put, Operation::Get] {
        for skipped in 0..3 {
            let memory = Arc::new(MemoryStorage::new());
            let tone = Tone::new(Duration::ZERO);
            let service = patient(&memory, &tone);
            for _ in 0..skipped {
                // One fault a time reaches one operation.
                memory.fail_next(Some(operation), MemoryFault::Unreachable);
            }
            memory.fail_next(Some(operation), MemoryFault::AnswerLost);
            let answer = ask(&service, "a", json!({"text": "Hello."})).await.unwrap();
            assert_eq!(answer["status"], "COMPLETED", "{operation:?} {skipped}");
            assert_eq!(tone.done(), 1, "{operation:?} {skipped}");
        }
    }
}

#[tokio::test]
async fn a_full_store_fails_the_job_with_a_clear_word() {
    let memory = Arc::new(MemoryStorage::new());
    let service = patient(&memory, &Tone::new(Duration::ZERO));
    memory.fail_next(Some(Operation::Put), MemoryFault::Full);
    let failure = ask(&service, "a", json!({"text": "Hello."}))
        .await
        .unwrap_err();
    assert_eq!(failure.code(), ErrorCode::StoreFull);
    assert!(
        failure
            .message()
            .contains("no space left for `output/a.wav`"),
        "{failure}"
    );
    // Once there is room again, the same job runs.
    ask(&service, "a", json!({"text": "Hello."})).await.unwrap();
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_says_so() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("store");
    // A file where a directory should be keeps even the superuser out.
    std::fs::create_dir(&root).unwrap();
    std::fs::write(root.join("jobs"), "").unwrap();
    let config = DirectoryConfig {
        root,
        durability: Durability::Unsynced,
        links: LinkConfig::Files,
    };
    let storage: Arc<dyn Storage> = Arc::new(DirectoryStorage::open(config).unwrap());
    let service = service(&storage, &Tone::new(Duration::ZERO));
    let failure = ask(&service, "a", json!({"text": "Hello."}))
        .await
        .unwrap_err();
    assert_eq!(failure.code(), ErrorCode::StoreUnavailable);
    assert!(failure.message().contains("jobs/a/0000.json"), "{failure}");
}

/// Leases are counted by the store's clock alone, so that of this machine may be wrong by an hour.
#[tokio::test]
async fn a_wrong_clock_neither_steals_a_job_nor_keeps_it() {
    for hours in [-1, 1] {
        let memory = Arc::new(MemoryStorage::new());
        memory.set_clock_offset(SignedDuration::from_hours(hours));
        let storage: Arc<dyn Storage> = Arc::clone(&memory) as _;
        let slow = Tone::new(Duration::from_millis(2_500));
        let input = json!({"text": "Hello."});
        let first = tokio::spawn({
            let (service, input) = (service(&storage, &slow), input.clone());
            async move { ask(&service, "a", input).await }
        });
        begun(&slow).await;
        let quick = Tone::new(Duration::ZERO);
        ask(&service(&storage, &quick), "a", input.clone())
            .await
            .unwrap();
        first.await.unwrap().unwrap();
        assert_eq!((slow.done(), quick.done()), (1, 0), "{hours} h");

        let dying = Tone::new(Duration::from_secs(60));
        let task = tokio::spawn({
            let (service, input) = (service(&storage, &dying), input.clone());
            async move { ask(&service, "b", input).await }
        });
        begun(&dying).await;
        task.abort();
        ask(&service(&storage, &quick), "b", input).await.unwrap();
        assert_eq!(quick.done(), 1, "{hours} h");
    }
}

/// The page of the original grants reading, writing and removing objects, and nothing else.
#[tokio::test]
async fn three_permissions_are_enough() {
    let memory = Arc::new(MemoryStorage::new());
    memory.deny(Permission::ListBucket);
    let storage: Arc<dyn Storage> = Arc::clone(&memory) as _;
    let service = service(&storage, &Tone::new(Duration::ZERO));
    let upload = json!({
        "endpoint": "upload", "voice_name": "anna", "ref_text": voice().transcript,
        "file": BASE64_STANDARD.encode(voice().recording),
    });
    ask(&service, "u", upload).await.unwrap();
    let input = json!({"text": "Hello.", "local_voice": "anna", "idempotency_key": "k"});
    ask(&service, "a", input).await.unwrap();
    for endpoint in ["status", "result", "download", "delete_job"] {
        ask(&service, "x", json!({"endpoint": endpoint, "job_id": "a"}))
            .await
            .unwrap();
    }
    let self_test = ask(&service, "x", json!({"endpoint": "status"}))
        .await
        .unwrap();
    assert_eq!(self_test["status"], "ok", "{self_test}");
    let failure = ask(&service, "x", json!({"endpoint": "list_voices"}))
        .await
        .unwrap_err();
    assert!(failure.message().contains("s3:ListBucket"), "{failure}");
    ask(&service, "x", json!({"endpoint": "delete_voice", "voice_name": "anna"}))
        .await
        .unwrap();
}

fn service_of(memory: &Arc<MemoryStorage>, tone: &Arc<Tone>, exclusion: Exclusion) -> Arc<Service> {
    let storage: Arc<dyn Storage> = Arc::clone(memory) as _;
    let fetcher = Fetcher::new(Rules::default(), Limits::default()).unwrap();
    let voices =
        Arc::new(Voices::new(Arc::clone(&storage), fetcher, vec![voice()], "rms".to_owned()));
    let synthesizer = Arc::clone(tone) as _;
    let parts = Parts { storage, exclusion, voices, synthesizer };
    let mut options = options();
    // Such stores are slower to decide.
    options.lease.lasts = Duration::from_secs(10);
    Arc::new(Service::new(parts, options).unwrap())
}

/// Backblaze B2 refuses to create exclusively, Garage ignores the wish.
#[tokio::test]
async fn without_exclusive_creation_the_oldest_record_counts() {
    for create_only in [CreateOnly::Unsupported, CreateOnly::Ignored] {
        let memory = Arc::new(MemoryStorage::new());
        memory.set_create_only(create_only);
        let found = check_store(&*memory, Duration::ZERO).await;
        assert_eq!(found.check.verdict, Verdict::Warning);
        assert_eq!(found.exclusion, Some(Exclusion::Oldest), "{create_only:?}");
        let tone = Tone::new(Duration::from_millis(100));
        let workers: Vec<_> = (0..6)
            .map(|_| {
                let service = service_of(&memory, &tone, Exclusion::Oldest);
                tokio::spawn(async move {
                    ask(&service, "a", json!({"text": "Hello.", "seed": 1})).await
                })
            })
            .collect();
        for worker in workers {
            assert_eq!(worker.await.unwrap().unwrap()["status"], "COMPLETED");
        }
        assert_eq!(tone.done(), 1, "{create_only:?}");
    }
}

#[tokio::test]
async fn without_exclusive_creation_a_key_still_stands_for_one_job() {
    for create_only in [CreateOnly::Unsupported, CreateOnly::Ignored] {
        let memory = Arc::new(MemoryStorage::new());
        memory.set_create_only(create_only);
        let tone = Tone::new(Duration::ZERO);
        let service = service_of(&memory, &tone, Exclusion::None);
        for job in ["a", "b"] {
            let input = json!({"text": "Hello.", "idempotency_key": "order 7"});
            assert_eq!(ask(&service, job, input).await.unwrap()["job_id"], "a");
        }
        assert_eq!(tone.done(), 1, "{create_only:?}");
    }
}

#[tokio::test]
async fn a_store_that_can_neither_create_exclusively_nor_list_is_told() {
    let memory = MemoryStorage::new();
    memory.set_create_only(CreateOnly::Ignored);
    memory.deny(Permission::ListBucket);
    let found = check_store(&memory, Duration::ZERO).await;
    assert_eq!(found.exclusion, Some(Exclusion::None));
    assert!(found.check.advice.unwrap().contains("s3:ListBucket"));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_comes_late_is_waited_for() {
    let memory = MemoryStorage::new();
    memory.go_away(Duration::from_secs(5));
    assert_eq!(check_store(&memory, Duration::ZERO).await.exclusion, None);
    let found = check_store(&memory, Duration::from_secs(60)).await;
    assert_eq!(found.exclusion, Some(Exclusion::Create));
}
