//! The fetcher against servers and names that mean harm.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use proptest::prelude::*;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;

const WAV: &[u8] = b"RIFF\x28\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0 and so on";

/// A server on the loopback interface that answers by path and counts its connections.
struct Server {
    port: u16,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let server = Self {
            port,
            connections: connections.clone(),
            requests: requests.clone(),
        };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, requests.clone()));
            }
        });
        server
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn serve(mut stream: TcpStream, requests: Arc<Mutex<Vec<String>>>) {
    let mut bytes = vec![0; 4096];
    let read = stream.read(&mut bytes).await.unwrap_or(0);
    let request = String::from_utf8_lossy(&bytes[..read]).into_owned();
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    requests.lock().unwrap().push(request);
    // The client may leave at any time.
    answer(&mut stream, &path).await.ok();
}

async fn answer(stream: &mut TcpStream, path: &str) -> std::io::Result<()> {
    let whole = |body: &[u8]| {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), body].concat()
    };
    let head =
        |head: &str, body: &[u8]| [b"HTTP/1.1 ", head.as_bytes(), b"\r\n\r\n", body].concat();
    let to =
        |place: &str| head(&format!("302 Found\r\nContent-Length: 0\r\nLocation: {place}"), b"");
    let bytes = match path {
        "/good" => whole(WAV),
        "/empty" => whole(b""),
        "/html" => whole(b"\n <!DOCTYPE html><html><body>Sign in"),
        "/gzip" => whole(b"\x1f\x8b\x08\0\0\0\0\0\0\x03"),
        "/encoded" => {
            head("200 OK\r\nContent-Encoding: br\r\nContent-Length: 4", b"\0\x01\x02\x03")
        }
        "/partial" => head("206 Partial Content\r\nContent-Length: 4", b"RIFF"),
        "/says-much" => head("200 OK\r\nContent-Length: 99999999999", b"RIFF"),
        "/says-more" => head("200 OK\r\nContent-Length: 1000", WAV),
        "/says-less" => head("200 OK\r\nContent-Length: 4", WAV),
        "/says-two" => head("200 OK\r\nContent-Length: 4\r\nContent-Length: 5", WAV),
        "/no-http" => b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
        "/status" => head("500 secret internals\r\nContent-Length: 6", b"secret"),
        "/to-good" => to("/good"),
        "/to-2" => to("/to-good"),
        "/to-3" => to("/to-2"),
        "/to-4" => to("/to-3"),
        "/to-itself" => to("/to-itself"),
        "/to-nowhere" => to("http://["),
        "/to-metadata" => to("http://169.254.169.254/latest/meta-data/"),
        "/to-file" => to("file:///etc/passwd"),
        "/to-port" => to("http://example.com:22/"),
        "/to-user" => to("http://root:secret@example.com/"),
        "/to-internal" => to("http://10.0.0.1/"),
        "/to-nothing" => head("302 Found\r\nContent-Length: 0", b""),
        "/endless" => return endless(stream).await,
        "/slow" => return slow(stream).await,
        "/silent" => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Vec::new()
        }
        _ => head("404 Not Found\r\nContent-Length: 0", b""),
    };
    stream.write_all(&bytes).await?;
    stream.shutdown().await
}

async fn endless(stream: &mut TcpStream) -> std::io::Result<()> {
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head).await?;
    loop {
        stream.write_all(b"400\r\n").await?;
        stream.write_all(&[7; 0x400]).await?;
        stream.write_all(b"\r\n").await?;
    }
}

