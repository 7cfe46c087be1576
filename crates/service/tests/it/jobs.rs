//! Every job ends exactly once, whoever does it.

use std::{sync::Arc, time::Duration};

use f5tts_service::{
    Context, ErrorCode, Lifetime,
    jobs::{self, Appended, Entry, Event, Exclusion, JobLog, LeaseTimes, Order, State},
    jobs::{Swept, sweep},
    storage::{CreateOnly, MemoryStorage, ObjectKey, Prefix, Storage, WriterId},
    synthesis::ProgressCell,
};
use jiff::SignedDuration;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::fake::{Tone, ask, id, job, service};

fn memory() -> Arc<dyn Storage> {
    Arc::new(MemoryStorage::default())
}

#[tokio::test]
async fn a_finished_job_is_answered_from_its_record() {
    let (storage, tone) = (memory(), Tone::new(Duration::ZERO));
    let input = json!({"text": "Hello.", "return_word_timings": false});
    let first = ask(&service(&storage, &tone), "a", input.clone())
        .await
        .unwrap();
    // As another process that is offered the same job.
    let second = ask(&service(&storage, &tone), "a", input).await.unwrap();
    assert_eq!(first["seed"], second["seed"]);
    assert_eq!(first["voice_version"], second["voice_version"]);
    assert_eq!(tone.done(), 1);
}

#[tokio::test]
async fn one_id_is_one_request() {
    let (storage, tone) = (memory(), Tone::new(Duration::ZERO));
    let service = service(&storage, &tone);
    ask(&service, "a", json!({"text": "Hello."})).await.unwrap();
    let failure = ask(&service, "a", json!({"text": "Goodbye."}))
        .await
        .unwrap_err();
    assert_eq!(failure.code(), ErrorCode::JobConflict);
}

#[tokio::test]
async fn of_many_who_are_offered_a_job_one_does_it() {
    let (storage, tone) = (memory(), Tone::new(Duration::from_millis(200)));
    let input = json!({"text": "Hello.", "seed": 5});
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let (service, input) = (service(&storage, &tone), input.clone());
            tokio::spawn(async move { ask(&service, "a", input).await })
        })
        .collect();
    for worker in workers {
        let answer = worker.await.unwrap().unwrap();
        assert_eq!((&answer["status"], &answer["seed"]), (&json!("COMPLETED"), &json!(5)));
    }
    assert_eq!(tone.done(), 1);
}

#[tokio::test]
async fn the_same_key_is_the_same_job() {
    let (storage, tone) = (memory(), Tone::new(Duration::ZERO));
    let service = service(&storage, &tone);
    let input = json!({"text": "Hello.", "idempotency_key": "order 7"});
    let first = ask(&service, "a", input.clone()).await.unwrap();
    let second = ask(&service, "b", input).await.unwrap();
    assert_eq!((&first["job_id"], &second["job_id"]), (&json!("a"), &json!("a")));
    assert_eq!(tone.done(), 1);
    let other = json!({"text": "Goodbye.", "idempotency_key": "order 7"});
    assert_eq!(ask(&service, "c", other).await.unwrap_err().code(), ErrorCode::JobConflict);
}

#[tokio::test]
async fn a_job_that_ended_in_an_error_runs_again() {
    let (storage, tone) = (memory(), Tone::new(Duration::ZERO));
    let service = service(&storage, &tone);
    let input = json!({"text": "Hello.", "local_voice": "anna"});
    let failure = ask(&service, "a", input.clone()).await.unwrap_err();
    assert_eq!(failure.code(), ErrorCode::VoiceNotFound);
    let status = ask(&service, "s", json!({"endpoint": "status", "job_id": "a"}))
        .await
        .unwrap();
    assert_eq!(
        (&status["status"], &status["error_code"]),
        (&json!("ERROR"), &json!("voice_not_found"))
    );
    store_voice(&storage, "anna.wav").await;
    let answer = ask(&service, "a", input).await.unwrap();
    assert_eq!((&answer["status"], &answer["voice"]), (&json!("COMPLETED"), &json!("anna.wav")));
}

