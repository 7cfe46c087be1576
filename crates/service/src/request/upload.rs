//! A request to store a voice, checked.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use serde_json::Value;

use super::fields::{FieldError, Fields};
use super::{ParseOptions, speech};
use crate::storage::VoiceName;

/// A voice to store.
#[derive(Clone, Debug)]
pub struct UploadRequest {
    /// What it is called from now on.
    pub name: VoiceName,
    /// The recording.
    pub recording: Material,
    /// What is said in it.
    pub transcript: Option<Material>,
}

/// Bytes that came with the request, or where to get them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Material {
    /// They came with it.
    Given(Bytes),
    /// They are to be fetched.
    Url(String),
}

impl UploadRequest {
    pub(super) fn read(fields: &Fields<'_>, options: &ParseOptions) -> Result<Self, FieldError> {
        let name = fields.required_text("voice_name", "a name such as `anna.wav`")?;
        let name = speech::named_voice("voice_name", name)?;
        let recording = first(fields, RECORDING, options.max_upload_bytes)?.ok_or_else(|| {
            FieldError::Missing {
                field: "file".to_owned(),
                allowed: "the recording in base64; or give `url_file` with its URL".to_owned(),
            }
        })?;
        let text = fields.text_by_any_name(&["ref_text", "reference_text"])?;
        let text = text.filter(|text| !text.trim().is_empty());
        let file = first(fields, TRANSCRIPT, options.max_upload_bytes)?;
        let transcript = text
            .map(|text| Material::Given(Bytes::copy_from_slice(text.as_bytes())))
            .or(file);
        Ok(Self { name, recording, transcript })
    }
}

/// Names of a field in base64, and names of a field with a URL.
type Names = (&'static [&'static str], &'static [&'static str]);

const RECORDING: Names = (&["file", "voice_file"], &["url_file", "voice_file_url"]);
const TRANSCRIPT: Names = (&["text_file"], &["text_file_url"]);

fn first(
    fields: &Fields<'_>,
    (files, urls): Names,
    max_bytes: usize,
) -> Result<Option<Material>, FieldError> {
    let mut found = None;
    for field in files {
        if let Some(text) = fields.text(field)?.filter(|text| !text.is_empty()) {
            found = found.or(Some(Material::Given(decode(field, text, max_bytes)?)));
        }
    }
    for field in urls {
        if let Some(url) = fields.text(field)?.filter(|url| !url.is_empty()) {
            found = found.or(Some(Material::Url(speech::checked_url(field, url)?)));
        }
    }
    Ok(found)
}

/// Reads base64, also that of a `data:` URL and with line breaks.
fn decode(field: &str, text: &str, max_bytes: usize) -> Result<Bytes, FieldError> {
    let refused = |allowed: String| FieldError::not_allowed(field, &Value::from(text), allowed);
    let text_part = match text.split_once(";base64,") {
        Some((head, data)) if head.starts_with("data:") => data,
        _ => text,
    };
    let dense: Vec<u8> = text_part
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    if dense.len() / 4 > max_bytes.div_ceil(3) {
        return Err(refused(format!("base64 of at most {max_bytes} bytes")));
    }
    BASE64_STANDARD
        .decode(dense)
        .map(Bytes::from)
        .map_err(|error| refused(format!("base64: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_comes_in_several_dresses() {
        let bytes = Bytes::from_static(b"abcd");
        for text in [
            "YWJjZA==",
            "YWJj\r\nZA==\n",
            "data:audio/wav;base64,YWJjZA==",
        ] {
            assert_eq!(decode("file", text, 4), Ok(bytes.clone()));
        }
        let error = decode("file", "YWJj*", 4).unwrap_err().to_string();
        assert!(error.starts_with("`file` is \"YWJj*\", allowed is base64: "), "{error}");
        assert!(decode("file", &"A".repeat(4000), 4).is_err());
    }
}
