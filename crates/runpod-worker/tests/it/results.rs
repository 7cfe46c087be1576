//! Results reach the platform, whatever happens on the way.

use runpod_worker::{Answer, Failure, Job, PostKind, Worker, handler};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::fake::{Fault, Platform, Running, SECOND, named, outputs, settings};

#[tokio::test(start_paused = true)]
async fn a_result_survives_what_may_pass() {
    let platform = Platform::new();
    let faults = [408, 425, 429, 500, 502, 503, 504].map(Fault::Status);
    platform.fail_posts(faults);
    platform.fail_posts([Fault::Dropped, Fault::Dropped]);
    let running = Running::with_handler(&platform, named(SECOND));
    platform.offer(&["a"]);
    platform.results_arrived(1).await;
    assert_eq!(platform.attempts().len(), 10);
    assert_eq!(outputs(&running.end().await), [("a", &json!({"output": "a"}))]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_acknowledgement_costs_a_second_delivery() {
    let platform = Platform::new();
    platform.fail_posts([Fault::LostAcknowledgement]);
    let running = Running::with_handler(&platform, named(SECOND));
    platform.offer(&["a"]);
    platform.results_arrived(2).await;
    assert_eq!(running.end().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_server_says_when_to_come_back() {
    let platform = Platform::new();
    platform.fail_posts([Fault::RetryAfter(503, 30)]);
    let running = Running::with_handler(&platform, named(SECOND));
    platform.offer(&["a"]);
    platform.results_arrived(1).await;
    let attempts = platform.attempts();
    assert_eq!(attempts[1] - attempts[0], 30 * SECOND);
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn after_minutes_a_result_is_given_up() {
    let platform = Platform::new();
    platform.fail_posts([Fault::Dropped; 1000]);
    let running = Running::with_handler(&platform, named(SECOND));
    platform.offer(&["a"]);
    sleep(700 * SECOND).await;
    let attempts = platform.attempts();
    let tried = *attempts.last().unwrap() - attempts[0];
    assert!(tried > 500 * SECOND && tried <= 600 * SECOND, "{tried:?}");
    assert!(attempts.len() < 120, "{} attempts", attempts.len());
    assert_eq!(platform.takes().len(), 2, "the worker goes on");
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_unexpected_refusal_is_tried_thrice() {
    let platform = Platform::new();
    platform.fail_posts([404; 3].map(Fault::Status));
    let running = Running::with_handler(&platform, named(SECOND));
    platform.offer(&["a"]);
    platform.offer(&["b"]);
    platform.results_arrived(1).await;
    assert_eq!(platform.attempts().len(), 4);
    assert_eq!(outputs(&running.end().await), [("b", &json!({"output": "b"}))]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_result_becomes_an_error_that_is_not_remembered() {
    for status in [400, 413] {
        let platform = Platform::new();
        platform.fail_posts([Fault::Status(status)]);
        let running = Running::with_handler(&platform, named(SECOND));
        platform.offer(&["a"]);
        platform.results_arrived(1).await;
        platform.offer(&["a"]);
        platform.results_arrived(2).await;
        let results = running.end().await;
        let error = results[0].1["error"].as_str().unwrap();
        assert!(error.ends_with(&format!("14 bytes with status {status}")), "{error}");
        assert_eq!(results[1].1, json!({"output": "a"}));
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_that_is_too_large_is_not_even_sent() {
    let platform = Platform::new();
    let mut settings = settings();
    settings.delivery.max_bytes = 1000;
    let large = handler(|_, _| async { Ok::<_, Failure>("x".repeat(2000)) });
    let running = Running::start(&platform, Worker::new(settings, large));
    platform.offer(&["a"]);
    platform.results_arrived(1).await;
    assert_eq!(platform.attempts().len(), 1);
    let error = json!({"error": "the result has 2013 bytes; the platform takes 1000 at most"});
    assert_eq!(outputs(&running.end().await), [("a", &error)]);
}

#[tokio::test(start_paused = true)]
async fn while_a_result_is_on_its_way_its_place_is_not_free() {
    let platform = Platform::new();
    platform.fail_posts([Fault::Slow(30 * SECOND)]);
    let running = Running::with_handler(&platform, named(SECOND));
    let start = Instant::now();
    platform.offer(&["a"]);
    platform.offer(&["b"]);
    platform.results_arrived(2).await;
    assert_eq!(start.elapsed(), 32 * SECOND);
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_result_may_ask_for_a_fresh_worker() {
    let refreshing = handler(|job: Job, _| async move {
        let answer = Answer::from(job.id.as_str());
        Ok::<_, Failure>(if job.id == "a" {
            answer.refresh_worker()
        } else {
            answer
        })
    });
    let platform = Platform::new();
    let running = Running::start(&platform, Worker::new(settings(), refreshing));
    platform.offer(&["a"]);
    platform.offer(&["b"]);
    running.task.await.unwrap().unwrap();
    assert_eq!(platform.results(), [("a".to_owned(), json!({"output": "a", "stopPod": true}))]);
}

#[tokio::test(start_paused = true)]
async fn a_worker_can_be_set_to_serve_one_job_only() {
    let platform = Platform::new();
    let mut settings = settings();
    settings.refresh_worker = true;
    let running = Running::start(&platform, Worker::new(settings, named(SECOND)));
    platform.offer(&["a"]);
    running.task.await.unwrap().unwrap();
    let kind = PostKind::Result { is_stream: false };
    let body = json!({"output": "a", "stopPod": true});
    assert_eq!(platform.posts(), [("a".to_owned(), kind, body)]);
}
