//! Models of a store, mirrored to a directory.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use f5tts_service::{
    mirror::{Mirror, MirrorError, MirrorEvent, MirrorOptions, Mirrored, WantedFile},
    storage::{
        DirectoryConfig, DirectoryStorage, Durability, FilePath, LinkConfig, MemoryFault,
        MemoryStorage, ObjectKey, Operation, Repository, RetryPolicy, Retrying, Storage,
        StorageError,
    },
};
use sha2::{Digest, Sha256};

use crate::child::{self, Child};

const KEY: &str = "models/org--model/weights/model.safetensors";
const PART_BYTES: u64 = 1000;

fn quiet(_: MirrorEvent<'_>) {}

fn repository() -> Repository {
    Repository::try_from("org/model").unwrap()
}

fn wanted(path: &str) -> WantedFile {
    WantedFile { path: FilePath::try_from(path).unwrap(), sha256: None }
}

fn weights() -> Vec<WantedFile> {
    vec![wanted("weights/model.safetensors")]
}

fn content(seed: u32) -> Vec<u8> {
    (0..2500_u32)
        .flat_map(|i| (i * 7 + seed).to_le_bytes())
        .collect()
}

fn options(parallel: usize) -> MirrorOptions {
    MirrorOptions { part_bytes: PART_BYTES, parallel }
}

struct World {
    store: Arc<MemoryStorage>,
    directory: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let store = Arc::new(MemoryStorage::new());
        store.plant(KEY, content(0));
        Self { store, directory: tempfile::tempdir().unwrap() }
    }

    fn mirror(&self, parallel: usize) -> Mirror {
        let store = Arc::clone(&self.store) as Arc<dyn Storage>;
        Mirror::new(store, self.directory.path().to_owned(), options(parallel))
    }

    async fn run(&self, parallel: usize) -> Result<Vec<Mirrored>, MirrorError> {
        self.mirror(parallel)
            .mirror(&repository(), &weights(), &quiet)
            .await
    }

    fn file(&self) -> PathBuf {
        self.directory
            .path()
            .join("org--model/weights/model.safetensors")
    }
}

/// All files below a directory but the lock and the records.
fn leftovers(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(leftovers(&path));
        } else if path
            .extension()
            .is_some_and(|ending| ending == "part" || ending == "journal" || ending == "draft")
        {
            found.push(path.display().to_string());
        }
    }
    found
}

#[tokio::test]
async fn files_are_fetched_once() {
    let world = World::new();
    world.store.plant("models/org--model/empty.txt", "");
    let files = [
        wanted("weights/model.safetensors"),
        wanted("empty.txt"),
        wanted("vocab.txt"),
    ];
    let mirror = world.mirror(4);
    let empty = world.directory.path().join("org--model/empty.txt");
    let first = mirror.mirror(&repository(), &files, &quiet).await.unwrap();
    let fetched = [
        Mirrored::Fetched(world.file()),
        Mirrored::Fetched(empty.clone()),
        Mirrored::Missing,
    ];
    assert_eq!(first, fetched);
    assert_eq!(fs::read(world.file()).unwrap(), content(0));
    assert_eq!(fs::read(&empty).unwrap(), b"");
    let requests = world.store.count(Operation::Get);
    assert_eq!(requests, 10);
    let second = mirror.mirror(&repository(), &files, &quiet).await.unwrap();
    assert_eq!(
        second,
        [
            Mirrored::Present(world.file()),
            Mirrored::Present(empty),
            Mirrored::Missing
        ]
    );
    assert_eq!(world.store.count(Operation::Get), requests);
    assert_eq!(world.store.count(Operation::List), 0);
    assert_eq!(leftovers(world.directory.path()), [] as [String; 0]);
}

#[tokio::test]
async fn what_broke_off_is_gone_on_with() {
    let world = World::new();
    let broken = AtomicU64::new(0);
    let fail_after_six = |event: MirrorEvent<'_>| {
        if let MirrorEvent::Advanced(_) = event
            && broken.fetch_add(1, Ordering::Relaxed) == 5
        {
            world
                .store
                .fail_next(Some(Operation::Get), MemoryFault::Unreachable);
        }
    };
    let error = world
        .mirror(1)
        .mirror(&repository(), &weights(), &fail_after_six)
        .await
        .unwrap_err();
    assert!(matches!(error, MirrorError::Storage { .. }), "{error:?}");
    assert!(!world.file().exists());
    let before = world.store.count(Operation::Get);
    let arrived = AtomicU64::new(0);
    let note = |event: MirrorEvent<'_>| {
        if let MirrorEvent::Started { arrived: bytes, .. } = event {
            arrived.store(bytes, Ordering::Relaxed);
        }
    };
    world
        .mirror(3)
        .mirror(&repository(), &weights(), &note)
        .await
        .unwrap();
    assert_eq!(fs::read(world.file()).unwrap(), content(0));
    assert_eq!(arrived.into_inner(), 6 * PART_BYTES);
    assert_eq!(world.store.count(Operation::Get) - before, 4);
}

