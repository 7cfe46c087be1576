//! What a bucket is to the service when its server, or the way to it, is not as it should be.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use f5tts_service::storage::{
    CreateOnly, Created, RetryPolicy, Retrying, S3Config, S3Credentials, S3Storage, Secret,
    Storage, StorageError, Version, probe,
};

use super::{
    fake_server::{Answer, FakeServer},
    link, output, voice,
};

fn config(server: &FakeServer) -> S3Config {
    S3Config {
        bucket: "speech".to_owned(),
        region: "us-east-1".to_owned(),
        endpoint: Some(format!("http://{}", server.address).parse().unwrap()),
        public_endpoint: None,
        credentials: S3Credentials {
            access_key_id: "AKEXAMPLE".to_owned(),
            secret_access_key: Secret::new("hidden-secret"),
            session_token: Some(Secret::new("hidden-token")),
        },
        request_timeout: Duration::from_secs(2),
    }
}

fn storage(server: &FakeServer) -> S3Storage {
    S3Storage::new(&config(server)).unwrap()
}

fn retrying(server: &FakeServer) -> Retrying {
    let policy = RetryPolicy {
        give_up_after: Duration::from_secs(20),
        first_pause: Duration::from_millis(10),
        longest_pause: Duration::from_millis(100),
    };
    Retrying::new(Arc::new(storage(server)), policy)
}

fn content() -> Bytes {
    Bytes::from_static(b"content")
}

#[tokio::test]
async fn a_bucket_elsewhere_is_named_with_its_region() {
    let moved = Answer::error(301, "PermanentRedirect").with("x-amz-bucket-region", "eu-west-1");
    let malformed = Answer::new(
        400,
        "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>",
    );
    for answer in [moved, malformed] {
        let server = FakeServer::start(move |_, _| answer.clone()).await;
        let error = storage(&server)
            .put(&output("a"), content())
            .await
            .unwrap_err();
        let text = "the bucket `speech` is not in the region `us-east-1`, but in `eu-west-1`";
        assert_eq!(error.to_string(), text);
        assert!(error.advice().unwrap().contains("AWS_REGION"));
    }
}

#[tokio::test]
async fn a_clock_that_is_an_hour_off_is_named() {
    let server = FakeServer::start(|_, _| Answer::error(403, "RequestTimeTooSkewed")).await;
    let error = storage(&server)
        .put(&output("a"), content())
        .await
        .unwrap_err();
    assert!(matches!(error, StorageError::WrongClock { .. }), "{error:?}");
}

#[tokio::test]
async fn ages_are_judged_by_the_clock_of_the_store() {
    let server = FakeServer::start(|_, request| {
        Answer::object(request, b"{}", "\"a\"").with("date", "Sun, 06 Nov 1994 08:50:37 GMT")
    })
    .await;
    let storage = storage(&server);
    let object = storage.get(&output("a"), 100).await.unwrap();
    assert_eq!(object.meta.age(), Duration::from_secs(60));
    assert_eq!(
        storage.head(&output("a")).await.unwrap().unwrap().age(),
        Duration::from_secs(60)
    );
    let stored = storage.put(&output("a"), content()).await.unwrap();
    assert_eq!(stored.at.to_string(), "1994-11-06T08:50:37Z");
}

#[tokio::test]
async fn without_the_permission_to_list_denied_means_missing_and_wrong_keys_do_not() {
    let server = FakeServer::start(|_, request| match request.method.as_str() {
        "HEAD" => Answer::new(403, ""),
        _ => Answer::error(403, "AccessDenied"),
    })
    .await;
    let store = storage(&server);
    assert_eq!(store.head(&output("a")).await.unwrap(), None);
    assert!(store.get(&output("a"), 10).await.unwrap_err().is_missing());
    let denied = store
        .put(&output("a"), content())
        .await
        .unwrap_err()
        .to_string();
    assert_eq!(denied, "the credentials lack the permission s3:PutObject for `output/a.wav`");

    let server = FakeServer::start(|_, request| match request.method.as_str() {
        "HEAD" => Answer::new(403, ""),
        _ => Answer::error(403, "SignatureDoesNotMatch"),
    })
    .await;
    let error = storage(&server).head(&output("a")).await.unwrap_err();
    assert!(matches!(error, StorageError::BadCredentials { .. }), "{error:?}");
}

