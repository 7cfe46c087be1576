use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use sha2::{Digest, Sha256};

/// The SHA-256 of what was read so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Hasher {
    state: Sha256,
    bytes: u64,
}

impl Hasher {
    pub(super) fn update(&mut self, data: &[u8]) {
        self.state.update(data);
        self.bytes += data.len() as u64;
    }

    /// Reads all that is left; gives the number of bytes.
    pub(super) fn read(&mut self, mut source: impl Read) -> io::Result<u64> {
        let mut buffer = vec![0; 1 << 18];
        loop {
            match source.read(&mut buffer)? {
                0 => return Ok(self.bytes),
                count => self.update(&buffer[..count]),
            }
        }
    }

    /// The digest in lower-case hexadecimal digits.
    pub(super) fn finish(self) -> String {
        self.state
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// The SHA-256 of a file.
pub(super) fn of_file(path: &Path) -> io::Result<String> {
    let mut hasher = Hasher::default();
    hasher.read(File::open(path)?)?;
    Ok(hasher.finish())
}

/// Whether a text can be a SHA-256.
pub(super) fn is_sha256(text: &str) -> bool {
    text.len() == 64
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