#[tokio::test]
async fn progress_adds_up() {
    let world = World::new();
    let (bytes, advanced) = (AtomicU64::new(0), AtomicU64::new(0));
    let note = |event: MirrorEvent<'_>| match event {
        MirrorEvent::Started { bytes: size, arrived, .. } => {
            bytes.store(size, Ordering::Relaxed);
            advanced.store(arrived, Ordering::Relaxed);
        }
        MirrorEvent::Advanced(more) => {
            advanced.fetch_add(more, Ordering::Relaxed);
        }
        MirrorEvent::Waiting | MirrorEvent::Finished(_) => {}
    };
    world
        .mirror(4)
        .mirror(&repository(), &weights(), &note)
        .await
        .unwrap();
    assert_eq!((bytes.into_inner(), advanced.into_inner()), (10_000, 10_000));
}

#[tokio::test]
async fn an_object_that_changes_while_it_is_fetched_is_fetched_anew() {
    for (changes, succeeds) in [(1, true), (2, true), (99, false)] {
        let world = World::new();
        let changed = AtomicU64::new(0);
        let change = |event: MirrorEvent<'_>| {
            if let MirrorEvent::Advanced(_) = event
                && changed.load(Ordering::Relaxed) < changes
            {
                let seed = changed.fetch_add(1, Ordering::Relaxed) + 1;
                world
                    .store
                    .plant(KEY, content(u32::try_from(seed).unwrap()));
            }
        };
        let result = world
            .mirror(2)
            .mirror(&repository(), &weights(), &change)
            .await;
        match succeeds {
            true => {
                result.unwrap();
                assert_eq!(
                    fs::read(world.file()).unwrap(),
                    content(u32::try_from(changes).unwrap())
                );
            }
            false => {
                let error = result.unwrap_err();
                assert!(matches!(
                    error,
                    MirrorError::Storage { source: StorageError::Changed { .. }, .. }
                ));
                assert!(!world.file().exists());
            }
        }
    }
}

#[tokio::test]
async fn a_file_that_is_not_the_wanted_one_never_gets_the_name() {
    let world = World::new();
    let digest: String = Sha256::digest(content(0))
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let want = |sha256: &str| {
        vec![WantedFile {
            sha256: Some(sha256.to_owned()),
            ..wanted("weights/model.safetensors")
        }]
    };
    let other = digest.replace(|c: char| c.is_ascii_digit(), "0");
    let error = world
        .mirror(4)
        .mirror(&repository(), &want(&other), &quiet)
        .await
        .unwrap_err();
    let text = format!(
        "`weights/model.safetensors` of the store has the SHA-256 {digest} instead of {other}"
    );
    assert_eq!(error.to_string(), text);
    assert!(!world.file().exists());
    assert_eq!(leftovers(world.directory.path()), [] as [String; 0]);
    world
        .mirror(4)
        .mirror(&repository(), &want(&digest), &quiet)
        .await
        .unwrap();
    assert!(world.file().exists());
}

#[tokio::test]
async fn a_newer_version_replaces_the_older_and_an_absent_store_nothing() {
    let world = World::new();
    world.run(4).await.unwrap();
    world.store.plant(KEY, content(1));
    world
        .store
        .fail_next(Some(Operation::Head), MemoryFault::Unreachable);
    assert_eq!(world.run(4).await.unwrap(), [Mirrored::Present(world.file())]);
    assert_eq!(fs::read(world.file()).unwrap(), content(0));
    assert_eq!(world.run(4).await.unwrap(), [Mirrored::Fetched(world.file())]);
    assert_eq!(fs::read(world.file()).unwrap(), content(1));
    let empty =
        Mirror::new(Arc::new(MemoryStorage::new()), world.directory.path().to_owned(), options(1));
    let kept = empty
        .mirror(&repository(), &weights(), &quiet)
        .await
        .unwrap();
    assert_eq!(kept, [Mirrored::Present(world.file())]);
}

#[tokio::test]
async fn a_file_that_somebody_put_there_is_taken() {
    let world = World::new();
    fs::create_dir_all(world.file().parent().unwrap()).unwrap();
    fs::write(world.file(), content(0)).unwrap();
    assert_eq!(world.run(4).await.unwrap(), [Mirrored::Present(world.file())]);
    assert_eq!(world.store.count(Operation::Get), 0);
    fs::write(world.file(), b"cut off").unwrap();
    assert_eq!(world.run(4).await.unwrap(), [Mirrored::Fetched(world.file())]);
}

