//! Names that come from outside and become part of a key, checked once.

use std::{fmt, ops::RangeInclusive};

use sha2::{Digest, Sha256};

/// Characters in the name of a voice.
const VOICE_NAME_CHARACTERS: RangeInclusive<usize> = 1..=128;
/// Characters in the identifier of a job, a writer or a probe.
const IDENTIFIER_CHARACTERS: RangeInclusive<usize> = 1..=128;
/// Characters in the path of a file of a model.
const FILE_PATH_CHARACTERS: RangeInclusive<usize> = 1..=512;
/// Characters of an extension: more is part of the name.
const MAX_EXTENSION_CHARACTERS: usize = 5;

/// A name that breaks the rules of its field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` is `{value}`, {problem}; allowed is {allowed}")]
pub struct NameError {
    field: &'static str,
    value: String,
    problem: &'static str,
    allowed: &'static str,
}

impl NameError {
    /// The field of the request that has the wrong value.
    pub const fn field(&self) -> &'static str {
        self.field
    }
}

/// What a field may hold, for its errors.
struct Field {
    name: &'static str,
    allowed: &'static str,
}

impl Field {
    fn refuse(&self, value: &str, problem: &'static str) -> NameError {
        // A message is for reading: of a huge or unprintable value, its beginning does.
        let mut shown: String = value
            .chars()
            .take(80)
            .flat_map(char::escape_debug)
            .collect();
        if value.chars().nth(80).is_some() {
            shown.push('…');
        }
        NameError {
            field: self.name,
            value: shown,
            problem,
            allowed: self.allowed,
        }
    }
}

/// The name under which a voice is stored and asked for.
///
/// It keeps what was given, as Unicode. [`VoiceName::stored`] is the name of a new voice,
/// [`VoiceName::candidates`] are those to look for.
///
/// Invariant: 1 to 128 characters without `/`, `\` and control characters, no leading dot, and no
/// ending that belongs to a transcript or a report.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VoiceName(String);

impl VoiceName {
    const FIELD: Field = Field {
        name: "voice_name",
        allowed: "1 to 128 characters without `/`, `\\` and control characters, not beginning \
                  with a dot, not ending in `.txt` or `.json`",
    };

    /// The name as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name that a new voice gets: with `.wav` where there was no extension.
    #[must_use]
    pub fn stored(&self) -> Self {
        match extension(&self.0) {
            Some(_) => self.clone(),
            None => Self(format!("{}.wav", self.0)),
        }
    }

    /// The names that may be meant, the likelier one first: as given, then with `.wav`.
    pub fn candidates(&self) -> impl Iterator<Item = Self> + use<> {
        let stored = self.stored();
        let other = (stored != *self).then_some(stored);
        [self.clone()].into_iter().chain(other)
    }

    /// The name without its extension: what the transcript and the report are called.
    pub fn stem(&self) -> &str {
        let extension = extension(&self.0).map_or(0, |extension| extension.len() + 1);
        &self.0[..self.0.len() - extension]
    }

    /// The ending behind the last dot, if it can be one of a file.
    pub fn extension(&self) -> Option<&str> {
        extension(&self.0)
    }
}

impl fmt::Display for VoiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<&str> for VoiceName {
    type Error = NameError;

    fn try_from(name: &str) -> Result<Self, NameError> {
        let refuse = |problem| Err(Self::FIELD.refuse(name, problem));
        if name.is_empty() {
            return refuse("which is empty");
        }
        if name.chars().nth(*VOICE_NAME_CHARACTERS.end()).is_some() {
            return refuse("which is too long");
        }
        if name.starts_with('.') {
            return refuse("which begins with a dot");
        }
        if name.contains(['/', '\\']) {
            return refuse("which looks like a path");
        }
        if name.contains(char::is_control) {
            return refuse("which has a control character");
        }
        let reserved = ["txt", "json"];
        if extension(name)
            .is_some_and(|found| reserved.iter().any(|r| found.eq_ignore_ascii_case(r)))
        {
            return refuse("which is that of a transcript or a report");
        }
        Ok(Self(name.to_owned()))
    }
}

/// The ending behind the last dot: short, of ASCII letters and digits, and no number.
fn extension(name: &str) -> Option<&str> {
    let (stem, extension) = name.rsplit_once('.')?;
    let is_extension = !stem.is_empty()
        && extension.len() <= MAX_EXTENSION_CHARACTERS
        && extension.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && extension.bytes().any(|byte| byte.is_ascii_alphabetic());
    is_extension.then_some(extension)
}

