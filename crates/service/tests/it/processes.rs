//! Real processes on one store: some die, many compete.

use std::{
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use f5tts_service::{
    Point, Service,
    storage::{
        DirectoryConfig, DirectoryStorage, Durability, JobId, LinkConfig, ObjectKey, Prefix,
        Storage,
    },
    synthesis::Synthesizer,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    fake::{Tone, ask, options, service, service_with},
    storage::real_s3,
};

/// Where a child process finds its errand.
const ERRAND: &str = "F5TTS_TEST_ERRAND";
/// Where a test finds how many jobs it shall do.
const JOBS: &str = "F5TTS_TEST_JOBS";
const SIGKILL: i32 = 9;

/// What a child process is to do.
#[derive(Debug, Deserialize, Serialize)]
enum Errand {
    /// Do job `a`, and be killed at a point of [`Point::ALL`].
    Die { directory: String, point: usize },
    /// Do all jobs, beginning somewhere; say how many it was that did.
    Compete {
        directory: Option<String>,
        jobs: usize,
        begin: usize,
    },
}

fn directory(root: &Path) -> Arc<dyn Storage> {
    let config = DirectoryConfig {
        root: root.to_owned(),
        durability: Durability::Unsynced,
        links: LinkConfig::Files,
    };
    Arc::new(DirectoryStorage::open(config).unwrap())
}

#[expect(clippy::disallowed_methods, reason = "how a test is told what to do")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn send(errand: &Errand) -> Child {
    let program = std::env::current_exe().unwrap();
    Command::new(program)
        .args(["--exact", "processes::child", "--ignored", "--nocapture"])
        .env(ERRAND, serde_json::to_string(errand).unwrap())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What the other tests of this file start; alone, it has nothing to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a part of other tests"]
async fn child() {
    let Some(errand) = variable(ERRAND) else {
        return;
    };
    match serde_json::from_str(&errand).unwrap() {
        Errand::Die { directory: root, point } => {
            die(&directory(root.as_ref()), Point::ALL[point]).await
        }
        Errand::Compete { directory: root, jobs, begin } => {
            let storage = match root {
                Some(root) => directory(root.as_ref()),
                None => real_s3::from_environment(),
            };
            compete(&storage, jobs, begin).await;
        }
    }
}

async fn die(storage: &Arc<dyn Storage>, last: Point) {
    let tone: Arc<dyn Synthesizer> = Tone::new(Duration::from_millis(20));
    let service = service_with(Arc::clone(storage), tone, options());
    let service = Arc::new(service.witnessed_by(Box::new(move |point| {
        if point == last {
            let own = std::process::id().to_string();
            Command::new("kill").args(["-9", &own]).status().unwrap();
        }
    })));
    ask(&service, "a", request()).await.unwrap();
}

fn request() -> serde_json::Value {
    json!({"text": "Hello there.", "timing_format": "srt"})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_killed_anywhere_leaves_a_job_that_ends_once() {
    // All at once, since each waits for a lease.
    let cases: Vec<_> = (0..Point::ALL.len())
        .map(|point| tokio::spawn(killed_at(point)))
        .collect();
    for case in cases {
        case.await.unwrap();
    }
}

async fn killed_at(point: usize) {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().to_str().unwrap().to_owned();
    let mut child = send(&Errand::Die { directory: root, point });
    let ended = tokio::task::spawn_blocking(move || child.wait().unwrap())
        .await
        .unwrap();
    assert_eq!(ended.signal(), Some(SIGKILL), "{:?}", Point::ALL[point]);

    let storage = directory(place.path());
    whole_or_absent(&storage).await;
    let tone = Tone::new(Duration::ZERO);
    let answer = ask(&service(&storage, &tone), "a", request())
        .await
        .unwrap();
    assert_eq!(answer["status"], "COMPLETED");
    let was_complete = Point::ALL[point] == Point::Finished;
    assert_eq!(tone.done(), usize::from(!was_complete), "{:?}", Point::ALL[point]);
    whole_or_absent(&storage).await;
    assert_eq!(completed(&storage, "a").await, 1, "{:?}", Point::ALL[point]);
    no_remains(place.path());
}

/// Whatever can be read is whole.
async fn whole_or_absent(storage: &Arc<dyn Storage>) {
    for entry in storage.list(&Prefix::Outputs).await.unwrap() {
        let key = ObjectKey::of_link(&format!("output/{}", entry.name)).unwrap();
        let audio = storage.get(&key, 1 << 20).await.unwrap().bytes;
        f5tts_engine::audio::decode(&audio, &Default::default()).unwrap();
    }
    for number in 0.. {
        let job = JobId::try_from("a").unwrap();
        let key = ObjectKey::JobRecord { job, number, writer: None };
        let Ok(record) = storage.get(&key, 1 << 20).await else {
            break;
        };
        serde_json::from_slice::<serde_json::Value>(&record.bytes).unwrap();
    }
}

/// How many records say that a job is complete.
async fn completed(storage: &Arc<dyn Storage>, job: &str) -> usize {
    let mut count = 0;
    for number in 0.. {
        let job = JobId::try_from(job).unwrap();
        let key = ObjectKey::JobRecord { job, number, writer: None };
        let Ok(record) = storage.get(&key, 1 << 20).await else {
            break;
        };
        let record: serde_json::Value = serde_json::from_slice(&record.bytes).unwrap();
        count += usize::from(record["state"] == "COMPLETED");
    }
    count
}

/// Files that nobody will ever ask for.
fn no_remains(root: &Path) {
    let staging = root.join(".f5tts/staging");
    let left: Vec<_> = std::fs::read_dir(staging)
        .map(|entries| entries.collect())
        .unwrap_or_default();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_processes_do_every_job_once() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().to_str().unwrap().to_owned();
    let jobs = variable(JOBS).map_or(200, |count| count.parse().unwrap());
    let storage = directory(place.path());
    every_job_once(&storage, Some(root), jobs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a server: tests/e2e/s3.sh"]
async fn many_processes_do_every_job_in_a_bucket_once() {
    let storage = real_s3::from_environment();
    let jobs = variable(JOBS).map_or(100, |count| count.parse().unwrap());
    every_job_once(&storage, None, jobs).await;
}

/// Each of eight processes is offered every job.
async fn every_job_once(storage: &Arc<dyn Storage>, directory: Option<String>, jobs: usize) {
    const PROCESSES: usize = 8;
    let children: Vec<_> = (0..PROCESSES)
        .map(|index| {
            let begin = jobs * index / PROCESSES;
            send(&Errand::Compete { directory: directory.clone(), jobs, begin })
        })
        .collect();
    let waiting = children
        .into_iter()
        .map(|child| tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()));
    let mut done = 0;
    for child in waiting {
        let output = child.await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        done += counted(&String::from_utf8_lossy(&output.stdout));
    }
    assert_eq!(done, jobs);
    for index in 0..jobs {
        assert_eq!(completed(storage, &name(index)).await, 1, "job {index}");
    }
}

const DONE: &str = "jobs done here: ";

fn counted(output: &str) -> usize {
    let (_, after) = output
        .split_once(DONE)
        .expect("a child says how many jobs it did");
    after.split_whitespace().next().unwrap().parse().unwrap()
}

fn name(index: usize) -> String {
    format!("many-{index}")
}

#[expect(clippy::print_stdout, reason = "how a child answers")]
async fn compete(storage: &Arc<dyn Storage>, jobs: usize, begin: usize) {
    const AT_ONCE: usize = 4;
    let tone = Tone::new(Duration::ZERO);
    let service: Arc<Service> = service(storage, &tone);
    for chunk in (0..jobs).collect::<Vec<_>>().chunks(AT_ONCE) {
        let asked: Vec<_> = chunk
            .iter()
            .map(|index| {
                let (service, name) = (Arc::clone(&service), name((begin + index) % jobs));
                tokio::spawn(async move {
                    let input =
                        json!({"text": "a", "return_word_timings": false, "output_format": "pcm"});
                    ask(&service, &name, input).await
                })
            })
            .collect();
        for answer in asked {
            assert_eq!(answer.await.unwrap().unwrap()["status"], "COMPLETED");
        }
    }
    println!("{DONE}{}", tone.done());
}
