//! What the service costs a job: everything but synthesis, alignment and encoding.
//!
//! `cargo bench -p f5tts-service --bench overhead`
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for people"
)]

#[path = "../tests/it/fake.rs"]
mod fake;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use f5tts_service::storage::{
    DirectoryConfig, DirectoryStorage, Durability, LinkConfig, MemoryStorage, Storage,
};
use serde_json::json;

const JOBS: usize = 200;

#[tokio::main]
async fn main() {
    let place = tempfile::tempdir().unwrap();
    let directory = |name: &str, durability| -> Arc<dyn Storage> {
        let root = place.path().join(name);
        let config = DirectoryConfig { root, durability, links: LinkConfig::Files };
        Arc::new(DirectoryStorage::open(config).unwrap())
    };
    println!(
        "{JOBS} jobs of one word one after the other, milliseconds a job: median, 95th percentile"
    );
    measure("memory", Arc::new(MemoryStorage::new())).await;
    measure("directory without fsync", directory("a", Durability::Unsynced)).await;
    measure("directory", directory("b", Durability::Synced)).await;
}

async fn measure(name: &str, storage: Arc<dyn Storage>) {
    let tone = fake::Tone::new(Duration::ZERO);
    let service = fake::service(&storage, &tone);
    let mut times = Vec::with_capacity(JOBS);
    for index in 0..JOBS {
        let input = json!({"text": "Hello.", "return_word_timings": false});
        let start = Instant::now();
        let answer = fake::ask(&service, &format!("job-{index}"), input)
            .await
            .unwrap();
        let total = start.elapsed().as_secs_f64() * 1e3;
        let work: f64 = ["synthesis_ms", "vocoder_ms", "alignment_ms", "encode_ms"]
            .iter()
            .map(|stage| answer["metrics"][stage].as_f64().unwrap())
            .sum();
        times.push(total - work);
    }
    assert_eq!(tone.done(), JOBS);
    times.sort_by(f64::total_cmp);
    println!("{name:24} {:6.2} {:6.2}", times[JOBS / 2], times[JOBS * 95 / 100]);
}
