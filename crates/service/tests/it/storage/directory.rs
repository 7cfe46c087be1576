use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use f5tts_service::storage::{
    CreateOnly, Created, DirectoryConfig, DirectoryStorage, Durability, LinkConfig, ObjectKey,
    Prefix, Secret, Storage, StorageError,
};
use jiff::Timestamp;

use super::{
    contract::{Expectations, storage_contract},
    job_id, link, output, record, voice,
};

fn open(root: &Path, links: LinkConfig) -> DirectoryStorage {
    let config = DirectoryConfig {
        root: root.to_owned(),
        durability: Durability::Unsynced,
        links,
    };
    DirectoryStorage::open(config).unwrap()
}

fn server(secret: Option<&str>) -> LinkConfig {
    let base = "https://speech.example".parse().unwrap();
    LinkConfig::Server { base, secret: secret.map(Secret::new) }
}

fn files_below(root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(files_below(&path)),
            false => files.push(path),
        }
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_keeps_the_contract() {
    for durability in [Durability::Unsynced, Durability::Synced] {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("made/by itself");
        let config = DirectoryConfig { root: root.clone(), durability, links: LinkConfig::Files };
        let storage = DirectoryStorage::open(config).unwrap();
        let listed_objects = if durability == Durability::Synced {
            20
        } else {
            1100
        };
        let expected = Expectations { create_only: CreateOnly::Exclusive, listed_objects };
        storage_contract(Arc::new(storage), expected).await;
        assert_eq!(files_below(&root), [] as [PathBuf; 0]);
        assert_eq!(fs::read_dir(root.join("jobs")).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn people_find_objects_by_their_names() {
    let directory = tempfile::tempdir().unwrap();
    let storage = open(directory.path(), LinkConfig::Files);
    storage
        .put(&voice("Jürgen +1.wav"), Bytes::from_static(b"RIFF"))
        .await
        .unwrap();
    let path = directory.path().join("voices/Jürgen +1.wav");
    assert_eq!(fs::read(&path).unwrap(), b"RIFF");
    fs::write(directory.path().join("voices/by hand.wav"), b"RIFF").unwrap();
    let names: Vec<_> = storage
        .list(&Prefix::Voices)
        .await
        .unwrap()
        .into_iter()
        .map(|entry| entry.name)
        .collect();
    assert_eq!(names, ["Jürgen +1.wav", "by hand.wav"]);
    let url = storage
        .signed_url(&voice("Jürgen +1.wav"), &link(None))
        .await
        .unwrap();
    assert_eq!(url.to_file_path().unwrap(), path.canonicalize().unwrap());
}

#[tokio::test]
async fn links_of_two_processes_are_signed_alike() {
    let directory = tempfile::tempdir().unwrap();
    let (first, second) =
        (open(directory.path(), server(None)), open(directory.path(), server(None)));
    let url = first
        .signed_url(&output("a"), &link(Some("speech.wav")))
        .await
        .unwrap();
    assert!(
        url.as_str()
            .starts_with("https://speech.example/v1/files/output/a.wav?expires="),
        "{url}"
    );
    let verify = |storage: &DirectoryStorage| {
        let links = storage.links().unwrap();
        links
            .verify("output/a.wav", url.query().unwrap(), Timestamp::now())
            .map(|link| link.key)
    };
    assert_eq!(verify(&second), Ok(output("a")));
    assert!(verify(&open(directory.path(), server(Some("another")))).is_err());
    let secret = directory.path().join(".f5tts/link-secret");
    assert_eq!(fs::read_to_string(&secret).unwrap().len(), 64);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(secret.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    let shown = format!("{first:?}");
    assert!(!shown.contains(&fs::read_to_string(&secret).unwrap()), "{shown}");
}

#[cfg(unix)]
#[tokio::test]
async fn links_of_the_file_system_do_not_lead_out() {
    use std::os::unix::fs::symlink;
    let (directory, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let storage = open(directory.path(), LinkConfig::Files);
    fs::write(outside.path().join("secret.wav"), b"secret").unwrap();
    fs::create_dir(directory.path().join("voices")).unwrap();
    symlink(outside.path().join("secret.wav"), directory.path().join("voices/secret.wav")).unwrap();
    symlink(outside.path(), directory.path().join("output")).unwrap();
    for key in [voice("secret.wav"), output("secret")] {
        let error = storage.get(&key, 100).await.unwrap_err();
        assert_eq!(error.to_string(), format!("could not reach `{key}`"));
        assert!(storage.put(&key, Bytes::from_static(b"x")).await.is_err());
        assert!(storage.delete(&key).await.is_err());
    }
    assert_eq!(fs::read(outside.path().join("secret.wav")).unwrap(), b"secret");
    assert_eq!(storage.list(&Prefix::Voices).await.unwrap(), []);
}

#[tokio::test]
async fn a_directory_in_the_place_of_an_object_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let storage = open(directory.path(), LinkConfig::Files);
    fs::create_dir_all(directory.path().join("output/a.wav")).unwrap();
    assert_eq!(storage.head(&output("a")).await.unwrap(), None);
    assert!(
        storage
            .put(&output("a"), Bytes::from_static(b"x"))
            .await
            .is_err()
    );
    fs::write(directory.path().join("jobs"), b"a file").unwrap();
    assert_eq!(storage.head(&record(&job_id("a"), 0)).await.unwrap(), None);
    assert_eq!(storage.list(&Prefix::Jobs).await.unwrap(), []);
}

#[tokio::test]
async fn a_name_that_the_file_system_refuses_is_the_callers_fault() {
    let directory = tempfile::tempdir().unwrap();
    let storage = open(directory.path(), LinkConfig::Files);
    let key = voice(&"声".repeat(120));
    let error = storage
        .put(&key, Bytes::from_static(b"x"))
        .await
        .unwrap_err();
    assert!(matches!(error, StorageError::InvalidName { .. }), "{error:?}");
}

#[tokio::test]
async fn what_a_killed_process_left_goes_after_a_day() {
    let directory = tempfile::tempdir().unwrap();
    let staging = directory.path().join(".f5tts/staging");
    fs::create_dir_all(&staging).unwrap();
    for (name, age_hours) in [("old", 25), ("fresh", 1)] {
        let file = fs::File::create(staging.join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(age_hours * 3600))
            .unwrap();
    }
    open(directory.path(), LinkConfig::Files);
    assert_eq!(files_below(&staging), [staging.join("fresh")]);
}

#[tokio::test]
async fn records_of_a_job_may_go_while_another_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let storage = Arc::new(open(directory.path(), LinkConfig::Files));
    let job = job_id("a");
    let tasks = (0..8_u32).map(|number| {
        let (storage, key): (_, ObjectKey) = (Arc::clone(&storage), record(&job, number));
        tokio::spawn(async move {
            for round in 0..100 {
                let content = Bytes::from(format!("{number} {round}"));
                let created = storage.create(&key, content.clone()).await.unwrap();
                assert!(matches!(created, Created::Yes(_)));
                storage.put(&key, content.clone()).await.unwrap();
                assert_eq!(storage.get(&key, 99).await.unwrap().bytes, content);
                storage.delete(&key).await.unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}
