//! What a job sends before its result.

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::{
    context::Updates,
    delivery::deliver,
    settings::{Settings, Streams},
    source::{JobSource, Post, PostKind},
};

/// A part that could not be delivered for so long is given up: the client waits.
const GIVE_UP_PART_AFTER: Duration = Duration::from_secs(60);
/// What the platform takes in one part.
const MAX_PART_BYTES: usize = 1_000_000;

/// What was sent before the result.
#[derive(Debug, Default)]
pub(crate) struct Streamed {
    /// Whether there was any part.
    pub(crate) any: bool,
    /// The parts, if they shall be in the result, too.
    pub(crate) parts: Vec<Value>,
    /// The client misses parts that are nowhere else.
    pub(crate) incomplete: bool,
}

/// Sends updates of one job in order, until the handler has ended and all its parts are out.
pub(crate) struct Forwarder<'a, S> {
    pub(crate) source: &'a S,
    pub(crate) settings: &'a Settings,
    pub(crate) job_id: &'a str,
}

impl<S: JobSource> Forwarder<'_, S> {
    pub(crate) async fn run(
        &self,
        updates: Updates,
        mut handler_ended: oneshot::Receiver<()>,
    ) -> Streamed {
        let Updates { mut parts, mut progress } = updates;
        let mut streamed = Streamed::default();
        let (mut ended, mut parts_open, mut progress_open) = (false, true, true);
        while !ended || parts_open {
            tokio::select! {
                biased;
                _ = &mut handler_ended, if !ended => {
                    ended = true;
                    // What was sent so far still comes out of `recv`.
                    parts.close();
                }
                part = parts.recv(), if parts_open => match part {
                    Some(part) => {
                        let part = self.merged(part, &mut parts, &mut streamed);
                        if !self.send_part(&part).await && self.settings.streams == Streams::PartsOnly {
                            streamed.incomplete = true;
                            parts.close();
                            parts_open = false;
                        }
                    }
                    None => parts_open = false,
                },
                changed = progress.changed(), if progress_open && !ended => match changed {
                    Ok(()) => {
                        let update = progress.borrow_and_update().clone();
                        self.send_progress(&update.unwrap_or_default()).await;
                    }
                    Err(_) => progress_open = false,
                },
            }
        }
        streamed
    }

    /// Adds what has piled up behind `part`, as far as it fits.
    fn merged(
        &self,
        mut part: Value,
        waiting: &mut tokio::sync::mpsc::Receiver<Value>,
        streamed: &mut Streamed,
    ) -> Vec<Value> {
        let keep = |part: &Value, streamed: &mut Streamed| {
            streamed.any = true;
            if self.settings.streams == Streams::Aggregate {
                streamed.parts.push(part.clone());
            }
        };
        keep(&part, streamed);
        let Some(merge) = self.settings.merge_parts else {
            return vec![part];
        };
        let mut bytes = json_len(&part);
        while bytes < MAX_PART_BYTES / 2
            && let Ok(next) = waiting.try_recv()
        {
            keep(&next, streamed);
            bytes += json_len(&next);
            if bytes > MAX_PART_BYTES {
                return vec![part, next];
            }
            if let Some(unmerged) = merge(&mut part, next) {
                return vec![part, unmerged];
            }
        }
        vec![part]
    }

    async fn send_part(&self, parts: &[Value]) -> bool {
        for output in parts {
            let post = self.post(PostKind::StreamPart, json_bytes(&Part { output }));
            if let Err(error) = deliver(self.source, &post, GIVE_UP_PART_AFTER).await {
                let error = &error as &dyn std::error::Error;
                tracing::error!(bytes = post.body.len(), error, "gave up on a part of the stream");
                return false;
            }
        }
        true
    }

    /// One attempt: the next update says more, and the result must not wait for long.
    async fn send_progress(&self, output: &Value) {
        let post =
            self.post(PostKind::Progress, json_bytes(&Progress { status: "IN_PROGRESS", output }));
        if let Err(error) = self.source.post(&post).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "progress was not delivered");
        }
    }

    fn post(&self, kind: PostKind, body: Bytes) -> Post {
        Post { job_id: self.job_id.to_owned(), kind, body }
    }
}

#[derive(Serialize)]
struct Part<'a> {
    output: &'a Value,
}

#[derive(Serialize)]
struct Progress<'a> {
    status: &'static str,
    output: &'a Value,
}

fn json_bytes(value: &impl Serialize) -> Bytes {
    Bytes::from(serde_json::to_vec(value).expect("JSON values can always be written"))
}

/// Roughly the size of the value as JSON.
fn json_len(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
        Value::Array(list) => list.iter().map(|item| json_len(item) + 1).sum::<usize>() + 2,
        Value::Object(keys) => {
            keys.iter()
                .map(|(key, item)| key.len() + json_len(item) + 4)
                .sum::<usize>()
                + 2
        }
    }
}
