//! The end of a worker: nothing that was taken is lost.

use runpod_worker::{CancelReason, Context, Failure, Job, Offer, Settings, Worker, handler};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::fake::{Fault, Platform, Running, SECOND, named, outputs, settings};

#[tokio::test(start_paused = true)]
async fn an_idle_worker_ends_at_once() {
    let platform = Platform::new();
    let running = Running::with_handler(&platform, named(SECOND));
    platform.poll_is_open().await;
    let start = Instant::now();
    assert_eq!(running.end().await, []);
    assert!(start.elapsed() < SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_waits_before_its_next_poll_ends_at_once() {
    let platform = Platform::new();
    platform.answer_take(Err(runpod_worker::SourceError::Status {
        status: 429,
        retry_after: Some(60 * SECOND),
    }));
    let running = Running::with_handler(&platform, named(SECOND));
    sleep(SECOND).await;
    let start = Instant::now();
    running.end().await;
    assert!(start.elapsed() < SECOND);
}

#[tokio::test(start_paused = true)]
async fn jobs_in_hand_are_finished_and_delivered() {
    let platform = Platform::new();
    platform.fail_posts([Fault::Dropped; 8]);
    let running =
        Running::start(&platform, Worker::new(settings(), named(10 * SECOND)).concurrency(2));
    platform.offer(&["a", "b"]);
    sleep(SECOND).await;
    platform.offer(&["after the signal"]);
    assert_eq!(running.end().await.len(), 2);
    assert_eq!(platform.takes().len(), 1, "none is taken after the signal");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_arrives_on_the_open_poll_is_run() {
    let platform = Platform::new();
    let running = Running::with_handler(&platform, named(SECOND));
    platform.poll_is_open().await;
    platform.offer(&["a"]);
    assert_eq!(outputs(&running.end().await), [("a", &json!({"output": "a"}))]);
}

#[tokio::test(start_paused = true)]
async fn a_signal_during_the_checks_ends_the_worker() {
    let platform = Platform::new();
    let worker = Worker::new(settings(), named(SECOND)).check("model", || async {
        sleep(1000 * SECOND).await;
        Ok(())
    });
    let running = Running::start(&platform, worker);
    sleep(SECOND).await;
    let start = Instant::now();
    running.end().await;
    assert!(start.elapsed() < SECOND);
    assert_eq!((platform.takes(), platform.unhealthy()), (vec![], vec![]));
}

#[tokio::test(start_paused = true)]
async fn the_last_poll_has_the_time_that_jobs_have() {
    let too_late =
        json!({"error": "the worker had to end before the job began; please send it again"});
    let fine = json!({"output": "a"});
    for (poll_takes, ends_after, results) in [
        (9 * SECOND, 10 * SECOND, vec![("a", &fine)]),
        (11 * SECOND, 11 * SECOND, vec![("a", &too_late)]),
        (100 * SECOND, 12 * SECOND, vec![]),
    ] {
        let platform = Platform::new();
        let job = Job::new("a", json!({"name": "a"}));
        platform.answer_take_slowly(poll_takes, Ok(vec![Offer::Job(Box::new(job))]));
        let running = Running::start(&platform, Worker::new(hasty(), named(SECOND)));
        platform.poll_is_open().await;
        let start = Instant::now();
        assert_eq!(outputs(&running.end().await), results);
        assert_eq!(start.elapsed(), ends_after);
    }
}

#[tokio::test(start_paused = true)]
async fn the_token_of_the_caller_is_left_alone() {
    let platform = Platform::new();
    let mut settings = settings();
    settings.refresh_worker = true;
    let running = Running::start(&platform, Worker::new(settings, named(SECOND)));
    platform.offer(&["a"]);
    running.task.await.unwrap().unwrap();
    assert!(!running.stop.is_cancelled());
}

/// Ten seconds for jobs in hand, two more for those that are cancelled.
fn hasty() -> Settings {
    let mut settings = settings();
    settings.shutdown.finish_jobs_within = 10 * SECOND;
    settings.shutdown.cancel_grace = 2 * SECOND;
    settings
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_finished_in_time_is_failed() {
    let platform = Platform::new();
    let running = Running::start(&platform, Worker::new(hasty(), named(1000 * SECOND)));
    platform.offer(&["runs", "waits"]);
    sleep(SECOND).await;
    let start = Instant::now();
    let results = running.end().await;
    assert_eq!(start.elapsed(), 12 * SECOND);
    let error = |word| json!({"error": format!("the worker had to end before the job {word}; please send it again")});
    assert_eq!(outputs(&results), [("waits", &error("began")), ("runs", &error("was done"))]);
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_use_its_grace_for_an_answer() {
    let careful = handler(|_: Job, context: Context| async move {
        context.cancellation().cancelled().await;
        assert_eq!(context.cancellation().reason(), Some(CancelReason::Shutdown));
        sleep(SECOND).await;
        Ok::<_, Failure>("half of it")
    });
    let platform = Platform::new();
    let running = Running::with_handler(&platform, careful);
    platform.offer(&["a"]);
    sleep(SECOND).await;
    assert_eq!(outputs(&running.end().await), [("a", &json!({"output": "half of it"}))]);
}

#[tokio::test]
async fn a_handler_that_blocks_for_ever_does_not_keep_the_worker() {
    let mut settings = settings();
    settings.shutdown.finish_jobs_within = SECOND / 10;
    settings.shutdown.cancel_grace = SECOND / 10;
    let stuck = runpod_worker::blocking(|_: Job, _: &Context| {
        std::thread::sleep(3600 * SECOND);
        Ok::<_, Failure>("too late")
    });
    let platform = Platform::new();
    let running = Running::start(&platform, Worker::new(settings, stuck));
    platform.offer(&["a", "b"]);
    while platform.takes().is_empty() || platform.pings().is_empty() {
        sleep(SECOND / 100).await;
    }
    sleep(SECOND / 10).await;
    platform.stop_job("a");
    let ended = tokio::time::timeout(10 * SECOND, running.end());
    let results = ended.await.unwrap();
    assert!(results.iter().all(|(_, body)| body["error"].is_string()), "{results:?}");
    assert!(results.iter().any(|(id, _)| id == "b"), "{results:?}");
}
