//! A bucket on a real server, which `tests/e2e/s3.sh` starts: radosgw, or moto, which checks no signature.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use f5tts_service::{
    mirror::{Mirror, MirrorOptions, Mirrored, WantedFile},
    storage::{
        CreateOnly, Created, FilePath, ObjectKey, Permission, Prefix, Repository, RetryPolicy,
        Retrying, S3Config, S3Credentials, S3Storage, Secret, Storage, StorageError, probe,
    },
};

use super::{
    contract::{Expectations, storage_contract},
    job_id, link, output, record, voice,
};

#[expect(
    clippy::disallowed_methods,
    reason = "the script that starts the server tells where it is"
)]
fn setting(name: &str) -> String {
    std::env::var(format!("F5TTS_TEST_S3_{name}")).expect("tests/e2e/s3.sh starts these tests")
}

fn config() -> S3Config {
    S3Config {
        bucket: setting("BUCKET"),
        region: "us-east-1".to_owned(),
        endpoint: Some(setting("ENDPOINT").parse().unwrap()),
        public_endpoint: None,
        credentials: S3Credentials {
            access_key_id: setting("KEY"),
            secret_access_key: Secret::new(setting("SECRET")),
            session_token: None,
        },
        request_timeout: Duration::from_secs(30),
    }
}

/// The bucket as a store that is asked again.
pub(crate) fn from_environment() -> Arc<dyn Storage> {
    let bucket = Arc::new(S3Storage::new(&config()).unwrap());
    Arc::new(Retrying::new(bucket, RetryPolicy::default()))
}

