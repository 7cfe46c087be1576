//! What a file is by its first bytes, for messages about files that cannot be decoded.

/// What the first bytes of a file tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A format that can be decoded: if this one cannot, it must be damaged.
    Known(&'static str),
    /// Something else.
    Other(&'static str),
}

/// Where a tag stands, the tag, and what it tells.
const TAGS: &[(usize, &[u8], Kind)] = &[
    (8, b"WAVE", Kind::Known("WAV")),
    (8, b"AIFF", Kind::Known("AIFF")),
    (8, b"AIFC", Kind::Known("AIFF")),
    (0, b"caff", Kind::Known("CAF")),
    (0, b"fLaC", Kind::Known("FLAC")),
    (0, b"ID3", Kind::Known("MP3")),
    (0, b"OggS", Kind::Known("Ogg")),
    (4, b"ftyp", Kind::Known("MP4")),
    (0, b"\x1a\x45\xdf\xa3", Kind::Known("WebM or Matroska")),
    (0, b"#!AMR", Kind::Other("an AMR file")),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Kind::Other("a WMA file")),
    (0, b"wvpk", Kind::Other("a WavPack file")),
    (0, b"MAC ", Kind::Other("a Monkey's Audio file")),
    (0, b"\x0b\x77", Kind::Other("an AC-3 file")),
    (0, b"FLV\x01", Kind::Other("a Flash video")),
    (0, b"PK\x03\x04", Kind::Other("a ZIP archive")),
    (0, b"\x1f\x8b", Kind::Other("a gzip archive")),
    (0, b"%PDF", Kind::Other("a PDF document")),
    (0, b"\x89PNG", Kind::Other("a PNG picture")),
    (0, b"\xff\xd8\xff", Kind::Other("a JPEG picture")),
    (0, b"{", Kind::Other("JSON")),
    (0, b"<?xml", Kind::Other("XML")),
];

/// Names the format of a file that can be decoded, by its first bytes.
pub fn container(bytes: &[u8]) -> Option<&'static str> {
    match (kind(bytes), bytes) {
        (Kind::Known(name), _) => Some(name),
        // MPEG's frames begin with eleven ones; then come two bits each for version and layer.
        (Kind::Other(_), &[0xff, second @ 0xe0..=0xff, ..]) => match (second >> 1) & 0b11 {
            0b00 => Some("AAC"),
            0b01 => Some("MP3"),
            0b10 => Some("MP2"),
            _ => Some("MP1"),
        },
        (Kind::Other(_), _) => None,
    }
}

/// Looks at the first bytes of a file.
pub(super) fn kind(bytes: &[u8]) -> Kind {
    let head = &bytes[..bytes.len().min(512)];
    let text = head.trim_ascii_start().to_ascii_lowercase();
    let is_at = |at: usize, tag: &[u8]| head.get(at..).is_some_and(|rest| rest.starts_with(tag));
    if let Some((_, _, kind)) = TAGS.iter().find(|(at, tag, _)| is_at(*at, tag)) {
        *kind
    } else if bytes.is_empty() {
        Kind::Other("an empty file")
    } else if text.starts_with(b"<!doctype html") || text.starts_with(b"<html") {
        Kind::Other("a web page")
    } else if text
        .iter()
        .all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace())
    {
        Kind::Other("text")
    } else {
        Kind::Other("something else")
    }
}
