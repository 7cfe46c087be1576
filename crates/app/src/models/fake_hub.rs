//! A hub of one repository on this machine, which can be as bad as networks are.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// What the hub does wrong.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    /// How many bytes of a file each connection gives before it breaks, first to last.
    pub(super) cuts: Vec<usize>,
    /// Whether it always sends files from their beginning.
    pub(super) cannot_resume: bool,
    /// Whether a bit of each file is turned on the way.
    pub(super) damages: bool,
    /// What it answers instead of a file.
    pub(super) status: Option<u16>,
    /// What it says in place of the entity tag.
    pub(super) etag: Option<&'static str>,
    /// Whether the repository has another name by now.
    pub(super) is_renamed: bool,
}

/// A request that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) line: String,
    pub(super) range: Option<String>,
    pub(super) authorization: Option<String>,
}

#[derive(Debug)]
struct State {
    etag: String,
    content: Vec<u8>,
    faults: Mutex<Faults>,
    requests: Mutex<Vec<Request>>,
    port: u16,
}

/// A running hub. It ends with the process.
#[derive(Debug)]
pub(super) struct FakeHub {
    state: Arc<State>,
}

impl FakeHub {
    /// Serves every path with this content. Large files come from `/content`, under another host name.
    pub(super) fn start(content: &[u8], etag: &str, faults: Faults) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let state = Arc::new(State {
            etag: etag.to_owned(),
            content: content.to_vec(),
            faults: Mutex::new(faults),
            requests: Mutex::default(),
            port: listener.local_addr().unwrap().port(),
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for connection in listener.incoming() {
                // A client that went away is no fault of the hub's.
                serve(&shared, &connection.unwrap()).ok();
            }
        });
        Self { state }
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.state.port)
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.state.requests.lock().unwrap().clone()
    }

    /// Repairs or breaks the hub.
    pub(super) fn set(&self, faults: Faults) {
        *self.state.faults.lock().unwrap() = faults;
    }
}

fn serve(state: &State, stream: &TcpStream) -> std::io::Result<()> {
    let request = read(stream)?;
    state.requests.lock().unwrap().push(request.clone());
    let mut words = request.line.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let (faults, cut) = {
        let mut faults = state.faults.lock().unwrap();
        let cut = if method == "GET" && path.starts_with("/content") && !faults.cuts.is_empty() {
            Some(faults.cuts.remove(0))
        } else {
            None
        };
        (faults.clone(), cut)
    };
    let mut out = stream;
    if let Some(status) = faults.status {
        return write!(
            out,
            "HTTP/1.1 {status} No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
    }
    if faults.is_renamed && path.starts_with("/org/") {
        let place = path.replacen("/org/", "/new/", 1);
        return write!(
            out,
            "HTTP/1.1 307 Moved\r\nlocation: {place}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
    }
    if !path.starts_with("/content") {
        let (etag, size) = (faults.etag.unwrap_or(&state.etag), state.content.len());
        let place = format!("http://localhost:{}/content", state.port);
        return write!(
            out,
            "HTTP/1.1 302 Found\r\nlocation: {place}\r\nx-linked-etag: \"{etag}\"\r\nx-linked-size: {size}\r\n\
             x-repo-commit: 0123456789abcdef\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
    }
    let mut content = state.content.clone();
    if faults.damages {
        content[0] ^= 1;
    }
    let asked = request
        .range
        .as_deref()
        .and_then(|range| range.strip_prefix("bytes="));
    let start = asked.and_then(|range| range.strip_suffix('-')?.parse().ok());
    let start = start.filter(|_| !faults.cannot_resume);
    let (status, from) = start.map_or(("200 OK", 0), |start| ("206 Partial Content", start));
    let size = content.len();
    write!(
        out,
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\ncontent-range: bytes {from}-{}/{size}\r\nconnection: close\r\n\r\n",
        size - from,
        size - 1
    )?;
    let end = cut.map_or(size, |cut| size.min(from + cut));
    out.write_all(&content[from..end])
}

fn read(stream: &TcpStream) -> std::io::Result<Request> {
    let mut lines = BufReader::new(stream).lines();
    let line = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let mut request = Request { line, range: None, authorization: None };
    for header in lines {
        let header = header?;
        match header.split_once(": ") {
            None => break,
            Some((name, value)) if name.eq_ignore_ascii_case("range") => {
                request.range = Some(value.to_owned());
            }
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => {
                request.authorization = Some(value.to_owned());
            }
            Some(_) => {}
        }
    }
    Ok(request)
}
