//! What every store promises. Each promise is tested under names of its own, so that one bucket serves them all.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;
use f5tts_service::storage::{
    CreateOnly, Created, FilePath, IdempotencyHash, ObjectKey, Prefix, Repository, Storage,
    TimingExtension, VoiceName, probe,
};

use super::{job_id, link, output, record, voice};

const LIMIT_BYTES: u64 = 1 << 20;
const WRITERS: u32 = 16;

/// How a store may fall short of the contract.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expectations {
    /// What `create` means.
    pub create_only: CreateOnly,
    /// More than S3 lists in one answer.
    pub listed_objects: u32,
}

/// Checks every promise of [`Storage`].
pub(super) async fn storage_contract(storage: Arc<dyn Storage>, expected: Expectations) {
    let (store, run) = (storage.as_ref(), unique());
    reads_what_was_written(store, &run).await;
    knows_what_is_missing(store, &run).await;
    overwrites(store, &run).await;
    limits_what_is_read(store, &run).await;
    reads_ranges(store, &run).await;
    notices_a_change(store, &run).await;
    keeps_names(store, &run).await;
    keeps_big_objects(store, &run).await;
    tells_the_time(store, &run).await;
    lists(store, &run).await;
    lists_many(&storage, &run, expected.listed_objects).await;
    shows_no_half_object(&storage, &run).await;
    assert_eq!(probe(store).await.unwrap(), expected.create_only);
    assert_eq!(store.list(&Prefix::Probes).await.unwrap(), []);
    if expected.create_only == CreateOnly::Exclusive {
        creates_once(&storage, &run).await;
    }
    store
        .signed_url(&output(&run), &link(Some("ü.wav")))
        .await
        .unwrap();
    assert!(!store.description().is_empty());
}

async fn reads_what_was_written(store: &dyn Storage, run: &str) {
    let job = job_id(run);
    let name = VoiceName::try_from(format!("{run}.wav").as_str()).unwrap();
    let keys = [
        ObjectKey::Voice(name.clone()),
        ObjectKey::Transcript(name.clone()),
        ObjectKey::VoiceReport(name),
        output(run),
        ObjectKey::Timings { job: job.clone(), extension: TimingExtension::Srt },
        record(&job, 0),
        ObjectKey::Idempotency(IdempotencyHash::of(run)),
        ObjectKey::ModelFile {
            repository: Repository::try_from("org/model").unwrap(),
            path: FilePath::try_from(format!("{run}/model.safetensors").as_str()).unwrap(),
        },
    ];
    for key in keys {
        for content in [Bytes::new(), Bytes::from(format!("content of {key}"))] {
            store.put(&key, content.clone()).await.unwrap();
            let object = store.get(&key, LIMIT_BYTES).await.unwrap();
            assert_eq!(object.bytes, content, "{key}");
            assert_eq!(object.meta.size, content.len() as u64);
            let head = store.head(&key).await.unwrap().unwrap();
            assert_eq!(
                (head.size, &head.version),
                (object.meta.size, &object.meta.version),
                "{key}"
            );
        }
        store.delete(&key).await.unwrap();
        assert!(store.get(&key, LIMIT_BYTES).await.unwrap_err().is_missing(), "{key}");
    }
}

async fn knows_what_is_missing(store: &dyn Storage, run: &str) {
    let key = output(&format!("{run}-missing"));
    assert!(store.get(&key, LIMIT_BYTES).await.unwrap_err().is_missing());
    assert!(
        store
            .get_range(&key, 0..1, None)
            .await
            .unwrap_err()
            .is_missing()
    );
    assert_eq!(store.head(&key).await.unwrap(), None);
    store.delete(&key).await.unwrap();
    store.delete(&key).await.unwrap();
}

async fn overwrites(store: &dyn Storage, run: &str) {
    let key = output(&format!("{run}-overwrite"));
    let mut versions = BTreeSet::new();
    for content in ["one", "two, which is longer", "3"] {
        store.put(&key, Bytes::from(content)).await.unwrap();
        let object = store.get(&key, LIMIT_BYTES).await.unwrap();
        assert_eq!(object.bytes, content);
        versions.insert(object.meta.version.unwrap().as_str().to_owned());
    }
    assert_eq!(versions.len(), 3);
    store.delete(&key).await.unwrap();
}

async fn limits_what_is_read(store: &dyn Storage, run: &str) {
    let key = output(&format!("{run}-limit"));
    store.put(&key, Bytes::from_static(b"12345")).await.unwrap();
    assert_eq!(store.get(&key, 5).await.unwrap().bytes, "12345");
    let error = store.get(&key, 4).await.unwrap_err().to_string();
    assert_eq!(error, format!("`{key}` has 5 bytes, more than the 4 that are allowed"));
    store.delete(&key).await.unwrap();
}