/// A store that keeps one object, and answers conditional writes with `status`.
async fn one_object_server(status: u16) -> FakeServer {
    let object = Mutex::new(Vec::new());
    FakeServer::start(move |_, request| match request.method.as_str() {
        "PUT" if request.header("if-none-match").is_some() && status != 200 => {
            Answer::error(status, "NotImplemented")
        }
        "PUT" => {
            *object.lock().unwrap() = request.body.clone();
            Answer::new(200, "").with("etag", "\"a\"")
        }
        "GET" => Answer::object(request, &object.lock().unwrap(), "\"a\""),
        _ => Answer::new(204, ""),
    })
    .await
}

#[tokio::test]
async fn what_create_means_is_found_out() {
    for (status, expected) in [
        (412, CreateOnly::Exclusive),
        (501, CreateOnly::Unsupported),
        (200, CreateOnly::Ignored),
    ] {
        let server = one_object_server(status).await;
        assert_eq!(probe(&storage(&server)).await.unwrap(), expected);
        let last = server.requests().pop().unwrap();
        assert_eq!(last.method, "DELETE");
        assert!(last.target.starts_with("/speech/probe/"), "{last:?}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_gone_on_with() {
    let object: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    let sent = object.clone();
    let server = FakeServer::start(move |number, request| {
        let answer = Answer::object(request, &sent, "\"a\"");
        let bytes = answer.body.len();
        if number < 3 {
            answer.cut_after(bytes / 2)
        } else {
            answer
        }
    })
    .await;
    let read = storage(&server).get(&output("a"), 1 << 20).await.unwrap();
    assert!(read.bytes == object);
    let requests = server.requests();
    assert_eq!(requests.len(), 4);
    assert_eq!(requests[0].header("range"), None);
    for request in &requests[1..] {
        assert_eq!(request.header("if-match"), Some("\"a\""));
        assert!(request.header("range").unwrap().ends_with("-399999"), "{request:?}");
    }
}

#[tokio::test]
async fn an_object_that_changes_while_it_is_read_is_not_mixed() {
    let server = FakeServer::start(|number, request| match number {
        0 => Answer::object(request, &[b'a'; 1000], "\"a\"").cut_after(500),
        _ if request.header("if-match") == Some("\"a\"") => {
            Answer::error(412, "PreconditionFailed")
        }
        _ => Answer::object(request, &[b'b'; 1000], "\"b\""),
    })
    .await;
    let error = storage(&server)
        .get(&output("a"), 1 << 20)
        .await
        .unwrap_err();
    assert!(matches!(error, StorageError::Changed { .. }), "{error:?}");
    assert_eq!(
        storage(&server)
            .get(&output("a"), 1 << 20)
            .await
            .unwrap()
            .bytes,
        vec![b'b'; 1000]
    );
}

#[tokio::test]
async fn a_body_that_always_breaks_off_ends() {
    let server =
        FakeServer::start(|_, request| Answer::object(request, &[0; 1000], "\"a\"").cut_after(0))
            .await;
    let error = storage(&server)
        .get(&output("a"), 1 << 20)
        .await
        .unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert!(server.requests().len() <= 4);
}

#[tokio::test]
async fn a_server_without_ranges_is_told_from_one_that_is_away() {
    let server = FakeServer::start(|_, request| {
        let mut whole = request.clone();
        whole.head.clear();
        Answer::object(&whole, &[0; 1000], "\"a\"")
    })
    .await;
    let error = storage(&server)
        .get_range(&output("a"), 10..20, None)
        .await
        .unwrap_err();
    assert!(matches!(error, StorageError::Unsupported { .. }), "{error:?}");
}

#[tokio::test]
async fn a_version_is_sent_as_it_came() {
    let server =
        FakeServer::start(|_, request| Answer::object(request, b"0123456789", "\"x-1\"")).await;
    let version = Version::from_text("\"x-1\"");
    let part = storage(&server)
        .get_range(&output("a"), 2..5, Some(&version))
        .await
        .unwrap();
    assert_eq!((part.bytes, part.meta.size), (Bytes::from_static(b"234"), 10));
    assert_eq!(server.requests()[0].header("if-match"), Some("\"x-1\""));
}

#[tokio::test]
async fn a_store_that_is_busy_is_asked_again() {
    let server = FakeServer::start(|number, request| match number {
        0 => Answer::error(503, "SlowDown"),
        1 => Answer::error(500, "InternalError"),
        2 => Answer::error(429, "TooManyRequests"),
        _ => Answer::object(request, b"x", "\"a\""),
    })
    .await;
    assert!(
        storage(&server)
            .get(&output("a"), 9)
            .await
            .unwrap_err()
            .is_transient()
    );
    assert_eq!(retrying(&server).get(&output("a"), 9).await.unwrap().bytes, "x");
}

#[tokio::test]
async fn a_store_that_comes_back_is_found() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let coming = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        FakeServer::listen(listener, |_, request| Answer::object(request, b"x", "\"a\""))
    });
    let away = FakeServer::start(|_, _| Answer::new(200, "")).await;
    let mut config = config(&away);
    config.endpoint = Some(format!("http://{address}").parse().unwrap());
    let storage = S3Storage::new(&config).unwrap();
    let policy = RetryPolicy {
        longest_pause: Duration::from_millis(200),
        ..RetryPolicy::default()
    };
    let storage = Retrying::new(Arc::new(storage), policy);
    assert_eq!(storage.get(&output("a"), 9).await.unwrap().bytes, "x");
    drop(coming.await.unwrap());
}