/// The identifier of a job, ours or RunPod's.
///
/// Invariant: 1 to 128 of `A–Z a–z 0–9 _ . -`, not beginning with a dot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(String);

impl JobId {
    const FIELD: Field = identifier_field("job_id");

    /// The identifier as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<&str> for JobId {
    type Error = NameError;

    fn try_from(id: &str) -> Result<Self, NameError> {
        check_identifier(&Self::FIELD, id).map(Self)
    }
}

/// Who wrote an object, where the store cannot keep two writers from the same key.
///
/// Invariant: 1 to 128 of `A–Z a–z 0–9 _ -`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WriterId(String);

impl WriterId {
    const FIELD: Field = identifier_field("writer");

    /// The identifier as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WriterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<&str> for WriterId {
    type Error = NameError;

    fn try_from(id: &str) -> Result<Self, NameError> {
        if id.contains('.') {
            return Err(Self::FIELD.refuse(id, "which has a dot"));
        }
        check_identifier(&Self::FIELD, id).map(Self)
    }
}

const fn identifier_field(name: &'static str) -> Field {
    Field {
        name,
        allowed: "1 to 128 letters of ASCII, digits, `_`, `.` and `-`, not beginning with a dot",
    }
}

fn check_identifier(field: &Field, id: &str) -> Result<String, NameError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    if id.is_empty() {
        return Err(field.refuse(id, "which is empty"));
    }
    if id.len() > *IDENTIFIER_CHARACTERS.end() {
        return Err(field.refuse(id, "which is too long"));
    }
    if id.starts_with('.') {
        return Err(field.refuse(id, "which begins with a dot"));
    }
    if !id.bytes().all(allowed) {
        return Err(field.refuse(id, "which has another character"));
    }
    Ok(id.to_owned())
}

/// The digest that stands for a caller's idempotency key, which may be any text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IdempotencyHash(String);

impl IdempotencyHash {
    /// The digest of a key: equal for equal keys, and it tells nothing about them.
    pub fn of(key: &str) -> Self {
        Self(hexadecimal(&Sha256::digest(key.as_bytes())))
    }

    /// The digest that is written so, as in a key.
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 64 && text.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }

    /// 64 hexadecimal digits in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Bytes as hexadecimal digits in lower case.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            write!(text, "{byte:02x}").expect("writing to a string does not fail");
            text
        })
}

/// A repository of models as the hub names it: `ORGANISATION/NAME`.
///
/// Invariant: two parts of `A–Z a–z 0–9 _ . -`, none beginning with a dot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Repository {
    organisation: String,
    name: String,
}

impl Repository {
    const FIELD: Field = Field {
        name: "model",
        allowed: "`ORGANISATION/NAME`, both of ASCII letters, digits, `_`, `.` and `-`",
    };

    /// The directory of its files: `ORGANISATION--NAME`.
    pub fn directory(&self) -> String {
        format!("{}--{}", self.organisation, self.name)
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.organisation, self.name)
    }
}

impl TryFrom<&str> for Repository {
    type Error = NameError;

    fn try_from(text: &str) -> Result<Self, NameError> {
        let Some((organisation, name)) = text.split_once('/') else {
            return Err(Self::FIELD.refuse(text, "which has no `/`"));
        };
        let part = |part| {
            check_identifier(&Self::FIELD, part)
                .map_err(|error| Self::FIELD.refuse(text, error.problem))
        };
        Ok(Self { organisation: part(organisation)?, name: part(name)? })
    }
}

/// The place of a file within a repository, such as `F5TTS_v1_Base/model.safetensors`.
///
/// Invariant: 1 to 512 characters; parts between `/` that are neither empty nor begin with a dot, without `\`
/// and control characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FilePath(String);

impl FilePath {
    const FIELD: Field = Field {
        name: "file",
        allowed: "1 to 512 characters: names between `/` without `\\` and control characters, \
                  none of them empty or beginning with a dot",
    };

    /// The path with `/` between its parts.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The parts between the slashes, at least one.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

impl TryFrom<&str> for FilePath {
    type Error = NameError;

