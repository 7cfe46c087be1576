//! The fetcher against servers and names that mean harm.

mod addresses;
mod server;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use tokio::net::TcpListener;

use super::*;
use server::{Server, WAV};

/// Names with answers of their own: the last one stays.
#[derive(Debug, Default)]
struct FakeNames {
    answers: Vec<(&'static str, Vec<Vec<IpAddr>>)>,
    asked: AtomicUsize,
}

#[async_trait]
impl Names for FakeNames {
    async fn look_up(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if name == "slow.test" {
            std::future::pending::<()>().await;
        }
        let turn = self.asked.fetch_add(1, Ordering::SeqCst);
        let known = self.answers.iter().find(|(known, _)| *known == name);
        let (_, answers) = known.ok_or(io::ErrorKind::NotFound)?;
        let answer = &answers[turn.min(answers.len() - 1)];
        Ok(answer.iter().map(|&ip| SocketAddr::new(ip, port)).collect())
    }
}

const LIMITS: Limits = Limits {
    bytes: 8 << 10,
    redirects: 3,
    connect: Duration::from_millis(500),
    read: Duration::from_millis(300),
    total: Duration::from_millis(900),
};

fn rules(allowed: &[&str]) -> Rules {
    Rules {
        allow_http: true,
        allowed: allowed.iter().map(|entry| entry.parse().unwrap()).collect(),
    }
}

fn fetcher(rules: Rules, names: FakeNames) -> Fetcher {
    Fetcher::with_names(rules, LIMITS, Arc::new(names)).unwrap()
}

/// A fetcher that may reach one port of the loopback interface, by its address.
fn fetcher_of(server: &Server) -> Fetcher {
    let entry = format!("127.0.0.1:{}", server.port);
    fetcher(rules(&[&entry]), FakeNames::default())
}

async fn reason(fetcher: &Fetcher, url: &str) -> Reason {
    fetcher.fetch(url).await.unwrap_err().reason()
}

#[tokio::test]
async fn what_a_server_sends_arrives() {
    let server = Server::start().await;
    let fetcher = fetcher_of(&server);
    assert_eq!(fetcher.fetch(&server.url("/good")).await.unwrap(), WAV);
    assert_eq!(fetcher.fetch(&server.url("/empty")).await.unwrap(), b""[..]);
    assert_eq!(fetcher.fetch(&server.url("/says-less")).await.unwrap(), WAV[..4]);
    let requests = server.requests.lock().unwrap();
    let request = requests[0].to_lowercase();
    assert!(request.contains("accept-encoding: identity"), "{request}");
    assert!(!request.contains("cookie") && !request.contains("referer"), "{request}");
}

#[test]
fn no_proxy_of_the_environment_is_asked() {
    // A proxy would look names up by itself. The test above once more, where one is named.
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let url = format!("http://{}", proxy.local_addr().unwrap());
    let mut test = Command::new(std::env::current_exe().unwrap());
    test.args(["--exact", "fetch::tests::what_a_server_sends_arrives"]);
    for name in [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ] {
        test.env(name, &url);
    }
    let output = test
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("1 passed"), "{text}");
    assert!(proxy.accept().is_err(), "the proxy got a connection");
}

#[tokio::test]
async fn bad_servers_are_given_up() {
    let server = Server::start().await;
    let fetcher = fetcher_of(&server);
    let too_large = Reason::TooLarge { limit: LIMITS.bytes };
    for (path, expected) in [
        ("/html", Reason::Content { found: "a web page" }),
        ("/gzip", Reason::Content { found: "a gzip archive" }),
        ("/encoded", Reason::Compressed),
        ("/partial", Reason::Status { status: 206 }),
        ("/says-much", too_large),
        ("/endless", too_large),
        ("/says-more", Reason::Interrupted),
        ("/says-two", Reason::Connection),
        ("/no-http", Reason::Connection),
        ("/long-head", Reason::Connection),
        ("/long-line", Reason::Connection),
        ("/status", Reason::Status { status: 500 }),
        ("/missing", Reason::Status { status: 404 }),
    ] {
        assert_eq!(reason(&fetcher, &server.url(path)).await, expected, "{path}");
    }
}

#[tokio::test]
async fn slow_servers_are_given_up_in_time() {
    let server = Server::start().await;
    let fetcher = fetcher_of(&server);
    for (path, at_least, at_most) in [
        ("/silent", 0.25, 0.8),
        ("/slow", 0.85, 1.5),
        ("/slow-head", 0.25, 1.5),
    ] {
        let begin = Instant::now();
        assert_eq!(reason(&fetcher, &server.url(path)).await, Reason::Timeout, "{path}");
        let seconds = begin.elapsed().as_secs_f64();
        assert!((at_least..at_most).contains(&seconds), "{path}: {seconds} s");
    }
}

#[tokio::test]
async fn a_slow_look_up_counts_as_well() {
    let fetcher = fetcher(rules(&[]), FakeNames::default());
    assert_eq!(reason(&fetcher, "http://slow.test/").await, Reason::Timeout);
}