async fn reads_ranges(store: &dyn Storage, run: &str) {
    let key = output(&format!("{run}-range"));
    store
        .put(&key, Bytes::from_static(b"0123456789"))
        .await
        .unwrap();
    for (range, expected) in [
        (0..4, "0123"),
        (3..7, "3456"),
        (8..100, "89"),
        (9..10, "9"),
        (0..u64::MAX, "0123456789"),
        (10..20, ""),
        (50..60, ""),
        (4..4, ""),
    ] {
        let object = store.get_range(&key, range.clone(), None).await.unwrap();
        assert_eq!(object.bytes, expected, "{range:?}");
        assert_eq!(object.meta.size, 10, "{range:?}");
    }
    store.put(&key, Bytes::new()).await.unwrap();
    assert_eq!(store.get_range(&key, 0..10, None).await.unwrap().bytes, "");
    store.delete(&key).await.unwrap();
}

async fn notices_a_change(store: &dyn Storage, run: &str) {
    let key = output(&format!("{run}-change"));
    store
        .put(&key, Bytes::from_static(b"old content"))
        .await
        .unwrap();
    let begun = store.get_range(&key, 0..4, None).await.unwrap();
    let version = begun.meta.version.as_ref();
    assert!(version.is_some());
    assert_eq!(store.get_range(&key, 4..11, version).await.unwrap().bytes, "content");
    store
        .put(&key, Bytes::from_static(b"new content"))
        .await
        .unwrap();
    let error = store.get_range(&key, 4..11, version).await.unwrap_err();
    assert_eq!(error.to_string(), format!("`{key}` was changed while it was read"));
    assert!(error.is_transient());
    store.delete(&key).await.unwrap();
}

/// Names that people give their voices, and those that trip programs up.
async fn keeps_names(store: &dyn Storage, run: &str) {
    let names = [
        "Jürgen",
        "小明 の声",
        "a+b",
        "a b",
        "100%",
        "%41",
        "a%2Fb",
        "q?x=1&y=2",
        "#1",
        "~home",
        "it's",
        "[x]{y}",
        "star*",
        "a:b",
        "🎤",
        "e\u{301}",
        "a;b,c=d@e$f!(g)",
        "\"quoted\"",
        "<tag>",
        "a^`b|",
    ];
    for name in names {
        let key = voice(&format!("{run} {name}.wav"));
        store.put(&key, Bytes::from(name)).await.unwrap();
        assert_eq!(store.get(&key, LIMIT_BYTES).await.unwrap().bytes, name);
    }
    let listed: BTreeSet<_> = store
        .list(&Prefix::Voices)
        .await
        .unwrap()
        .into_iter()
        .map(|entry| entry.name)
        .collect();
    for name in names {
        let stored = format!("{run} {name}.wav");
        assert!(listed.contains(&stored), "{stored} is not in {listed:?}");
        store.delete(&voice(&stored)).await.unwrap();
    }
}

async fn keeps_big_objects(store: &dyn Storage, run: &str) {
    let key = output(&format!("{run}-big"));
    let content: Vec<u8> = (0_u32..5 << 20)
        .flat_map(|i| (i.wrapping_mul(2_654_435_761)).to_le_bytes())
        .collect();
    let content = Bytes::from(content);
    store.put(&key, content.clone()).await.unwrap();
    assert!(store.get(&key, 64 << 20).await.unwrap().bytes == content);
    let middle = store
        .get_range(&key, 9_999_999..10_000_009, None)
        .await
        .unwrap();
    assert_eq!(middle.bytes, content[9_999_999..10_000_009]);
    store.delete(&key).await.unwrap();
}

async fn tells_the_time(store: &dyn Storage, run: &str) {
    let key = output(&format!("{run}-time"));
    let stored = store.put(&key, Bytes::from_static(b"x")).await.unwrap();
    let meta = store.head(&key).await.unwrap().unwrap();
    let apart = |a: jiff::Timestamp, b: jiff::Timestamp| a.duration_since(b).abs();
    let tolerance = jiff::SignedDuration::from_secs(5);
    assert!(apart(stored.at, meta.modified) < tolerance, "{stored:?} {meta:?}");
    assert!(apart(meta.now, meta.modified) < tolerance, "{meta:?}");
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let later = store.head(&key).await.unwrap().unwrap();
    assert_eq!(later.modified, meta.modified);
    assert!(
        later.age() >= Duration::from_secs(1) && later.age() < Duration::from_secs(60),
        "{later:?}"
    );
    let got = store.get(&key, LIMIT_BYTES).await.unwrap().meta;
    assert!(got.age() >= Duration::from_secs(1), "{got:?}");
    store.delete(&key).await.unwrap();
}