    fn try_from(path: &str) -> Result<Self, NameError> {
        let refuse = |problem| Err(Self::FIELD.refuse(path, problem));
        if path.chars().nth(*FILE_PATH_CHARACTERS.end()).is_some() {
            return refuse("which is too long");
        }
        if path.split('/').any(str::is_empty) {
            return refuse("which has an empty name");
        }
        if path.split('/').any(|part| part.starts_with('.')) {
            return refuse("which has a name with a leading dot");
        }
        if path.contains('\\') || path.contains(char::is_control) {
            return refuse("which has another character");
        }
        Ok(Self(path.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn voices_keep_their_names() {
        for (name, stored, stem) in [
            ("anna", "anna.wav", "anna"),
            ("anna.wav", "anna.wav", "anna"),
            ("Jürgen Groß+1.mp3", "Jürgen Groß+1.mp3", "Jürgen Groß+1"),
            ("v1.5", "v1.5.wav", "v1.5"),
            ("Dr. Smith", "Dr. Smith.wav", "Dr. Smith"),
            ("小明", "小明.wav", "小明"),
            ("a..b", "a..b", "a."),
        ] {
            let voice = VoiceName::try_from(name).unwrap();
            assert_eq!(voice.as_str(), name);
            assert_eq!(voice.stored().as_str(), stored);
            assert_eq!(voice.stem(), stem);
            let candidates: Vec<_> = voice.candidates().map(|name| name.0).collect();
            assert_eq!(candidates.first().unwrap(), name);
            assert_eq!(candidates.last().unwrap(), stored);
        }
    }

    #[test]
    fn voices_that_are_refused_say_why() {
        let long = "x".repeat(129);
        for name in [
            "",
            ".wav",
            "..",
            "a/b",
            "a\\b",
            "a\nb",
            "a\u{7f}",
            "anna.txt",
            "anna.JSON",
            &long,
        ] {
            let error = VoiceName::try_from(name).unwrap_err();
            assert_eq!(error.field(), "voice_name");
            assert!(error.to_string().len() < 400, "{error}");
        }
        assert!(VoiceName::try_from("ü".repeat(128).as_str()).is_ok());
    }

    #[test]
    fn jobs_of_runpod_are_taken() {
        for id in [
            "sync-8b5d0f1e-3c4a-e1",
            "abc123-u1",
            "test",
            "a.b_c",
            &"x".repeat(128),
        ] {
            assert_eq!(JobId::try_from(id).unwrap().as_str(), id);
        }
        for id in ["", ".", "..", "a/b", "a b", "ü", "a\0", &"x".repeat(129)] {
            let error = JobId::try_from(id).unwrap_err();
            assert_eq!(error.field(), "job_id", "{error}");
        }
        assert!(WriterId::try_from("a.b").is_err());
    }

    #[test]
    fn files_stay_in_their_repository() {
        let repository = Repository::try_from("SWivid/F5-TTS").unwrap();
        assert_eq!(repository.directory(), "SWivid--F5-TTS");
        assert_eq!(repository.to_string(), "SWivid/F5-TTS");
        for name in ["F5-TTS", "a/b/c", "../x", "a/..", "/b", "a/", "a/b c"] {
            assert!(Repository::try_from(name).is_err(), "{name}");
        }
        for path in [
            "", "/", "/a", "a/", "a//b", "..", "a/../b", "a/.git", "a\\b",
        ] {
            assert!(FilePath::try_from(path).is_err(), "{path}");
        }
        assert_eq!(FilePath::try_from("a/b c.pt").unwrap().parts().count(), 2);
    }

    #[test]
    fn keys_of_callers_are_hashed() {
        // printf abc | sha256sum
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(IdempotencyHash::of("abc").as_str(), expected);
    }

    proptest! {
        #[test]
        fn a_name_that_is_taken_is_one_harmless_part_of_a_path(name in "\\PC{0,140}|.{0,8}") {
            if let Ok(voice) = VoiceName::try_from(name.as_str()) {
                for name in [voice.as_str(), voice.stored().as_str(), voice.stem()] {
                    prop_assert!(!name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0']));
                }
            }
            if let Ok(job) = JobId::try_from(name.as_str()) {
                prop_assert!(!job.as_str().starts_with('.') && job.as_str().is_ascii());
            }
            if let Ok(path) = FilePath::try_from(name.as_str()) {
                prop_assert!(path.parts().all(|part| !part.is_empty() && !part.starts_with('.')));
            }
        }
    }
}
