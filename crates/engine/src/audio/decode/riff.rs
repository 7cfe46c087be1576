//! WAV headers, which are often wrong.

use std::time::Duration;

/// What the header of a WAV file says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) channels: u16,
    pub(super) sample_rate_hz: u32,
    bytes_per_second: u32,
    /// Where the samples begin.
    data_begin: usize,
    /// How many bytes of them there are.
    data_size: u32,
    riff_size: u32,
}

/// A WAV file with sizes that fit it.
#[derive(Debug)]
pub(super) struct Repaired {
    pub(super) bytes: Vec<u8>,
    /// The playing time in the header, if there is one.
    pub(super) stated: Option<Duration>,
}

impl Header {
    /// Reads the header; `None` if this is no WAV file, or one without format or samples.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        if !bytes.starts_with(b"RIFF") || bytes.get(8..12)? != b"WAVE" {
            return None;
        }
        let format = find(bytes, *b"fmt ")?;
        let data = find(bytes, *b"data")?;
        Some(Self {
            channels: u16::from_le_bytes(*bytes.get(format.begin + 2..)?.first_chunk()?),
            sample_rate_hz: number(bytes, format.begin + 4)?,
            bytes_per_second: number(bytes, format.begin + 8)?,
            data_begin: data.begin,
            data_size: data.size,
            riff_size: number(bytes, 4)?,
        })
    }

    /// Corrects the sizes in the header, if they are wrong.
    ///
    /// Programs that write to a pipe leave zero or the largest number there; interrupted ones leave
    /// what they meant to write. In either case the samples reach to the end of the file.
    pub(super) fn repair(&self, bytes: &[u8]) -> Option<Repaired> {
        let there = bytes.len() - self.data_begin;
        let size = self.data_size as usize;
        let is_unknown = self.data_size == 0 || self.data_size == u32::MAX;
        let is_within = self.riff_size as usize + 8 >= self.data_begin + size;
        if !is_unknown && size <= there && is_within {
            return None;
        }
        let size = if is_unknown { there } else { there.min(size) };
        // Too large for a WAV file, unless the caller allows more than 4 GiB.
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        let mut bytes = bytes.to_vec();
        bytes[self.data_begin - 4..self.data_begin].copy_from_slice(&size.to_le_bytes());
        bytes[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        let is_known = !is_unknown && self.bytes_per_second > 0;
        let seconds = f64::from(self.data_size) / f64::from(self.bytes_per_second);
        Some(Repaired {
            bytes,
            stated: is_known.then(|| Duration::from_secs_f64(seconds)),
        })
    }
}

struct Chunk {
    /// Where its content begins.
    begin: usize,
    /// How long it says it is.
    size: u32,
}

fn find(bytes: &[u8], name: [u8; 4]) -> Option<Chunk> {
    let mut at: usize = 12;
    loop {
        let size = number(bytes, at + 4)?;
        if bytes[at..].starts_with(&name) {
            return Some(Chunk { begin: at + 8, size });
        }
        // Chunks begin at even places.
        at = at.checked_add(8 + size as usize + (size % 2) as usize)?;
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
