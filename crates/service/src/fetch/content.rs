//! What must not be taken for a recording or a transcript, by its first bytes.

/// Files that servers send instead of what was asked for, or that would have to be unpacked.
const FOREIGN: &[(&[u8], &str)] = &[
    (b"\x1f\x8b", "a gzip archive"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"\xfd7zXZ\0", "an XZ archive"),
    (b"BZh", "a bzip2 archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"%PDF-", "a PDF document"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"\x7fELF", "a program"),
];

/// Markup, in lower case, after any white space.
const MARKUP: &[(&[u8], &str)] = &[
    (b"<!doctype", "a web page"),
    (b"<html", "a web page"),
    (b"<head", "a web page"),
    (b"<body", "a web page"),
    (b"<script", "a web page"),
    (b"<!--", "a web page"),
    (b"<?xml", "an XML document"),
    (b"<svg", "a picture"),
];

/// How many bytes [`foreign`] looks at.
pub(super) const HEAD_BYTES: usize = 512;

/// Names the content if it can be neither a recording nor plain text.
///
/// Whatever passes is checked by decoding it; the server's `Content-Type` counts for nothing.
pub(super) fn foreign(bytes: &[u8]) -> Option<&'static str> {
    let head = &bytes[..bytes.len().min(HEAD_BYTES)];
    let is_foreign = |(tag, _): &&(&[u8], &str)| head.starts_with(tag);
    if let Some((_, name)) = FOREIGN.iter().find(is_foreign) {
        return Some(name);
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let text = text.trim_ascii_start().to_ascii_lowercase();
    let is_markup = |(tag, _): &&(&[u8], &str)| text.starts_with(tag);
    MARKUP.iter().find(is_markup).map(|(_, name)| *name)
}