async fn lists(store: &dyn Storage, run: &str) {
    let (job, other) = (job_id(run), job_id(&format!("{run}-other")));
    assert_eq!(store.list(&Prefix::JobRecords(job.clone())).await.unwrap(), []);
    for number in [2, 0, 1] {
        store
            .put(&record(&job, number), Bytes::from(vec![b'x'; number as usize]))
            .await
            .unwrap();
    }
    store
        .put(&record(&other, 7), Bytes::from_static(b"x"))
        .await
        .unwrap();
    let entries = store.list(&Prefix::JobRecords(job.clone())).await.unwrap();
    let found: Vec<_> = entries
        .iter()
        .map(|entry| (entry.name.as_str(), entry.meta.size))
        .collect();
    assert_eq!(found, [("0000.json", 0), ("0001.json", 1), ("0002.json", 2)]);
    assert!(
        entries
            .iter()
            .all(|entry| entry.meta.age() < Duration::from_secs(60))
    );
    let all = store.list(&Prefix::Jobs).await.unwrap();
    assert!(
        all.iter()
            .any(|entry| entry.name == format!("{run}/0002.json")),
        "{all:?}"
    );
    assert!(
        all.iter()
            .any(|entry| entry.name == format!("{run}-other/0007.json")),
        "{all:?}"
    );
    assert!(all.is_sorted_by(|a, b| a.name.as_bytes() < b.name.as_bytes()), "{all:?}");
    for number in 0..3 {
        store.delete(&record(&job, number)).await.unwrap();
    }
    store.delete(&record(&other, 7)).await.unwrap();
}

async fn lists_many(storage: &Arc<dyn Storage>, run: &str, count: u32) {
    let job = job_id(&format!("{run}-many"));
    in_parallel(storage, 0..count, |store, number| {
        let key = record(&job, number);
        async move {
            store.put(&key, Bytes::from_static(b"{}")).await.unwrap();
        }
    })
    .await;
    let entries = storage
        .list(&Prefix::JobRecords(job.clone()))
        .await
        .unwrap();
    let numbers: Vec<_> = entries
        .iter()
        .map(|entry| ObjectKey::parse_record_name(&entry.name).unwrap().0)
        .collect();
    assert_eq!(numbers, (0..count).collect::<Vec<_>>());
    in_parallel(storage, 0..count, |store, number| {
        let key = record(&job, number);
        async move { store.delete(&key).await.unwrap() }
    })
    .await;
}

/// While one writer replaces an object again and again, every reader sees one of its contents.
async fn shows_no_half_object(storage: &Arc<dyn Storage>, run: &str) {
    let key = output(&format!("{run}-half"));
    let content = |number: u8| Bytes::from(vec![number; 300_000 + usize::from(number)]);
    storage.put(&key, content(0)).await.unwrap();
    let (writer, written) = (Arc::clone(storage), key.clone());
    let writing = tokio::spawn(async move {
        for number in 0..40 {
            writer.put(&written, content(number)).await.unwrap();
        }
    });
    let mut reads = 0;
    while !writing.is_finished() || reads == 0 {
        let bytes = storage.get(&key, LIMIT_BYTES).await.unwrap().bytes;
        assert!(bytes == content(bytes[0]));
        reads += 1;
        tokio::task::yield_now().await;
    }
    writing.await.unwrap();
    storage.delete(&key).await.unwrap();
}

/// Of many writers exactly one creates an object, and what it wrote is there.
async fn creates_once(storage: &Arc<dyn Storage>, run: &str) {
    for round in 0..5 {
        let key = record(&job_id(&format!("{run}-race")), round);
        let attempts = (0..WRITERS).map(|writer| {
            let (store, key) = (Arc::clone(storage), key.clone());
            tokio::spawn(async move {
                let created = store
                    .create(&key, Bytes::from(format!("writer {writer}")))
                    .await;
                (writer, created.unwrap())
            })
        });
        let mut winners = Vec::new();
        for attempt in attempts.collect::<Vec<_>>() {
            let (writer, created) = attempt.await.unwrap();
            if let Created::Yes(_) = created {
                winners.push(writer);
            }
        }
        assert_eq!(winners.len(), 1, "{winners:?}");
        let content = storage.get(&key, LIMIT_BYTES).await.unwrap().bytes;
        assert_eq!(content, format!("writer {}", winners[0]));
        assert_eq!(storage.create(&key, content).await.unwrap(), Created::AlreadyThere);
        storage.delete(&key).await.unwrap();
    }
}

async fn in_parallel<F: Future<Output = ()> + Send + 'static>(
    storage: &Arc<dyn Storage>,
    numbers: std::ops::Range<u32>,
    work: impl Fn(Arc<dyn Storage>, u32) -> F,
) {
    let mut tasks = tokio::task::JoinSet::new();
    for number in numbers {
        tasks.spawn(work(Arc::clone(storage), number));
        if tasks.len() == 16 {
            tasks.join_next().await.unwrap().unwrap();
        }
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

/// A name that no earlier run used.
fn unique() -> String {
    format!("run-{}", jiff::Timestamp::now().as_nanosecond())
}
