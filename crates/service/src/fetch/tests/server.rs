//! A server that does to its clients what servers should not.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

pub(super) const WAV: &[u8] = b"RIFF\x28\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0 and so on";

/// A server on the loopback interface that answers by path and counts its connections.
pub(super) struct Server {
    pub(super) port: u16,
    connections: Arc<AtomicUsize>,
    pub(super) requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(super) async fn start() -> Self {
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

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(super) fn connections(&self) -> usize {
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
        "/slow-head" => return repeat(stream, b"a: b\r\n", Duration::from_millis(20)).await,
        "/long-head" => return repeat(stream, &b"a: b\r\n".repeat(200), Duration::ZERO).await,
        "/long-line" => return repeat(stream, &[b'a'; 4096], Duration::ZERO).await,
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

/// A head that never ends.
async fn repeat(stream: &mut TcpStream, bytes: &[u8], pause: Duration) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
    loop {
        stream.write_all(bytes).await?;
        tokio::time::sleep(pause).await;
    }
}
