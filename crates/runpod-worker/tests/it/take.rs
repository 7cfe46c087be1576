//! Taking jobs: how many, when, and what is done with what was not asked for.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use runpod_worker::{Failure, Job, Offer, SourceError, TakeRequest, Worker, handler};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::fake::{Platform, Running, SECOND, named, outputs, settings};

#[tokio::test(start_paused = true)]
async fn a_poll_asks_for_the_free_places_and_tells_the_truth() {
    let platform = Platform::new();
    let worker = Worker::new(settings(), named(10 * SECOND)).concurrency(3);
    let running = Running::start(&platform, worker);
    platform.offer(&["a", "b"]);
    sleep(SECOND).await;
    platform.offer(&["c"]);
    platform.results_arrived(3).await;
    sleep(SECOND).await;
    let request = |max_jobs, job_in_progress| TakeRequest { max_jobs, job_in_progress };
    // Full after the second; the two that ended first gave their places back together.
    assert_eq!(platform.takes()[..3], [request(3, false), request(1, true), request(2, true)]);
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_next_poll_follows_a_result_at_once() {
    let platform = Platform::new();
    let running = Running::with_handler(&platform, named(SECOND));
    let start = Instant::now();
    for id in ["a", "b", "c", "d"] {
        platform.offer(&[id]);
    }
    platform.results_arrived(4).await;
    assert_eq!(start.elapsed(), 4 * SECOND);
    assert_eq!(running.end().await.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn more_jobs_than_places_wait_for_them() {
    let platform = Platform::new();
    let running = Running::start(&platform, Worker::new(settings(), named(SECOND)).concurrency(2));
    let start = Instant::now();
    platform.offer(&["a", "b", "c", "d", "e"]);
    platform.results_arrived(5).await;
    assert_eq!(start.elapsed(), 3 * SECOND);
    assert_eq!(running.end().await.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn concurrency_changes_without_draining() {
    let platform = Platform::new();
    let worker = Worker::new(settings(), named(60 * SECOND));
    let concurrency = worker.concurrency_handle();
    let running = Running::start(&platform, worker);
    platform.offer(&["a"]);
    sleep(SECOND).await;
    assert_eq!(platform.takes().len(), 1);
    concurrency.set(3);
    sleep(SECOND).await;
    assert_eq!(platform.takes()[1], TakeRequest { max_jobs: 2, job_in_progress: true });
    platform.offer(&["b", "c"]);
    sleep(SECOND).await;
    concurrency.set(1);
    // `a` ends after 60 s, `b` and `c` two seconds later; only then is there a place again.
    sleep(58 * SECOND).await;
    assert_eq!((platform.results().len(), platform.takes().len()), (1, 2));
    sleep(3 * SECOND).await;
    assert_eq!(platform.results().len(), 3);
    assert_eq!(platform.takes()[2], TakeRequest { max_jobs: 1, job_in_progress: false });
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_controller_decides_before_every_poll_and_may_pause() {
    let platform = Platform::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let worker = Worker::new(settings(), named(SECOND)).concurrency_controller(move |_| {
        // Nothing in the first ten seconds, then more and more.
        count.fetch_add(1, Ordering::Relaxed).saturating_sub(10)
    });
    let running = Running::start(&platform, worker);
    platform.offer(&["a"]);
    sleep(5 * SECOND).await;
    assert_eq!(platform.takes(), []);
    platform.results_arrived(1).await;
    assert!(asked.load(Ordering::Relaxed) >= 11);
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn polls_that_fail_or_return_at_once_are_paced() {
    let platform = Platform::new();
    for _ in 0..200 {
        platform.answer_take(Err(SourceError::Status { status: 503, retry_after: None }));
    }
    let running = Running::with_handler(&platform, named(SECOND));
    sleep(60 * SECOND).await;
    let polls = platform.take_times();
    assert!((10..25).contains(&polls.len()), "{} polls in a minute of failures", polls.len());
    assert!(
        polls[1] - polls[0] <= Duration::from_millis(200),
        "the first failure costs little"
    );
    running.end().await;

    let platform = Platform::new();
    for _ in 0..1000 {
        platform.answer_take(Ok(Vec::new()));
    }
    let running = Running::with_handler(&platform, named(SECOND));
    sleep(60 * SECOND).await;
    let polls = platform.takes().len();
    assert!((60..140).contains(&polls), "{polls} polls in a minute of empty answers");
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_offer_that_is_repeated_without_end_is_paced() {
    let platform = Platform::new();
    for _ in 0..1000 {
        platform.offer(&["a"]);
    }
    let running = Running::with_handler(&platform, named(SECOND));
    sleep(60 * SECOND).await;
    let polls = platform.takes().len();
    assert!((60..140).contains(&polls), "{polls} polls in a minute of repeated offers");
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_times_out_is_followed_by_the_next_at_once() {
    let platform = Platform::new();
    for _ in 0..5 {
        let timed_out = SourceError::TimedOut { after: 90 * SECOND };
        platform.answer_take_slowly(90 * SECOND, Err(timed_out));
    }
    platform.offer(&["a"]);
    let running = Running::with_handler(&platform, named(SECOND));
    let start = Instant::now();
    platform.results_arrived(1).await;
    assert_eq!(start.elapsed(), (5 * 90 + 1) * SECOND);
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_busy_platform_is_left_alone() {
    let platform = Platform::new();
    platform.answer_take(Err(SourceError::Status { status: 429, retry_after: None }));
    let retry_after = Some(20 * SECOND);
    platform.answer_take(Err(SourceError::Status { status: 429, retry_after }));
    platform.offer(&["a"]);
    let running = Running::with_handler(&platform, named(SECOND));
    let start = Instant::now();
    platform.results_arrived(1).await;
    assert_eq!(start.elapsed(), 26 * SECOND);
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn one_bad_element_spoils_no_other_and_is_answered() {
    let platform = Platform::new();
    let body = br#"[null, {"input": {}}, {"id": "bad"}, {"id": "good", "input": {"name": "x"}}]"#;
    platform.answer_take(Ok(Offer::parse(body).unwrap()));
    let running = Running::start(&platform, Worker::new(settings(), named(SECOND)).concurrency(4));
    platform.results_arrived(2).await;
    let results = running.end().await;
    assert_eq!(
        outputs(&results),
        [
            ("bad", &json!({"error": "the job has no `input`"})),
            ("good", &json!({"output": "x"}))
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_repeated_offer_is_ignored_while_the_job_runs() {
    let platform = Platform::new();
    let running = Running::start(&platform, Worker::new(settings(), named(SECOND)).concurrency(2));
    platform.offer(&["a", "a"]);
    platform.offer(&["a"]);
    sleep(5 * SECOND).await;
    assert_eq!(running.end().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_job_offered_again_is_answered_from_memory_unless_it_failed() {
    let platform = Platform::new();
    let runs = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&runs);
    let running = Running::with_handler(
        &platform,
        handler(move |job: Job, _| {
            let run = count.fetch_add(1, Ordering::Relaxed);
            async move {
                if job.id == "fails" {
                    return Err(Failure::message(format!("run {run}")));
                }
                Ok(json!(run))
            }
        }),
    );
    for id in ["works", "works", "fails", "fails"] {
        platform.offer(&[id]);
    }
    platform.results_arrived(4).await;
    let results = running.end().await;
    assert_eq!(
        outputs(&results),
        [
            ("works", &json!({"output": 0})),
            ("works", &json!({"output": 0})),
            ("fails", &json!({"error": "run 1"})),
            ("fails", &json!({"error": "run 2"})),
        ]
    );
}
