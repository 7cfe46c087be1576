//! Parts and progress, in order, and never after the result.

use std::time::Duration;

use runpod_worker::{Answer, Context, Failure, Handler, Job, PostKind, Streams, Worker, handler};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::fake::{Fault, Platform, Running, SECOND, settings};

fn counting(parts: usize) -> impl Handler {
    handler(move |_: Job, context: Context| async move {
        for part in 0..parts {
            context.stream(part).await?;
        }
        Ok::<_, Failure>(Answer::streamed())
    })
}

fn bodies(platform: &Platform, wanted: PostKind) -> Vec<Value> {
    let posts = platform.posts().into_iter();
    posts
        .filter(|(_, kind, _)| *kind == wanted)
        .map(|(_, _, body)| body)
        .collect()
}

const RESULT: PostKind = PostKind::Result { is_stream: true };

#[tokio::test(start_paused = true)]
async fn parts_arrive_in_order_and_before_the_result() {
    for (streams, output) in [
        (Streams::PartsOnly, json!([])),
        (Streams::Aggregate, json!([0, 1, 2])),
    ] {
        let platform = Platform::new();
        platform.fail_posts([Fault::Slow(SECOND), Fault::Status(503), Fault::Dropped]);
        let mut settings = settings();
        settings.streams = streams;
        let running = Running::start(&platform, Worker::new(settings, counting(3)));
        platform.offer(&["a"]);
        platform.results_arrived(1).await;
        running.end().await;
        let kinds: Vec<_> = platform
            .posts()
            .into_iter()
            .map(|(_, kind, _)| kind)
            .collect();
        let part = PostKind::StreamPart;
        assert_eq!(kinds, [part, part, part, RESULT]);
        let parts = [
            json!({"output": 0}),
            json!({"output": 1}),
            json!({"output": 2}),
        ];
        assert_eq!(bodies(&platform, part), parts);
        assert_eq!(bodies(&platform, RESULT), [json!({"output": output})]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_handler_does_not_wait_for_acknowledgements() {
    let platform = Platform::new();
    platform.fail_posts([Fault::Slow(SECOND); 40]);
    let start = Instant::now();
    let timed = handler(move |_: Job, context: Context| async move {
        for part in 0..40 {
            context.stream(part).await?;
        }
        Ok::<_, Failure>(json!({ "seconds": start.elapsed().as_secs() }))
    });
    let running = Running::with_handler(&platform, timed);
    platform.offer(&["a"]);
    platform.results_arrived(1).await;
    running.end().await;
    assert_eq!(start.elapsed().as_secs(), 40);
    assert_eq!(bodies(&platform, RESULT), [json!({"output": {"seconds": 0}})]);
}

#[tokio::test(start_paused = true)]
async fn parts_that_pile_up_can_go_out_together() {
    fn lists(part: &mut Value, next: Value) -> Option<Value> {
        match (part.as_array_mut(), next) {
            (Some(part), Value::Array(mut next)) => {
                part.append(&mut next);
                None
            }
            (_, next) => Some(next),
        }
    }
    let platform = Platform::new();
    platform.fail_posts([Fault::Slow(SECOND)]);
    let mut settings = settings();
    settings.merge_parts = Some(lists);
    settings.streams = Streams::Aggregate;
    let sending = handler(|_: Job, context: Context| async move {
        for part in [json!([1]), json!([2]), json!([3]), json!("end")] {
            context.stream(part).await?;
            sleep(Duration::from_millis(1)).await;
        }
        Ok::<_, Failure>(Answer::streamed())
    });
    let running = Running::start(&platform, Worker::new(settings, sending));
    platform.offer(&["a"]);
    platform.results_arrived(1).await;
    running.end().await;
    let parts = [
        json!({"output": [1]}),
        json!({"output": [2, 3]}),
        json!({"output": "end"}),
    ];
    assert_eq!(bodies(&platform, PostKind::StreamPart), parts);
    assert_eq!(bodies(&platform, RESULT), [json!({"output": [[1], [2], [3], "end"]})]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_with_a_gap_is_no_success_unless_the_result_has_it_all() {
    for (streams, key) in [
        (Streams::PartsOnly, "error"),
        (Streams::Aggregate, "output"),
    ] {
        let platform = Platform::new();
        platform.fail_posts([Fault::Status(413)]);
        let mut settings = settings();
        settings.streams = streams;
        let running = Running::start(&platform, Worker::new(settings, counting(3)));
        platform.offer(&["a"]);
        platform.results_arrived(1).await;
        let results = running.end().await;
        assert_eq!(results.len(), 1);
        assert!(results[0].1.get(key).is_some(), "{streams:?}: {results:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn progress_is_in_order_and_never_after_the_result() {
    let reporting = handler(|_: Job, context: Context| async move {
        for step in 0..20 {
            context.progress(step);
            sleep(SECOND).await;
        }
        context.progress("too late to be of interest");
        Ok::<_, Failure>("done")
    });
    let platform = Platform::new();
    // The third post takes so long that the updates after it are overtaken by a newer one.
    let slow = Fault::Slow(Duration::from_millis(3500));
    platform.fail_posts([Fault::Slow(SECOND / 2), Fault::Status(500), slow]);
    let running = Running::with_handler(&platform, reporting);
    platform.offer(&["a"]);
    platform.results_arrived(1).await;
    running.end().await;
    let posts = platform.posts();
    let (last, before) = posts.split_last().unwrap();
    assert_eq!(last.2, json!({"output": "done"}));
    let steps: Vec<_> = before
        .iter()
        .map(|(_, _, body)| body["output"].as_u64().unwrap())
        .collect();
    assert_eq!(before[0].2["status"], "IN_PROGRESS");
    assert!(steps.is_sorted() && steps[..3] == [0, 2, 5], "{steps:?}");
}