/// Never silent for long, and never done.
async fn slow(stream: &mut TcpStream) -> std::io::Result<()> {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
    stream.write_all(head).await?;
    loop {
        stream.write_all(b"R").await?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Names with answers of their own: the last one stays.
#[derive(Debug, Default)]
struct FakeNames {
    answers: Vec<(&'static str, Vec<Vec<IpAddr>>)>,
    asked: AtomicUsize,
}

#[async_trait]
impl Names for FakeNames {
    async fn look_up(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
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
    for (path, at_least, at_most) in [("/silent", 0.25, 0.8), ("/slow", 0.85, 1.5)] {
        let begin = Instant::now();
        assert_eq!(reason(&fetcher, &server.url(path)).await, Reason::Timeout, "{path}");
        let seconds = begin.elapsed().as_secs_f64();
        assert!((at_least..at_most).contains(&seconds), "{path}: {seconds} s");
    }
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

/// The ways to write an IPv4 address that URLs know.
fn spellings_v4(address: Ipv4Addr) -> Vec<String> {
    let [a, b, c, d] = address.octets();
    let bits = address.to_bits();
    let rest = bits & 0xff_ffff;
    let mapped = address.to_ipv6_mapped();
    let (high, low) = (bits >> 16, bits & 0xffff);
    vec![
        format!("{a}.{b}.{c}.{d}"),
        format!("{a}.{b}.{c}.{d}."),
        format!("{bits}"),
        format!("0x{bits:x}"),
        format!("0X{bits:08X}"),
        format!("0{bits:o}"),
        format!("{a}.{rest}"),
        format!("{a}.{b}.{}", bits & 0xffff),
        format!("0{a:o}.0x{b:x}.{c}.0{d:o}"),
        format!("{a}。{b}．{c}.{d}"),
        format!("{a}.{b}.{c}.{d}")
            .replace('1', "１")
            .replace('2', "②"),
        format!("{a}%2E{b}.{c}.{d}"),
        format!("[{mapped}]"),
        format!("[::ffff:{high:x}:{low:x}]"),
        format!("[64:ff9b::{high:x}:{low:x}]"),
        format!("[2002:{high:x}:{low:x}::1]"),
    ]
}

fn spellings_v6(address: Ipv6Addr) -> Vec<String> {
    let full: Vec<String> = address
        .segments()
        .iter()
        .map(|segment| format!("{segment:04X}"))
        .collect();
    vec![format!("[{address}]"), format!("[{}]", full.join(":"))]
}

fn ipv4() -> impl Strategy<Value = Ipv4Addr> {
    // The first octet decides nearly everything, so half of the cases begin as internal ones do.
    let internal =
        prop::sample::select(vec![0_u8, 10, 100, 127, 169, 172, 192, 198, 203, 224, 255]);
    prop_oneof![
        any::<u32>().prop_map(Ipv4Addr::from),
        (internal, any::<[u8; 3]>()).prop_map(|(a, [b, c, d])| Ipv4Addr::new(a, b, c, d)),
    ]
}

/// Whether the rules let a URL through to its own literal address.
fn is_reachable(rules: &Rules, url: &str) -> Option<IpAddr> {
    let url = rules.read(url).ok()?;
    let target = rules.target(&url).unwrap();
    target
        .literal()
        .filter(|&address| rules.permit(&target, address))
}

proptest! {
    #[test]
    fn an_ipv4_address_is_reached_only_if_public(address in ipv4()) {
        let rules = rules(&[]);
        let is_public = classify(address.into()) == Reach::Public;
        for host in spellings_v4(address) {
            let reached = is_reachable(&rules, &format!("http://{host}/"));
            prop_assert_eq!(reached.is_some(), is_public, "{}", host);
        }
    }

    #[test]
    fn an_ipv6_address_is_reached_only_if_public(bits: u128) {
        let rules = rules(&[]);
        // Shifted right, the front is zero, as in mapped and compatible addresses.
        for bits in [bits, bits >> 80, bits >> 96, bits | 0x2000 << 112] {
            let address = Ipv6Addr::from(bits);
            let is_public = classify(address.into()) == Reach::Public;
            for host in spellings_v6(address) {
                let reached = is_reachable(&rules, &format!("http://{host}/"));
                prop_assert_eq!(reached.is_some(), is_public, "{}", host);
            }
        }
    }

    #[test]
    fn whatever_passes_is_a_public_web_address(url in "(https?|ftp|file|HTTP):/{0,3}[a-z0-9.:@%/\\\\\\[\\]①。\t -]{0,30}") {
        let rules = rules(&[]);
        if let Some(address) = is_reachable(&rules, &url) {
            prop_assert_eq!(classify(address), Reach::Public);
        }
        if let Ok(read) = rules.read(&url) {
            prop_assert!(matches!(read.scheme(), "http" | "https"));
            prop_assert!(matches!(read.port_or_known_default(), Some(80 | 443)));
            prop_assert!(read.username().is_empty() && read.password().is_none());
        }
    }

    #[test]
    fn no_bytes_upset_the_look_at_content(bytes: Vec<u8>) {
        content::foreign(&bytes);
    }
}
