//! A directory that cannot be written to, or has no room.

use std::path::Path;

use bytes::Bytes;
use f5tts_service::storage::{
    DirectoryConfig, DirectoryStorage, Durability, LinkConfig, Prefix, Storage, StorageError,
};

use super::{link, output, voice};
use crate::child::{self, Child};

fn open(root: &Path) -> DirectoryStorage {
    let base = "http://127.0.0.1:1".parse().unwrap();
    let links = LinkConfig::Server { base, secret: None };
    let config = DirectoryConfig {
        root: root.join("store"),
        durability: Durability::Synced,
        links,
    };
    DirectoryStorage::open(config).unwrap()
}

#[tokio::test]
async fn a_full_disk_is_named_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let child = child::start(
        "storage::directory_faults::child_fills",
        directory.path(),
        Child::FilesOfOneMegabyte,
    );
    assert_eq!(child::report(&child.wait_with_output().unwrap()), "done");
    let storage = open(directory.path());
    assert_eq!(storage.get(&output("small"), 9).await.unwrap().bytes, "small");
    assert_eq!(storage.list(&Prefix::Outputs).await.unwrap().len(), 1);
    let staging = directory.path().join("store/.f5tts/staging");
    assert_eq!(std::fs::read_dir(staging).unwrap().count(), 0);
}

#[tokio::test]
#[ignore = "a part of another test, in a process of its own"]
async fn child_fills() {
    let Some(root) = child::root() else { return };
    let storage = open(&root);
    let big = Bytes::from(vec![1; 2 << 20]);
    for result in [
        storage
            .put(&output("big"), big.clone())
            .await
            .map(drop_value),
        storage.create(&output("big"), big).await.map(drop_value),
    ] {
        let error = result.unwrap_err();
        assert!(matches!(error, StorageError::Full { .. }), "{error:?}");
        assert_eq!(error.to_string(), "there is no space left for `output/big.wav`");
    }
    storage
        .put(&output("small"), Bytes::from_static(b"small"))
        .await
        .unwrap();
    child::answer("done");
}

fn drop_value<T>(_: T) {}

#[tokio::test]
async fn a_read_only_directory_is_named_and_can_be_read() {
    let directory = tempfile::tempdir().unwrap();
    open(directory.path())
        .put(&voice("anna.wav"), Bytes::from_static(b"RIFF"))
        .await
        .unwrap();
    let child =
        child::start("storage::directory_faults::child_reads", directory.path(), Child::ReadOnly);
    let output = child.wait_with_output().unwrap();
    if String::from_utf8_lossy(&output.stderr).contains("unshare") {
        eprintln!("SKIPPED: a read-only directory: root may not mount here");
        return;
    }
    assert_eq!(child::report(&output), "done");
}

#[tokio::test]
#[ignore = "a part of another test, in a process of its own"]
async fn child_reads() {
    let Some(root) = child::root() else { return };
    let storage = open(&root);
    assert_eq!(storage.get(&voice("anna.wav"), 9).await.unwrap().bytes, "RIFF");
    assert_eq!(storage.list(&Prefix::Voices).await.unwrap().len(), 1);
    storage
        .signed_url(&voice("anna.wav"), &link(None))
        .await
        .unwrap();
    for result in [
        storage
            .put(&voice("anna.wav"), Bytes::new())
            .await
            .map(drop_value),
        storage
            .create(&output("a"), Bytes::new())
            .await
            .map(drop_value),
        storage.delete(&voice("anna.wav")).await,
    ] {
        let error = result.unwrap_err();
        assert!(matches!(error, StorageError::ReadOnly { .. }), "{error:?}");
        assert!(error.advice().unwrap().contains("writable"));
    }
    child::answer("done");
}