/// Waits until a task was begun.
pub(crate) async fn begun(tone: &Tone) {
    while tone.seeds.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) async fn store_voice(storage: &Arc<dyn Storage>, name: &str) {
    let voice = crate::fake::voice();
    let name = f5tts_service::storage::VoiceName::try_from(name).unwrap();
    storage
        .put(&ObjectKey::Voice(name.clone()), voice.recording.into())
        .await
        .unwrap();
    storage
        .put(&ObjectKey::Transcript(name), voice.transcript.into())
        .await
        .unwrap();
}

#[tokio::test]
async fn whoever_died_is_replaced_after_the_lease_and_the_seed_stays() {
    let (storage, tone) = (memory(), Tone::new(Duration::from_millis(100)));
    let input = json!({"text": "Hello."});
    let died = service(&storage, &tone);
    let slow = Tone::new(Duration::from_secs(60));
    let dying = service(&storage, &slow);
    let task = tokio::spawn({
        let input = input.clone();
        async move { ask(&dying, "a", input).await }
    });
    begun(&slow).await;
    task.abort();
    let begun = std::time::Instant::now();
    let answer = ask(&died, "a", input).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(1_000), "{:?}", begun.elapsed());
    assert_eq!(json!(slow.seeds.lock().unwrap()[0]), answer["seed"]);
    assert_eq!(tone.done(), 1);
}

