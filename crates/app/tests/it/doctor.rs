//! `f5tts doctor`.

use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{Outcome, Sandbox, repository};

/// A bucket on a port where nobody listens.
const NO_BUCKET: [(&str, &str); 5] = [
    ("S3_BUCKET", "speech"),
    ("AWS_ACCESS_KEY_ID", "key"),
    ("AWS_SECRET_ACCESS_KEY", "hush-hush"),
    ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
    ("STARTUP_TIMEOUT", "0"),
];

fn run(sandbox: &Sandbox, arguments: &[&str], environment: &[(&str, &str)]) -> Outcome {
    let mut command = sandbox.command(arguments);
    Outcome::of(command.envs(environment.iter().copied()).output().unwrap())
}

fn check<'a>(diagnosis: &'a Value, name: &str) -> &'a Value {
    let mut checks = diagnosis["checks"].as_array().unwrap().iter();
    checks.find(|check| check["name"] == name).unwrap()
}

#[test]
fn a_fresh_machine_is_in_order() {
    let sandbox = Sandbox::new();
    let table = sandbox.run(&["doctor"]).ok();
    assert!(table.starts_with("CHECK          VERDICT  MS "), "{table}");
    for line in [
        "settings       ok",
        "store          ok",
        "default voice  ok",
        "model          ok",
    ] {
        assert!(table.contains(&format!("\n{line} ")), "{table}");
    }
    let diagnosis = sandbox.run(&["doctor", "--json"]).json(0);
    for check in diagnosis["checks"].as_array().unwrap() {
        // How much space there is left is not the program's doing.
        assert!(check["verdict"] == "ok" || check["name"] == "disk", "{check}");
    }
    assert_eq!(check(&diagnosis, "settings")["value"], "all are defaults");
    assert!(
        check(&diagnosis, "model")["value"]
            .as_str()
            .unwrap()
            .starts_with("demo on cpu")
    );
}

#[test]
fn a_bucket_that_does_not_answer_is_told_at_once_with_what_to_do() {
    let sandbox = Sandbox::new();
    let start = Instant::now();
    let outcome = run(&sandbox, &["doctor", "--json"], &NO_BUCKET);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert!(
        outcome
            .stderr
            .starts_with("error: store: the bucket `speech` at "),
        "{}",
        outcome.stderr
    );
    assert!(!outcome.stderr.contains("hush-hush"));
    let diagnosis = outcome.json(1);
    let store = check(&diagnosis, "store");
    assert_eq!(
        (diagnosis["status"].as_str(), store["verdict"].as_str()),
        (Some("failed"), Some("failed"))
    );
    assert_eq!(
        store["advice"],
        "check AWS_ENDPOINT_URL, the network and whether the store is up"
    );
    assert!(!diagnosis.to_string().contains("hush-hush"), "{diagnosis}");
    for arguments in [
        &["voices", "list"][..],
        &["jobs", "list"],
        &["job", "run", "{\"input\": {}}"],
    ] {
        let message = run(&sandbox, arguments, &NO_BUCKET).error(1);
        assert!(message.contains("check AWS_ENDPOINT_URL"), "{message}");
    }
}

#[test]
fn a_bucket_without_credentials_is_told() {
    let sandbox = Sandbox::new();
    let diagnosis = run(&sandbox, &["doctor", "--json"], &NO_BUCKET[..1]).json(1);
    assert_eq!(
        check(&diagnosis, "store")["value"],
        "S3_BUCKET is `speech`, but AWS_ACCESS_KEY_ID is not set"
    );
}

#[test]
fn settings_models_and_voices_that_cannot_be_used_are_told() {
    let sandbox = Sandbox::new();
    let environment = [
        ("F5TTS_SPEED", "9"),
        ("F5TTS_MODEL", "nonsense"),
        ("F5TTS_DEFAULT_VOICE", "nobody"),
    ];
    let diagnosis = run(&sandbox, &["doctor", "--json"], &environment[..1]).json(1);
    assert!(
        check(&diagnosis, "settings")["value"]
            .as_str()
            .unwrap()
            .contains("speed is 9")
    );
    assert_eq!(check(&diagnosis, "model")["verdict"], "ok");
    let diagnosis = run(&sandbox, &["doctor", "--json"], &environment[1..2]).json(1);
    let model = check(&diagnosis, "model")["value"].as_str().unwrap();
    assert!(model.starts_with("there is no model `nonsense`"), "{model}");
    let diagnosis = run(&sandbox, &["doctor", "--json"], &environment[2..]).json(1);
    let voice = check(&diagnosis, "default voice");
    assert_eq!(voice["advice"], "set F5TTS_DEFAULT_VOICE to one of `f5tts voices list`");
}

/// A server that answers every request in the same way, as long as the test runs.
fn answering(status: &'static str, code: &str, headers: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let body = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
    let answer = format!(
        "HTTP/1.1 {status}\r\n{headers}Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            read_request(&connection);
            connection.write_all(answer.as_bytes()).unwrap();
        }
    });
    url
}

/// Reads all that was sent, so that closing the connection loses no answer.
fn read_request(connection: &TcpStream) {
    let mut reader = BufReader::new(connection);
    let mut body_bytes = 0;
    for line in reader.by_ref().lines().map(Result::unwrap) {
        if line.is_empty() {
            break;
        }
        if let Some(length) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
            body_bytes = length.parse().unwrap();
        }
    }
    io::copy(&mut reader.take(body_bytes), &mut io::sink()).unwrap();
}

/// What docs/operations.md says about a bucket, in the rows of its last table.
fn documented() -> Vec<(String, String, String)> {
    let page = fs::read_to_string(repository().join("docs/operations.md")).unwrap();
    let rows = page
        .lines()
        .skip_while(|line| !line.starts_with("| What is wrong with the bucket |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").collect();
        let [wrong, says, advice] = [0, 1, 2].map(|index| cells[index].trim().replace('`', ""));
        (wrong, says, advice)
    });
    cells.collect()
}

#[test]
fn failures_of_a_bucket_are_told_apart_as_documented() {
    let servers = [
        ("a wrong key", answering("403 Forbidden", "InvalidAccessKeyId", "")),
        ("there is no such bucket", answering("404 Not Found", "NoSuchBucket", "")),
        (
            "the bucket is in another region",
            answering(
                "301 Moved Permanently",
                "PermanentRedirect",
                "x-amz-bucket-region: eu-west-1\r\n",
            ),
        ),
        ("nobody answers at the endpoint", "http://127.0.0.1:9".to_owned()),
        ("a permission is missing", answering("403 Forbidden", "AccessDenied", "")),
    ];
    let documented = documented();
    assert_eq!(documented.len(), servers.len());
    for ((wrong, says, advice), (case, endpoint)) in documented.iter().zip(servers) {
        assert_eq!(wrong, case);
        let mut environment = NO_BUCKET;
        environment[3].1 = &endpoint;
        let diagnosis = run(&Sandbox::new(), &["doctor", "--json"], &environment).json(1);
        let store = check(&diagnosis, "store");
        let value = store["value"].as_str().unwrap().replace('`', "");
        assert!(value.contains(says.as_str()), "{case}: {value}");
        assert_eq!(store["advice"], advice.as_str(), "{case}");
    }
}