#[tokio::test]
async fn redirects_are_followed_thrice_and_checked_each_time() {
    let server = Server::start().await;
    let fetcher = fetcher_of(&server);
    assert_eq!(fetcher.fetch(&server.url("/to-3")).await.unwrap(), WAV);
    for (path, expected) in [
        ("/to-4", Reason::TooManyRedirects { limit: 3 }),
        ("/to-itself", Reason::TooManyRedirects { limit: 3 }),
        ("/to-nowhere", Reason::BadRedirect),
        ("/to-nothing", Reason::BadRedirect),
        ("/to-metadata", Reason::NoPublicAddress),
        ("/to-internal", Reason::NoPublicAddress),
        ("/to-file", Reason::Scheme { http_allowed: true }),
        ("/to-port", Reason::Port { port: 22 }),
        ("/to-user", Reason::Credentials),
    ] {
        let error = fetcher.fetch(&server.url(path)).await.unwrap_err();
        assert_eq!(error.reason(), expected, "{path}");
        let text = error.to_string();
        assert!(text.ends_with("(after a redirect)"), "{text}");
        let told = ["secret", "169.254", "10.0.0", "example.com", "passwd"];
        assert!(!told.iter().any(|told| text.contains(told)), "{text}");
    }
}

#[test]
fn a_redirect_keeps_encryption() {
    let rules = rules(&[]);
    let from = Url::parse("https://example.com/a").unwrap();
    assert_eq!(rules.follow(&from, "http://example.com/"), Err(Reason::Downgrade));
    assert_eq!(
        rules.follow(&from, "//example.org/b").unwrap().as_str(),
        "https://example.org/b"
    );
    let long = format!("/{}", "a".repeat(9000));
    assert_eq!(rules.follow(&from, &long), Err(Reason::BadRedirect));
}

#[test]
fn only_web_urls_are_read() {
    let strict = Rules::default();
    for (url, expected) in [
        ("", Reason::NotAUrl),
        ("voice.wav", Reason::NotAUrl),
        ("https://", Reason::NotAUrl),
        ("http://example.com/", Reason::Scheme { http_allowed: false }),
        ("file:///etc/passwd", Reason::Scheme { http_allowed: false }),
        ("ftp://example.com/", Reason::Scheme { http_allowed: false }),
        ("gopher://example.com/", Reason::Scheme { http_allowed: false }),
        ("data:audio/wav;base64,UklGRg==", Reason::Scheme { http_allowed: false }),
        ("https://user@example.com/", Reason::Credentials),
        ("https://:password@example.com/", Reason::Credentials),
        ("https://example.com@127.0.0.1/", Reason::Credentials),
        ("https://example.com:22/", Reason::Port { port: 22 }),
        ("https://example.com:0/", Reason::Port { port: 0 }),
    ] {
        assert_eq!(strict.read(url), Err(expected), "{url}");
    }
    for url in [
        "https://example.com/a?b=c",
        "https://example.com:80/",
        "HTTPS://EXAMPLE.COM./",
    ] {
        strict.read(url).unwrap();
    }
    let long = format!("https://example.com/{}", "a".repeat(9000));
    assert_eq!(strict.read(&long), Err(Reason::NotAUrl));
}

#[tokio::test]
async fn https_to_a_server_without_it_fails_as_such() {
    let server = Server::start().await;
    let fetcher = fetcher_of(&server);
    let url = server.url("/good").replace("http:", "https:");
    assert_eq!(reason(&fetcher, &url).await, Reason::Tls);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_from_a_forbidden_one() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    let fetcher = fetcher(rules(&[&format!("127.0.0.1:{port}")]), FakeNames::default());
    let error = fetcher
        .fetch(&format!("http://127.0.0.1:{port}/"))
        .await
        .unwrap_err();
    assert_eq!(error.reason(), Reason::Connection);
    assert!(error.is_transient());
}

