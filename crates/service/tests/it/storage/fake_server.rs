//! A server that answers as a test says: the faults that no real store has to order.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub method: String,
    /// Path and query, as on the wire.
    pub target: String,
    /// The lines of the head, in lower case.
    pub head: String,
    pub body: Vec<u8>,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines();
        let mut fields = lines.filter_map(|line| line.split_once(": "));
        fields
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value)
    }
}

/// What is sent back.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// The connection breaks off after so many bytes of the body.
    pub cut_after: Option<usize>,
}

impl Answer {
    pub(super) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            cut_after: None,
        }
    }

    /// An error as S3 words it.
    pub(super) fn error(status: u16, code: &str) -> Self {
        Self::new(status, format!("<Error><Code>{code}</Code><Message>no</Message></Error>"))
    }

    /// An object, or the part of it that was asked for.
    pub(super) fn object(request: &Request, content: &[u8], etag: &str) -> Self {
        let range = request.header("range").map(|range| {
            let (start, end) = range
                .strip_prefix("bytes=")
                .unwrap()
                .split_once('-')
                .unwrap();
            let end = end
                .parse()
                .map_or(content.len(), |end: usize| (end + 1).min(content.len()));
            start.parse::<usize>().unwrap()..end
        });
        let answer = match range {
            None => Self::new(200, content),
            Some(range) => {
                let shown = format!("bytes {}-{}/{}", range.start, range.end - 1, content.len());
                Self::new(206, &content[range]).with("content-range", &shown)
            }
        };
        answer
            .with("etag", etag)
            .with("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")
    }

    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(super) fn cut_after(mut self, bytes: usize) -> Self {
        self.cut_after = Some(bytes);
        self
    }
}

/// A server on a port of its own, for as long as the test runs.
#[derive(Debug)]
pub(super) struct FakeServer {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl FakeServer {
    /// Answers each request by its number, from 0, and what it is.
    pub(super) async fn start(
        answer: impl Fn(usize, &Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::listen(TcpListener::bind("127.0.0.1:0").await.unwrap(), answer)
    }

    pub(super) fn listen(
        listener: TcpListener,
        answer: impl Fn(usize, &Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (Arc::clone(&requests), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                tokio::spawn(async move {
                    // A client that leaves is part of some tests.
                    serve(connection, &seen, answer.as_ref()).await.ok();
                });
            }
        });
        Self { address, requests }
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(
    mut connection: TcpStream,
    seen: &Mutex<Vec<Request>>,
    answer: &(impl Fn(usize, &Request) -> Answer + Send + Sync),
) -> io::Result<()> {
    let request = read_request(&mut connection).await?;
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(request.clone());
        seen.len() - 1
    };
    let answer = answer(number, &request);
    let mut head = format!("HTTP/1.1 {} x\r\nconnection: close\r\n", answer.status);
    for (name, value) in &answer.headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("content-length: {}\r\n\r\n", answer.body.len());
    connection.write_all(head.as_bytes()).await?;
    if request.method != "HEAD" {
        let end = answer.cut_after.unwrap_or(answer.body.len());
        connection.write_all(&answer.body[..end]).await?;
    }
    connection.shutdown().await
}

async fn read_request(connection: &mut TcpStream) -> io::Result<Request> {
    let mut received = Vec::new();
    let end = loop {
        if let Some(end) = received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end;
        }
        if connection.read_buf(&mut received).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let head = String::from_utf8(received[..end].to_vec()).unwrap();
    let mut words = head.split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let mut request = Request {
        method,
        target,
        head: head.to_ascii_lowercase(),
        body: received.split_off(end + 4),
    };
    let size = request
        .header("content-length")
        .map_or(0, |size| size.parse().unwrap());
    while request.body.len() < size {
        if connection.read_buf(&mut request.body).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(request)
}