fn checks_signatures() -> bool {
    setting("SERVER") == "radosgw"
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/e2e/s3.sh"]
async fn a_bucket_keeps_the_contract() {
    let storage =
        Retrying::new(Arc::new(S3Storage::new(&config()).unwrap()), RetryPolicy::default());
    let expected = Expectations { create_only: CreateOnly::Exclusive, listed_objects: 1005 };
    storage_contract(Arc::new(storage), expected).await;
}

#[tokio::test]
#[ignore = "needs a server: tests/e2e/s3.sh"]
async fn links_work_for_anybody_and_for_nothing_else() {
    let mut config = config();
    let endpoint = config.endpoint.clone().unwrap();
    let storage = S3Storage::new(&config).unwrap();
    config.public_endpoint = Some(
        endpoint
            .as_str()
            .replace("127.0.0.1", "localhost")
            .parse()
            .unwrap(),
    );
    let public = S3Storage::new(&config).unwrap();
    let key = voice("a link ü+%41.wav");
    storage
        .put(&key, Bytes::from_static(b"0123456789"))
        .await
        .unwrap();
    let url = public
        .signed_url(&key, &link(Some("Größe 1.wav")))
        .await
        .unwrap();
    assert_eq!(url.host_str(), Some("localhost"));
    let client = reqwest::Client::new();
    let answer = client.get(url.clone()).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{url}");
    assert_eq!(answer.headers()["content-type"], "audio/wav");
    let disposition = answer.headers()["content-disposition"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(disposition.contains("Gr%C3%B6%C3%9Fe%201.wav"), "{disposition}");
    assert_eq!(answer.bytes().await.unwrap(), "0123456789");
    let part = client
        .get(url.clone())
        .header("range", "bytes=2-4")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (part.status().as_u16(), part.bytes().await.unwrap()),
        (206, Bytes::from_static(b"234"))
    );
    if checks_signatures() {
        for forged in [
            url.as_str().replace("ink", "ing"),
            url.as_str()
                .replace("X-Amz-Expires=600", "X-Amz-Expires=601"),
            endpoint
                .join("/speech/voices/a%20link")
                .unwrap()
                .to_string(),
        ] {
            assert_eq!(client.get(&forged).send().await.unwrap().status(), 403, "{forged}");
        }
    }
    storage.delete(&key).await.unwrap();
}

#[tokio::test]
#[ignore = "needs a server: tests/e2e/s3.sh"]
async fn each_failure_at_the_start_is_told_from_the_others() {
    let failure = async |change: &dyn Fn(&mut S3Config)| {
        let mut config = config();
        change(&mut config);
        let error = probe(&S3Storage::new(&config).unwrap()).await.unwrap_err();
        let (text, advice) = (error.to_string(), error.advice().unwrap());
        assert!(!format!("{text} {advice} {error:?}").contains("not-a-secret"), "{error:?}");
        error
    };
    let bucket = failure(&|config| config.bucket = "no-such-bucket".to_owned()).await;
    assert!(
        matches!(&bucket, StorageError::NoSuchBucket { bucket, .. } if bucket == "no-such-bucket")
    );
    let away =
        failure(&|config| config.endpoint = Some("http://127.0.0.1:9".parse().unwrap())).await;
    assert!(
        matches!(away, StorageError::Unreachable { .. }) && away.is_transient(),
        "{away:?}"
    );
    if !checks_signatures() {
        return;
    }
    let secret =
        failure(&|config| config.credentials.secret_access_key = Secret::new("wrong")).await;
    assert!(
        matches!(&secret, StorageError::BadCredentials { reason, .. } if reason == "SignatureDoesNotMatch")
    );
    let key = failure(&|config| config.credentials.access_key_id = "nobody".to_owned()).await;
    assert!(
        matches!(&key, StorageError::BadCredentials { reason, .. } if reason == "InvalidAccessKeyId")
    );
}

#[tokio::test]
#[ignore = "needs a server: tests/e2e/s3.sh"]
async fn three_permissions_are_enough() {
    if !checks_signatures() {
        return;
    }
    let mut config = config();
    config.credentials.access_key_id += "-limited";
    let storage = S3Storage::new(&config).unwrap();
    assert_eq!(probe(&storage).await.unwrap(), CreateOnly::Exclusive);
    let (job, content) = (job_id("limited"), Bytes::from_static(b"{}"));
    for number in 0..2 {
        let key = record(&job, number);
        assert!(storage.get(&key, 10).await.unwrap_err().is_missing());
        assert_eq!(storage.head(&key).await.unwrap(), None);
        assert!(matches!(storage.create(&key, content.clone()).await, Ok(Created::Yes(_))));
        assert_eq!(storage.create(&key, content.clone()).await.unwrap(), Created::AlreadyThere);
        assert_eq!(storage.head(&key).await.unwrap().unwrap().size, 2);
        assert_eq!(storage.get(&key, 10).await.unwrap().bytes, content);
    }
    let error = storage
        .list(&Prefix::JobRecords(job.clone()))
        .await
        .unwrap_err();
    assert!(
        matches!(error, StorageError::Denied { permission: Permission::ListBucket, .. }),
        "{error:?}"
    );
    for number in 0..2 {
        storage.delete(&record(&job, number)).await.unwrap();
    }
    storage.delete(&output("limited")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/e2e/s3.sh"]
async fn a_model_is_mirrored() {
    let mut config = config();
    if checks_signatures() {
        config.credentials.access_key_id += "-limited";
    }
    let storage: Arc<dyn Storage> = Arc::new(S3Storage::new(&config).unwrap());
    let repository = Repository::try_from("org/model").unwrap();
    let path = FilePath::try_from("weights/model.safetensors").unwrap();
    let key = ObjectKey::ModelFile { repository: repository.clone(), path: path.clone() };
    let content: Vec<u8> = (0..5_u32 << 20)
        .flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    storage
        .put(&key, Bytes::from(content.clone()))
        .await
        .unwrap();
    let directory = tempfile::tempdir().unwrap();
    let options = MirrorOptions { part_bytes: 3 << 20, parallel: 4 };
    let mirror = Mirror::new(Arc::clone(&storage), directory.path().to_owned(), options);
    let wanted = |name: &str| WantedFile { path: FilePath::try_from(name).unwrap(), sha256: None };
    let files = [wanted(path.as_str()), wanted("not-there.txt")];
    let place = directory
        .path()
        .join("org--model/weights/model.safetensors");
    for expected in [
        Mirrored::Fetched(place.clone()),
        Mirrored::Present(place.clone()),
    ] {
        let found = mirror.mirror(&repository, &files, &|_| {}).await.unwrap();
        assert_eq!(found, [expected, Mirrored::Missing]);
    }
    assert!(std::fs::read(&place).unwrap() == content);
    storage.delete(&key).await.unwrap();
}
