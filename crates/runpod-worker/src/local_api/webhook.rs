//! Telling somebody that a job has ended.

use std::{sync::OnceLock, time::Duration};

use reqwest::{Client, StatusCode, header, redirect};
use tokio::time::sleep;

use super::entry::View;
use crate::control_plane::http_client;

const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(10);

/// Posts the view in the background, as the platform does: anything but 200 is tried twice more.
pub(super) fn call(url: Option<String>, view: &View) {
    static CLIENT: OnceLock<Option<Client>> = OnceLock::new();
    let Some(url) = url else { return };
    let client = CLIENT.get_or_init(|| {
        http_client(TIMEOUT, redirect::Policy::none())
            .inspect_err(|error| tracing::error!(%error, "cannot call webhooks"))
            .ok()
    });
    let Some(client) = client.clone() else { return };
    let id = view.id.clone();
    let body = serde_json::to_vec(view).expect("a view can always be written as JSON");
    tokio::spawn(async move {
        for attempt in 1..=ATTEMPTS {
            let request = client
                .post(&url)
                .header(header::CONTENT_TYPE, "application/json")
                .timeout(TIMEOUT)
                .body(body.clone());
            match request.send().await {
                Ok(response) if response.status() == StatusCode::OK => return,
                Ok(response) => {
                    let status = response.status().as_u16();
                    tracing::warn!(job.id = id, attempt, status, "the webhook refused");
                }
                Err(error) => {
                    // The address may hold a secret.
                    let error = error.without_url();
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(job.id = id, attempt, error, "the webhook did not answer");
                }
            }
            if attempt < ATTEMPTS {
                sleep(PAUSE).await;
            }
        }
    });
}