#[tokio::test]
async fn no_spelling_of_a_loopback_address_gets_a_connection() {
    let server = Server::start().await;
    // The port is open, for another network.
    let fetcher = fetcher(rules(&[&format!("10.0.0.0/8:{}", server.port)]), FakeNames::default());
    let hosts = [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "017700000001",
        "127.0.0.1.",
        "127.0.0.1。",
        "①②⑦.0.0.1",
        "１２７.0.0.1",
        "127%2e0.0.1",
        "0",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
    ];
    for host in hosts {
        let url = format!("http://{host}:{}/good", server.port);
        assert_eq!(reason(&fetcher, &url).await, Reason::NoPublicAddress, "{host}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_name_needs_public_addresses_only() {
    let public = IpAddr::from([93, 184, 215, 14]);
    let internal = [
        IpAddr::from([127, 0, 0, 1]),
        IpAddr::from([10, 0, 0, 1]),
        IpAddr::from([169, 254, 169, 254]),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
        IpAddr::V6(Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped()),
    ];
    for address in internal {
        for answer in [vec![address], vec![public, address], vec![address, public]] {
            let names = FakeNames {
                answers: vec![("evil.test", vec![answer])],
                ..FakeNames::default()
            };
            let fetcher = fetcher(rules(&[]), names);
            assert_eq!(reason(&fetcher, "http://evil.test/").await, Reason::NoPublicAddress);
        }
    }
    let names = FakeNames {
        answers: vec![("empty.test", vec![vec![]])],
        ..FakeNames::default()
    };
    let fetcher = fetcher(rules(&[]), names);
    for url in ["http://empty.test/", "http://unknown.test/"] {
        assert_eq!(reason(&fetcher, url).await, Reason::NoPublicAddress);
    }
}

#[tokio::test]
async fn the_connection_goes_to_the_address_that_was_checked() {
    let checked = Server::start().await;
    // The second answer would lead elsewhere, but nobody asks twice.
    let answers = vec![
        vec![IpAddr::from([127, 0, 0, 1])],
        vec![IpAddr::from([127, 0, 0, 2])],
    ];
    let names = Arc::new(FakeNames {
        answers: vec![("rebind.test", answers)],
        ..FakeNames::default()
    });
    let elsewhere = TcpListener::bind(("127.0.0.2", checked.port))
        .await
        .unwrap();
    let rules = rules(&[&format!("127.0.0.1:{}", checked.port)]);
    let fetcher = Fetcher::with_names(rules, LIMITS, names.clone()).unwrap();
    let url = format!("http://rebind.test:{}/good", checked.port);
    assert_eq!(fetcher.fetch(&url).await.unwrap(), WAV);
    assert_eq!(names.asked.load(Ordering::SeqCst), 1);
    // A later fetch asks anew and refuses the new address.
    assert_eq!(reason(&fetcher, &url).await, Reason::NoPublicAddress);
    let waiting = tokio::time::timeout(Duration::from_millis(50), elsewhere.accept()).await;
    assert!(waiting.is_err(), "the other address got a connection");
}

#[tokio::test]
async fn the_operators_list_opens_just_what_it_names() {
    let server = Server::start().await;
    let loopback = || FakeNames {
        answers: vec![("store.corp", vec![vec![IpAddr::from([127, 0, 0, 1])]])],
        ..FakeNames::default()
    };
    let (port, other) = (server.port, server.port - 1);
    for (entry, host, is_open) in [
        (format!("store.corp:{port}"), "store.corp", true),
        (format!("STORE.corp.:{port}"), "Store.Corp.", false), // The fake knows no final dot.
        (format!("store.corp:{port}"), "127.0.0.1", false),
        (format!("127.0.0.0/8:{port}"), "store.corp", true),
        (format!("127.0.0.0/8:{port}"), "[::ffff:127.0.0.1]", true),
        (format!("corp:{port}"), "store.corp", false),
        ("store.corp".to_owned(), "store.corp", false),
        (format!("store.corp:{other}"), "store.corp", false),
        (format!("[::1]:{port}"), "127.0.0.1", false),
    ] {
        let fetcher = fetcher(rules(&[&entry]), loopback());
        let fetched = fetcher.fetch(&format!("http://{host}:{port}/good")).await;
        assert_eq!(fetched.is_ok(), is_open, "{entry} {host}: {fetched:?}");
    }
}

#[test]
fn no_list_opens_a_metadata_service() {
    let rules = rules(&["0.0.0.0/0", "::/0", "metadata.test"]);
    let addresses = [
        "169.254.169.254",
        "100.100.100.200",
        "168.63.129.16",
        "fd00:ec2::254",
        "fe80::1",
    ];
    let url = Url::parse("http://metadata.test/").unwrap();
    let target = rules.target(&url).unwrap();
    for address in addresses {
        assert!(!rules.permit(&target, address.parse().unwrap()), "{address}");
    }
    assert!(rules.permit(&target, IpAddr::from([10, 0, 0, 1])));
}

#[test]
fn entries_of_the_list_are_hosts_or_networks() {
    for entry in [
        "",
        ":80",
        "a:b",
        "a:0",
        "a:65536",
        "10.0.0.0/33",
        "http://a",
        "a/8",
        "*.corp/",
        "a b",
        "[::1",
        "10.0.0.0/8/",
    ] {
        let error = entry.parse::<Allowed>().unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with(&format!("`{entry}` is no host")),
            "{error}"
        );
    }
    for entry in [
        "a",
        "a.b:1",
        "10.0.0.1",
        "10.0.0.1:9",
        "10.0.0.0/8",
        "fd00::/8",
        "::1",
        "[::1]",
        "[fd00::/8]:9000",
    ] {
        entry.parse::<Allowed>().unwrap();
    }
}

#[tokio::test]
async fn errors_give_nothing_away() {
    let strict = Fetcher::new(Rules::default(), LIMITS).unwrap();
    for url in [
        "https://user:secret@example.com/secret?token=secret#secret",
        "https://example.com:99/secret?token=secret",
        "ftp://secret:secret@example.com/secret",
        "https://secret secret/",
        "https://127.0.0.1/secret?token=secret",
    ] {
        let error = strict.fetch(url).await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(!text.contains("secret"), "{text}");
        assert!(error.to_string().starts_with("could not fetch "), "{text}");
    }
    let error = strict.fetch("https://example.com:99/a").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "could not fetch `https://example.com/…`: port 99 is not allowed, only 80 and 443 are"
    );
}