#[tokio::test]
async fn a_long_job_keeps_its_lease() {
    let storage = memory();
    let tone = Tone::new(Duration::from_millis(3_500));
    let input = json!({"text": "Hello."});
    let first = tokio::spawn({
        let (service, input) = (service(&storage, &tone), input.clone());
        async move { ask(&service, "a", input).await }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let second = ask(&service(&storage, &tone), "a", input).await.unwrap();
    assert_eq!(first.await.unwrap().unwrap()["seed"], second["seed"]);
    assert_eq!(tone.done(), 1);
}

#[tokio::test]
async fn cancelling_stops_a_job_in_another_process() {
    let storage = memory();
    let tone = Tone::new(Duration::from_secs(60));
    let working = tokio::spawn({
        let service = service(&storage, &tone);
        async move { ask(&service, "a", json!({"text": "Hello."})).await }
    });
    begun(&tone).await;
    let elsewhere = service(&storage, &tone);
    let cancel = json!({"endpoint": "cancel", "job_id": "a"});
    let answer = ask(&elsewhere, "c", cancel.clone()).await.unwrap();
    assert_eq!(answer, json!({"job_id": "a", "status": "ERROR", "error_code": "cancelled"}));
    assert_eq!(working.await.unwrap().unwrap_err().code(), ErrorCode::Cancelled);
    // Twice is once.
    assert_eq!(ask(&elsewhere, "c", cancel).await.unwrap()["error_code"], "cancelled");
}

#[tokio::test]
async fn a_finished_job_cannot_be_cancelled() {
    let (storage, tone) = (memory(), Tone::new(Duration::ZERO));
    let service = service(&storage, &tone);
    ask(&service, "a", json!({"text": "Hello."})).await.unwrap();
    let cancel = json!({"endpoint": "cancel", "job_id": "a"});
    assert_eq!(ask(&service, "c", cancel).await.unwrap_err().code(), ErrorCode::JobFinished);
}

#[tokio::test]
async fn a_synthesis_has_its_time() {
    let storage = memory();
    let mut options = crate::fake::options();
    options.processing_timeout = Duration::from_millis(100);
    let tone = Tone::new(Duration::from_secs(60));
    let service = Arc::new(crate::fake::service_with(storage, tone, options));
    let failure = ask(&service, "a", json!({"text": "Hello."}))
        .await
        .unwrap_err();
    assert_eq!(failure.code(), ErrorCode::TimedOut);
}

#[tokio::test]
async fn waiting_for_others_is_no_synthesis() {
    let mut options = crate::fake::options();
    options.processing_timeout = Duration::from_millis(200);
    let tone = Tone::busy(Duration::from_millis(400), Duration::ZERO);
    let service = Arc::new(crate::fake::service_with(memory(), tone, options));
    ask(&service, "a", json!({"text": "Hello."})).await.unwrap();
}

#[tokio::test]
async fn a_server_answers_before_it_has_spoken() {
    let (storage, tone) = (memory(), Tone::new(Duration::from_millis(300)));
    let service = service(&storage, &tone);
    let context = Context { lifetime: Lifetime::Stays, ..Context::default() };
    let input = json!({"text": "Hello.", "async": true});
    let answer = service.handle(job("a", input), &context).await.unwrap();
    assert_eq!(answer, json!({"job_id": "a", "status": "QUEUED"}));
    let result = json!({"endpoint": "result", "job_id": "a"});
    let failure = ask(&service, "r", result.clone()).await.unwrap_err();
    assert!(
        failure
            .message()
            .starts_with("Job is not complete. Status: "),
        "{failure}"
    );
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!(ask(&service, "r", result).await.unwrap()["status"], "COMPLETED");
}

#[tokio::test]
async fn a_worker_that_may_be_stopped_speaks_first() {
    let (storage, tone) = (memory(), Tone::new(Duration::ZERO));
    let answer = ask(&service(&storage, &tone), "a", json!({"text": "Hello.", "async": true}))
        .await
        .unwrap();
    assert_eq!(answer["status"], "COMPLETED");
    assert!(answer["warnings"][0].as_str().unwrap().contains("/run"), "{answer}");
}

#[tokio::test]
async fn a_damaged_record_is_named_and_can_be_removed() {
    let (storage, tone) = (memory(), Tone::new(Duration::ZERO));
    let service = service(&storage, &tone);
    ask(&service, "a", json!({"text": "Hello."})).await.unwrap();
    let key = ObjectKey::JobRecord { job: id("a"), number: 1, writer: None };
    storage
        .put(&key, "{\"state\": \"PROC".into())
        .await
        .unwrap();
    let failure = ask(&service, "s", json!({"endpoint": "status", "job_id": "a"}))
        .await
        .unwrap_err();
    assert_eq!(failure.code(), ErrorCode::RecordDamaged);
    assert!(failure.message().contains("record 1 of job a"), "{failure}");
    ask(&service, "d", json!({"endpoint": "delete_job", "job_id": "a"}))
        .await
        .unwrap();
    assert_eq!(storage.list(&Prefix::Jobs).await.unwrap(), []);
    assert_eq!(storage.list(&Prefix::Outputs).await.unwrap(), []);
    ask(&service, "a", json!({"text": "Hello."})).await.unwrap();
}

#[tokio::test]
async fn a_request_too_large_to_keep_is_refused() {
    let (storage, tone) = (memory(), Tone::new(Duration::ZERO));
    let input = json!({"text": "Hello.", "other": "x".repeat(5 << 20)});
    let failure = ask(&service(&storage, &tone), "a", input)
        .await
        .unwrap_err();
    assert_eq!(failure.code(), ErrorCode::InvalidInput);
    assert_eq!(storage.list(&Prefix::Jobs).await.unwrap(), []);
}

#[tokio::test]
async fn of_many_requests_in_one_process_one_is_done() {
    let memory = Arc::new(MemoryStorage::new());
    let storage: Arc<dyn Storage> = Arc::clone(&memory) as _;
    let tone = Tone::new(Duration::from_millis(200));
    let service = service(&storage, &tone);
    let input = json!({"text": "Hello.", "local_voice": "anna"});
    ask(&service, "a", input.clone()).await.unwrap_err();
    store_voice(&storage, "anna.wav").await;
    // So that all of them see the error before one of them runs the job again.
    memory.set_delay(Duration::from_millis(5));
    let asked: Vec<_> = (0..4)
        .map(|_| {
            let (service, input) = (Arc::clone(&service), input.clone());
            tokio::spawn(async move { ask(&service, "a", input).await })
        })
        .collect();
    for answer in asked {
        assert_eq!(answer.await.unwrap().unwrap()["status"], "COMPLETED");
    }
    assert_eq!(tone.seeds.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn whoever_lost_a_job_does_not_end_it() {
    let storage = memory();
    let times = LeaseTimes::lasting(Duration::from_millis(100));
    let stay = CancellationToken::new();
    let [slow, quick] =
        [(); 2].map(|()| JobLog::new(Arc::clone(&storage), Exclusion::Create).unwrap());
    let order = Order { input: serde_json::Map::new(), seed: 1 };
    let history = jobs::accept(&slow, &id("a"), order).await.unwrap();
    let Entry::Mine(mut slow) = jobs::follow(&slow, times, history, &stay).await.unwrap() else {
        panic!("a new job is for whoever comes first")
    };
    tokio::time::sleep(Duration::from_millis(200)).await;
    let history = quick.read(&id("a")).await.unwrap().unwrap();
    let entry = jobs::follow(&quick, times, history, &stay).await.unwrap();
    assert!(matches!(entry, Entry::Mine(_)));
    let lost = slow.keep(&ProgressCell::default()).await;
    let seen = slow.finish(Event::from(&lost)).await.unwrap();
    let found = quick.read(&id("a")).await.unwrap().unwrap();
    assert_eq!((seen.state(), found.state()), (State::Processing, State::Processing));
    assert!(quick.holds(&found));
}

#[tokio::test]
async fn a_job_that_is_cancelled_before_it_begins_never_does() {
    let (storage, tone) = (memory(), Tone::new(Duration::ZERO));
    let service = service(&storage, &tone);
    let context = Context { lifetime: Lifetime::Stays, ..Context::default() };
    let input = json!({"text": "Hello.", "async": true});
    service.handle(job("a", input), &context).await.unwrap();
    ask(&service, "c", json!({"endpoint": "cancel", "job_id": "a"}))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let status = ask(&service, "s", json!({"endpoint": "status", "job_id": "a"}))
        .await
        .unwrap();
    assert_eq!(status["error_code"], "cancelled", "{status}");
    assert_eq!(tone.done(), 0);
}

#[tokio::test]
async fn an_id_with_another_request_is_refused_at_once() {
    let (storage, tone) = (memory(), Tone::new(Duration::ZERO));
    let service = service(&storage, &tone);
    let context = Context { lifetime: Lifetime::Stays, ..Context::default() };
    ask(&service, "a", json!({"text": "Hello."})).await.unwrap();
    let input = json!({"text": "Goodbye.", "async": true});
    let failure = service.handle(job("a", input), &context).await.unwrap_err();
    assert_eq!(failure.code(), ErrorCode::JobConflict);
}

#[tokio::test]
async fn whoever_waits_for_a_job_may_leave() {
    let storage = memory();
    let tone = Tone::new(Duration::from_millis(1_000));
    let input = json!({"text": "Hello."});
    let first = tokio::spawn({
        let (service, input) = (service(&storage, &tone), input.clone());
        async move { ask(&service, "a", input).await }
    });
    begun(&tone).await;
    let waiting = Context::default();
    waiting.cancel.cancel();
    let failure = service(&storage, &tone)
        .handle(job("a", input), &waiting)
        .await
        .unwrap_err();
    assert_eq!((failure.code(), tone.done()), (ErrorCode::Cancelled, 0));
    assert_eq!(first.await.unwrap().unwrap()["status"], "COMPLETED");
}

#[tokio::test]
async fn a_job_that_is_removed_while_it_runs_leaves_nothing() {
    let storage = memory();
    let tone = Tone::new(Duration::from_secs(60));
    let working = tokio::spawn({
        let service = service(&storage, &tone);
        async move { ask(&service, "a", json!({"text": "Hello."})).await }
    });
    begun(&tone).await;
    let elsewhere = service(&storage, &tone);
    ask(&elsewhere, "d", json!({"endpoint": "delete_job", "job_id": "a"}))
        .await
        .unwrap();
    working.await.unwrap().unwrap_err();
    assert_eq!(storage.list(&Prefix::Jobs).await.unwrap(), []);
    assert_eq!(storage.list(&Prefix::Outputs).await.unwrap(), []);
}

/// The holder does not wait whether it was the oldest, so that it has to win against whoever writes in the same second.
#[tokio::test(start_paused = true)]
async fn without_exclusive_creation_a_job_ends_once_too() {
    let memory = Arc::new(MemoryStorage::new());
    memory.set_create_only(CreateOnly::Ignored);
    let storage: Arc<dyn Storage> = memory;
    let log = JobLog::new(Arc::clone(&storage), Exclusion::Oldest).unwrap();
    let order = Order { input: serde_json::Map::new(), seed: 1 };
    let history = jobs::accept(&log, &id("a"), order).await.unwrap();
    let stay = CancellationToken::new();
    let entry = jobs::follow(&log, LeaseTimes::default(), history, &stay).await;
    let Entry::Mine(held) = entry.unwrap() else {
        panic!("a new job is for whoever comes first")
    };
    let end = Event::Error {
        error: "a defect".to_owned(),
        error_code: ErrorCode::Internal,
    };
    let ended = held.finish(end).await.unwrap();
    // Somebody who looked before that, and whose name is the lowest of all.
    let late = json!({
        "writer": "-", "written_at": "", "state": "ERROR", "error": "", "error_code": "cancelled",
    });
    let writer = WriterId::try_from("-").ok();
    let key = ObjectKey::JobRecord { job: id("a"), number: 2, writer };
    storage.put(&key, late.to_string().into()).await.unwrap();
    let found = log.read(&id("a")).await.unwrap().unwrap();
    assert_eq!(found.last(), ended.last());
}

/// Shares of progress have more digits than most readers of JSON keep.
#[tokio::test(start_paused = true)]
async fn without_exclusive_creation_a_lease_is_renewed() {
    let memory = Arc::new(MemoryStorage::new());
    memory.set_create_only(CreateOnly::Unsupported);
    let storage: Arc<dyn Storage> = memory;
    let log = JobLog::new(Arc::clone(&storage), Exclusion::Oldest).unwrap();
    let order = Order { input: serde_json::Map::new(), seed: 1 };
    let mut history = jobs::accept(&log, &id("a"), order).await.unwrap();
    for evaluation in 0..64 {
        let progress = f64::from(evaluation) / 63.0;
        let event = Event::Processing { lease_seconds: 60.0, progress };
        assert_eq!(log.append(&mut history, event.clone()).await.unwrap(), Appended::Won);
        assert_eq!(history.last().event, event);
    }
    assert_eq!(storage.list(&Prefix::Jobs).await.unwrap().len(), 65);
}

#[tokio::test]
async fn old_jobs_go_and_what_is_not_ours_stays() {
    let memory = Arc::new(MemoryStorage::new());
    let storage: Arc<dyn Storage> = Arc::clone(&memory) as _;
    let service = service(&storage, &Tone::new(Duration::ZERO));
    let input = json!({"text": "Hello.", "timing_format": "srt", "idempotency_key": "k"});
    ask(&service, "old", input).await.unwrap();
    for kept in ["output/original.wav", "voices/anna.wav", "models/a--b/c"] {
        memory.plant(kept, "x");
    }
    memory.set_clock_offset(SignedDuration::from_hours(24 * 40));
    ask(&service, "new", json!({"text": "Hello.", "return_word_timings": false}))
        .await
        .unwrap();
    let month = Duration::from_secs(30 * 86_400);
    let swept = sweep(service.log(), &*storage, month).await.unwrap();
    assert_eq!(swept, Swept { jobs: 1, keys: 1 });
    let left = memory.keys();
    let left: Vec<_> = left
        .iter()
        .filter(|key| !key.starts_with("jobs/new/"))
        .collect();
    assert_eq!(
        left,
        [
            "models/a--b/c",
            "output/new.wav",
            "output/original.wav",
            "voices/anna.wav"
        ]
    );
}