#[tokio::test]
async fn a_server_that_says_nothing_is_away() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = listener.local_addr().unwrap();
    let server = FakeServer::start(|_, _| Answer::new(200, "")).await;
    let mut config = config(&server);
    config.endpoint = Some(format!("http://{silent}").parse().unwrap());
    config.request_timeout = Duration::from_millis(200);
    let storage = S3Storage::new(&config).unwrap();
    assert!(
        storage
            .get(&output("a"), 9)
            .await
            .unwrap_err()
            .is_transient()
    );
    assert!(
        storage
            .put(&output("a"), content())
            .await
            .unwrap_err()
            .is_transient()
    );
}

#[tokio::test]
async fn a_creator_whose_answer_was_lost_knows_its_work() {
    for (there, expected_ours) in [("ours", true), ("theirs", false)] {
        let server =
            FakeServer::start(move |number, request| match (number, request.method.as_str()) {
                (0, _) => Answer::error(500, "InternalError"),
                (_, "PUT") => Answer::error(412, "PreconditionFailed"),
                _ => Answer::object(request, there.as_bytes(), "\"a\""),
            })
            .await;
        let created = retrying(&server)
            .create(&output("a"), Bytes::from_static(b"ours"))
            .await
            .unwrap();
        assert_eq!(matches!(created, Created::Yes(_)), expected_ours);
    }
}

#[tokio::test]
async fn keys_and_links_are_sent_as_s3_wants_them() {
    let server = FakeServer::start(|_, _| Answer::new(200, "").with("etag", "\"a\"")).await;
    let mut config = config(&server);
    config.public_endpoint = Some("https://s3.example:9000".parse().unwrap());
    let storage = S3Storage::new(&config).unwrap();
    let key = voice("ü +%&?.wav");
    storage.put(&key, content()).await.unwrap();
    let request = server.requests().pop().unwrap();
    assert_eq!(request.target, "/speech/voices/%C3%BC%20%2B%25%26%3F.wav");
    assert_eq!(request.header("content-type"), Some("audio/wav"));
    assert_eq!(request.header("x-amz-security-token"), Some("hidden-token"));
    let url = storage
        .signed_url(&key, &link(Some("a b.wav")))
        .await
        .unwrap();
    assert_eq!(url.host_str(), Some("s3.example"));
    let query = url.query().unwrap();
    assert!(
        query.contains("X-Amz-Expires=600") && query.contains("X-Amz-Security-Token=hidden-token")
    );
    assert!(query.contains("response-content-disposition=attachment"), "{query}");
    for text in [
        format!("{config:?}"),
        format!("{storage:?}"),
        storage.description(),
    ] {
        assert!(!text.contains("hidden") && !text.contains("AKEXAMPLE"), "{text}");
    }
}

/// A server of S3 repeats what was signed; any other server that a job names, whatever it has.
#[tokio::test]
async fn what_a_server_answers_is_not_passed_on() {
    for status in [418, 500] {
        let body = "<Error><Code>Teapot</Code><StringToSign>private</StringToSign></Error>";
        let server = FakeServer::start(move |_, _| Answer::new(status, body)).await;
        let error = storage(&server)
            .put(&output("a"), content())
            .await
            .unwrap_err();
        let line = error.line();
        assert!(!line.contains("private") && line.contains(&status.to_string()), "{line}");
    }
}
