//! How bodies reach the platform through failures.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{
    backoff::Backoff,
    outcome::FinalBody,
    settings::Delivery,
    source::{JobSource, Post, SourceError},
};

/// A server may ask for patience, but not for ever.
const LONGEST_WAIT_ON_REQUEST: Duration = Duration::from_secs(60);
/// A refusal that says nothing about the body may be a hiccup of a gateway.
const ATTEMPTS_WHEN_REFUSED: u32 = 3;

/// What became of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivered {
    AsItIs,
    /// The platform has an error in its place.
    AsAnError,
    Not,
}

/// What a failed attempt means for the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It may pass.
    TryAgain,
    /// It hardly passes.
    TryThrice,
    /// The same body will never be taken.
    Hopeless,
}

/// Delivers a result; a small error goes out in place of one that the platform will not take.
pub(crate) async fn deliver_result<S: JobSource>(
    source: &S,
    post: Post,
    delivery: &Delivery,
) -> Delivered {
    let bytes = post.body.len();
    let refused = if bytes > delivery.max_bytes {
        format!(
            "the result has {bytes} bytes; the platform takes {} at most",
            delivery.max_bytes
        )
    } else {
        match deliver(source, &post, delivery.give_up_after).await {
            Ok(()) => return Delivered::AsItIs,
            Err(SourceError::Status { status: status @ (400 | 413 | 422), .. }) => {
                format!("the platform refused the result of {bytes} bytes with status {status}")
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(job.id = post.job_id, error, "gave up on a result");
                return Delivered::Not;
            }
        }
    };
    tracing::error!(job.id = post.job_id, bytes, "{refused}; it gets an error instead");
    let body = FinalBody::of_message(refused).to_bytes();
    match deliver(source, &Post { body, ..post }, delivery.give_up_after).await {
        Ok(()) => Delivered::AsAnError,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "gave up on the error, too");
            Delivered::Not
        }
    }
}

/// Delivers one body, with as many attempts as are worth it.
pub(crate) async fn deliver<S: JobSource>(
    source: &S,
    post: &Post,
    give_up_after: Duration,
) -> Result<(), SourceError> {
    let start = Instant::now();
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(15));
    let mut attempt = 0_u32;
    loop {
        attempt += 1;
        let Err(error) = source.post(post).await else {
            if attempt > 1 {
                tracing::info!(job.id = post.job_id, attempt, "delivered at last");
            }
            return Ok(());
        };
        let asked = error
            .retry_after()
            .unwrap_or_default()
            .min(LONGEST_WAIT_ON_REQUEST);
        let pause = backoff.next_pause().max(asked);
        let worth_it = match verdict(&error) {
            Verdict::TryAgain => start.elapsed() + pause <= give_up_after,
            Verdict::TryThrice => attempt < ATTEMPTS_WHEN_REFUSED,
            Verdict::Hopeless => false,
        };
        if !worth_it {
            return Err(error);
        }
        tracing::warn!(
            job.id = post.job_id,
            error = &error as &dyn std::error::Error,
            attempt,
            ?pause,
            "will deliver again"
        );
        sleep(pause).await;
    }
}

fn verdict(error: &SourceError) -> Verdict {
    match error {
        SourceError::Status { status: 408 | 425 | 429 | 500.., .. }
        | SourceError::Unreachable(_)
        | SourceError::TimedOut { .. } => Verdict::TryAgain,
        SourceError::Status { status: 400 | 413 | 422, .. }
        | SourceError::NoAddress { .. }
        | SourceError::Malformed { .. }
        | SourceError::TooLarge { .. } => Verdict::Hopeless,
        SourceError::Status { .. } => Verdict::TryThrice,
    }
}