#[tokio::test]
async fn a_run_that_is_given_up_leaves_nothing_wrong() {
    let world = World::new();
    world.store.set_delay(Duration::from_millis(20));
    for _ in 0..4 {
        // Long enough for some parts.
        let run = tokio::time::timeout(Duration::from_millis(90), world.run(2));
        if run.await.is_ok() {
            break;
        }
        // What was being given its name as the run ended may get it; then it is complete.
        assert!(!world.file().exists() || fs::read(world.file()).unwrap() == content(0));
    }
    world.run(2).await.unwrap();
    assert_eq!(fs::read(world.file()).unwrap(), content(0));
    assert!(world.store.count(Operation::Get) < 30, "{}", world.store.count(Operation::Get));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_workers_one_fetches() {
    let world = Arc::new(World::new());
    world.store.set_delay(Duration::from_millis(10));
    let waited = Arc::new(AtomicU64::new(0));
    let workers = (0..6).map(|_| {
        let (world, waited) = (Arc::clone(&world), Arc::clone(&waited));
        tokio::spawn(async move {
            let note = |event: MirrorEvent<'_>| {
                if let MirrorEvent::Waiting = event {
                    waited.fetch_add(1, Ordering::Relaxed);
                }
            };
            world
                .mirror(2)
                .mirror(&repository(), &weights(), &note)
                .await
                .unwrap()
        })
    });
    let mut fetched = 0;
    for worker in workers.collect::<Vec<_>>() {
        fetched += usize::from(worker.await.unwrap() == [Mirrored::Fetched(world.file())]);
    }
    assert_eq!((fetched, waited.load(Ordering::Relaxed)), (1, 5));
    assert_eq!(world.store.count(Operation::Get), 10);
}

#[tokio::test]
async fn parts_are_asked_for_again_where_the_store_is_away() {
    let world = World::new();
    for _ in 0..5 {
        world
            .store
            .fail_next(Some(Operation::Get), MemoryFault::Unreachable);
    }
    let store = Arc::clone(&world.store) as Arc<dyn Storage>;
    let policy = RetryPolicy {
        first_pause: Duration::from_millis(1),
        ..RetryPolicy::default()
    };
    let store = Arc::new(Retrying::new(store, policy));
    let mirror = Mirror::new(store, world.directory.path().to_owned(), options(4));
    mirror
        .mirror(&repository(), &weights(), &quiet)
        .await
        .unwrap();
    assert_eq!(fs::read(world.file()).unwrap(), content(0));
}

/// A store that several processes share, with a model of 4 MB.
async fn shared_store(root: &Path) -> Arc<dyn Storage> {
    let config = DirectoryConfig {
        root: root.join("store"),
        durability: Durability::Unsynced,
        links: LinkConfig::Files,
    };
    let store = DirectoryStorage::open(config).unwrap();
    let path = FilePath::try_from("weights/model.safetensors").unwrap();
    let key = ObjectKey::ModelFile { repository: repository(), path };
    if store.head(&key).await.unwrap().is_none() {
        store
            .put(&key, Bytes::from(vec![7; 4 << 20]))
            .await
            .unwrap();
    }
    Arc::new(store)
}

#[tokio::test]
async fn of_many_processes_one_fetches() {
    let directory = tempfile::tempdir().unwrap();
    shared_store(directory.path()).await;
    let children: Vec<_> = (0..4)
        .map(|_| child::start("mirror::child_mirrors", directory.path(), Child::Plain))
        .collect();
    let mut outcomes = BTreeMap::new();
    for child in children {
        let output = child.wait_with_output().unwrap();
        *outcomes.entry(child::report(&output)).or_insert(0) += 1;
    }
    assert_eq!(outcomes, BTreeMap::from([("fetched".to_owned(), 1), ("present".to_owned(), 3)]));
}

#[cfg(unix)]
#[tokio::test]
async fn a_full_disk_is_named_and_what_arrived_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    shared_store(directory.path()).await;
    let child = child::start("mirror::child_mirrors", directory.path(), Child::FilesOfOneMegabyte);
    assert_eq!(child::report(&child.wait_with_output().unwrap()), "full");
    assert!(
        !directory
            .path()
            .join("here/org--model/weights/model.safetensors")
            .exists()
    );
    let child = child::start("mirror::child_mirrors", directory.path(), Child::Plain);
    assert_eq!(child::report(&child.wait_with_output().unwrap()), "fetched");
}

#[tokio::test]
#[ignore = "a part of other tests, in a process of its own"]
async fn child_mirrors() {
    let Some(root) = child::root() else { return };
    let mirror = Mirror::new(
        shared_store(&root).await,
        root.join("here"),
        MirrorOptions { part_bytes: 64 << 10, parallel: 4 },
    );
    child::answer(
        match mirror
            .mirror(&repository(), &weights(), &quiet)
            .await
            .as_deref()
        {
            Ok([Mirrored::Fetched(_)]) => "fetched",
            Ok([Mirrored::Present(_)]) => "present",
            Err(error) if error.is_full() => "full",
            other => panic!("{other:?}"),
        },
    );
}
