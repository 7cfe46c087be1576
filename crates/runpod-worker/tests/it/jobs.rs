//! Running jobs: panics, cancellation, time limits, health.

use std::{
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use runpod_worker::{
    CancelReason, Context, Failure, Handler, Job, Offer, Worker, blocking, handler,
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::fake::{Fault, Platform, Running, SECOND, named, outputs, settings};

async fn panics_on_bad(handler: impl Handler) {
    let platform = Platform::new();
    let running = Running::with_handler(&platform, handler);
    platform.offer(&["bad"]);
    platform.offer(&["good"]);
    platform.results_arrived(2).await;
    let results = running.end().await;
    let report: Value = serde_json::from_str(results[0].1["error"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&report["error_type"], &report["error_message"]),
        (&json!("panic"), &json!("no bad"))
    );
    assert_eq!(report["worker_id"], "w1");
    assert_eq!(results[1].1, json!({"output": "fine"}));
}

#[tokio::test]
async fn a_panic_fails_its_job_and_nothing_else() {
    panics_on_bad(handler(|job: Job, _: Context| async move {
        assert!(job.id != "bad", "no {}", job.id);
        Ok::<_, Failure>("fine")
    }))
    .await;
    panics_on_bad(handler(|job: Job, _: Context| {
        assert!(job.id != "bad", "no {}", job.id);
        async { Ok::<_, Failure>("fine") }
    }))
    .await;
    panics_on_bad(blocking(|job: Job, _: &Context| {
        assert!(job.id != "bad", "no {}", job.id);
        Ok::<_, Failure>("fine")
    }))
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_stopped_job_is_told_and_posts_nothing() {
    let seen = Arc::new(Mutex::new(None));
    let reason = Arc::clone(&seen);
    let obedient = handler(move |_: Job, context: Context| {
        let reason = Arc::clone(&reason);
        async move {
            context.cancellation().cancelled().await;
            // What is left to be done takes a moment.
            sleep(SECOND).await;
            *reason.lock().unwrap() = context.cancellation().reason();
            Ok::<_, Failure>("a result that nobody wants")
        }
    });
    let platform = Platform::new();
    let running = Running::with_handler(&platform, obedient);
    platform.offer(&["a"]);
    sleep(SECOND).await;
    platform.stop_job("unknown");
    platform.stop_job("a");
    sleep(2 * SECOND).await;
    assert_eq!(*seen.lock().unwrap(), Some(CancelReason::Stopped));
    assert_eq!(platform.takes().len(), 2, "its place is free");
    assert_eq!(running.end().await, []);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_ignores_the_stop_is_dropped_after_a_grace() {
    let platform = Platform::new();
    let running = Running::with_handler(&platform, named(1000 * SECOND));
    platform.offer(&["a"]);
    sleep(SECOND).await;
    platform.stop_job("a");
    let stopped = Instant::now();
    while platform.takes().len() < 2 {
        sleep(Duration::from_millis(100)).await;
    }
    let grace = settings().shutdown.cancel_grace;
    assert!(stopped.elapsed() >= grace && stopped.elapsed() <= grace + SECOND);
    assert_eq!(running.end().await, []);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_stopped_while_it_waits_never_begins() {
    let begun = Arc::new(Mutex::new(Vec::new()));
    let ids = Arc::clone(&begun);
    let recording = handler(move |job: Job, _| {
        ids.lock().unwrap().push(job.id);
        async {
            sleep(5 * SECOND).await;
            Ok::<_, Failure>("done")
        }
    });
    let platform = Platform::new();
    let running = Running::with_handler(&platform, recording);
    platform.offer(&["a", "b", "c"]);
    sleep(SECOND).await;
    platform.stop_job("b");
    let results = platform.results_arrived(2).await;
    let ids: Vec<_> = results.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(
        (ids, &*begun.lock().unwrap()),
        (vec!["a", "c"], &["a", "c"].map(str::to_owned).to_vec())
    );
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_stopped_job_had_to_send_is_dropped() {
    for parts in [0, 10] {
        let platform = Platform::new();
        platform.fail_posts([Fault::Dropped; 1000]);
        let running = Running::with_handler(
            &platform,
            handler(move |_: Job, context: Context| async move {
                for part in 0..parts {
                    context.stream(part).await?;
                }
                Ok::<_, Failure>("done")
            }),
        );
        platform.offer(&["a"]);
        sleep(10 * SECOND).await;
        assert_eq!(platform.takes().len(), 1);
        platform.stop_job("a");
        sleep(SECOND / 100).await;
        assert_eq!(platform.takes().len(), 2, "its place is free");
        let attempts = platform.attempts().len();
        sleep(60 * SECOND).await;
        assert_eq!(platform.attempts().len(), attempts);
        running.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_is_repeated_without_end_is_paced() {
    let platform = Platform::new();
    let running = Running::with_handler(&platform, named(10 * SECOND));
    platform.offer(&["a"]);
    sleep(SECOND).await;
    platform.nag_to_stop("a");
    sleep(60 * SECOND).await;
    let polls = platform.stop_polls();
    assert!((50..70).contains(&polls), "{polls} polls in a minute");
    assert_eq!(running.end().await, []);
}

#[tokio::test]
async fn a_stop_reaches_a_handler_that_blocks() {
    let computing = blocking(|_: Job, context: &Context| {
        while !context.cancellation().is_cancelled() {
            thread::sleep(Duration::from_millis(2));
        }
        Err::<Value, _>(Failure::message("cancelled"))
    });
    let platform = Platform::new();
    let running = Running::with_handler(&platform, computing);
    platform.offer(&["a"]);
    while platform.pings().is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    sleep(Duration::from_millis(50)).await;
    platform.stop_job("a");
    let next_poll = async {
        while platform.takes().len() < 2 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(5 * SECOND, next_poll).await.unwrap();
    assert_eq!(running.end().await, []);
}

#[tokio::test(start_paused = true)]
async fn a_job_ends_at_the_timeout_of_its_policy() {
    let platform = Platform::new();
    let running = Running::with_handler(&platform, named(1000 * SECOND));
    let job = json!({"id": "a", "input": {}, "policy": {"executionTimeout": 7000}});
    let start = Instant::now();
    platform.offer_jobs([Job::from_value(job).unwrap()]);
    platform.results_arrived(1).await;
    assert_eq!(start.elapsed(), 7 * SECOND + settings().shutdown.cancel_grace);
    let error =
        json!({"error": "the job was stopped after 7000 ms, the execution timeout of its policy"});
    assert_eq!(outputs(&running.end().await), [("a", &error)]);
}

#[tokio::test]
async fn pings_go_on_while_a_handler_blocks_the_runtime() {
    let rude = handler(|_: Job, _| async {
        thread::sleep(Duration::from_millis(500));
        Ok::<_, Failure>("done")
    });
    let mut settings = settings();
    settings.ping_interval = Duration::from_millis(20);
    let platform = Platform::new();
    let running = Running::start(&platform, Worker::new(settings, rude));
    platform.offer(&["a"]);
    platform.results_arrived(1).await;
    running.end().await;
    let pings = platform.pings();
    let with_job = pings.iter().filter(|ids| **ids == ["a"]).count();
    assert!(with_job >= 3, "{pings:?}");
    sleep(Duration::from_millis(100)).await;
    let after = platform.pings().len();
    sleep(Duration::from_millis(200)).await;
    assert_eq!(platform.pings().len(), after, "a worker that has ended is silent");
}

#[tokio::test]
async fn an_unfit_worker_says_so_and_takes_nothing() {
    let platform = Platform::new();
    platform.offer(&["a"]);
    let worker = Worker::new(settings(), named(SECOND))
        .check("store", || async { Ok(()) })
        .check("model", || async { Err("no weights".into()) });
    let error = Running::start(&platform, worker)
        .task
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(error.to_string(), "the check `model` failed");
    assert_eq!(platform.unhealthy(), [("model".to_owned(), "no weights".to_owned())]);
    assert_eq!((platform.takes().len(), platform.pings().len()), (0, 0));
}

#[tokio::test]
async fn the_machine_itself_can_be_unfit() {
    for (memory, disk, check) in [
        (Some(1e9), None, "_memory_check"),
        (None, Some(101.0), "_disk_check"),
    ] {
        let platform = Platform::new();
        let mut settings = settings();
        settings.system_checks.min_memory_gib = memory;
        settings.system_checks.min_disk_percent = disk;
        let running = Running::start(&platform, Worker::new(settings, named(SECOND)));
        if cfg!(target_os = "linux") {
            running.task.await.unwrap().unwrap_err();
            assert_eq!(platform.unhealthy()[0].0, check);
        } else {
            running.end().await;
        }
    }
}

#[tokio::test]
async fn one_job_can_be_run_without_a_platform() {
    let shouting = handler(|job: Job, context: Context| async move {
        context.stream("part").await?;
        Ok::<_, Failure>(json!({"id": job.id, "text": job.input["text"]}))
    });
    let job = Job::from_test_input(r#"{"input": {"text": "hello"}}"#).unwrap();
    let result = Worker::new(settings(), shouting)
        .run_one(job)
        .await
        .unwrap();
    assert!(!result.is_failure());
    assert_eq!(result.parts, [json!("part")]);
    assert_eq!(result.body, json!({"output": {"id": "local_test", "text": "hello"}}));
    assert!(Job::from_test_input("{}").is_err());
    assert!(Job::from_test_input("{").is_err());
    assert!(matches!(Offer::parse(b"{}").unwrap()[0], Offer::Unusable { id: None, .. }));
}
