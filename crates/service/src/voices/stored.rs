//! Storing, listing and removing voices.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    BundledVoice, MAX_RECORDING_BYTES, MAX_TRANSCRIPT_BYTES, VoiceEntry, Voices,
    check::{Said, VoiceReport},
};
use crate::{
    failure::{ErrorCode, Failure},
    request::{Material, UploadRequest},
    storage::{ObjectKey, ObjectMeta, Prefix, StorageError, VoiceName},
};

/// The largest report.
const MAX_REPORT_BYTES: u64 = 1 << 20;

impl Voices {
    /// Checks a recording and stores it with its transcript and the report.
    ///
    /// # Errors
    /// The recording cannot become a voice; the answer then has the report, too.
    pub async fn upload(&self, request: UploadRequest) -> Result<Value, Failure> {
        let recording = self
            .material(request.recording, MAX_RECORDING_BYTES)
            .await?;
        let transcript = match request.transcript {
            Some(material) => {
                Some(transcript(&self.material(material, MAX_TRANSCRIPT_BYTES).await?)?)
            }
            None => None,
        };
        let transcript = transcript.filter(|text| !text.is_empty());
        let name = request.name.stored();
        let report = self
            .examine(name.as_str(), recording.clone(), transcript.clone())
            .await?;
        if !report.is_accepted() {
            let reasons: Vec<_> = report.errors.iter().map(ToString::to_string).collect();
            let message = format!("the recording cannot become a voice: {}", reasons.join("; "));
            return Err(Failure::new(ErrorCode::VoiceRejected, message).with_details(json!(report)));
        }
        let storage = &self.storage;
        let text = ObjectKey::Transcript(name.clone());
        let is_mute = transcript.is_none();
        match transcript {
            Some(transcript) => storage.put(&text, transcript.into()).await.map(drop)?,
            // What is said in the recording that was here before.
            None => storage.delete(&text).await?,
        }
        self.put_report(&name, &report).await?;
        // Last, so that a voice that is there is whole.
        storage
            .put(&ObjectKey::Voice(name.clone()), recording)
            .await?;
        if is_mute {
            // What was heard in the recording before, if that was written down just now.
            storage.delete(&text).await?;
        }
        let status = format!("Voice '{}' uploaded successfully.", name.as_str());
        Ok(json!({ "status": status, "voice": report }))
    }

    /// All voices that can be named. Needs the permission to list.
    pub async fn list(&self) -> Result<Vec<VoiceEntry>, Failure> {
        let entries = self.storage.list(&Prefix::Voices).await?;
        let texts: BTreeSet<_> = entries
            .iter()
            .filter_map(|entry| entry.name.strip_suffix(".txt"))
            .collect();
        let mut voices: BTreeMap<_, _> = self
            .bundled
            .iter()
            .map(|voice| (voice.name.to_owned(), VoiceEntry::of_bundled(voice)))
            .collect();
        for entry in &entries {
            let Ok(name) = VoiceName::try_from(entry.name.as_str()) else {
                continue;
            };
            voices.insert(
                entry.name.clone(),
                VoiceEntry {
                    name: entry.name.clone(),
                    size: entry.meta.size,
                    last_modified: Some(entry.meta.modified.to_string()),
                    voice_file: Some(ObjectKey::Voice(name.clone()).to_string()),
                    text_file: texts
                        .contains(name.stem())
                        .then(|| ObjectKey::Transcript(name).to_string()),
                    bundled: false,
                },
            );
        }
        Ok(voices.into_values().collect())
    }

    /// Removes a stored voice; tells which one it was.
    pub async fn delete(&self, name: &VoiceName) -> Result<VoiceName, Failure> {
        let Some((stored, _)) = self.look_up(name).await? else {
            return Err(self.not_found(name));
        };
        // First, so that a voice that is there is whole.
        self.storage
            .delete(&ObjectKey::Voice(stored.clone()))
            .await?;
        self.storage
            .delete(&ObjectKey::Transcript(stored.clone()))
            .await?;
        self.storage
            .delete(&ObjectKey::VoiceReport(stored.clone()))
            .await?;
        Ok(stored)
    }

    /// The report on a voice: the one that was kept, or a new one.
    pub async fn report(&self, name: &VoiceName) -> Result<Value, Failure> {
        if let Some((stored, _)) = self.look_up(name).await? {
            match self
                .storage
                .get(&ObjectKey::VoiceReport(stored.clone()), MAX_REPORT_BYTES)
                .await
            {
                Ok(object) => {
                    let report = serde_json::from_slice::<Value>(&object.bytes).ok();
                    // Whoever wrote the transcript may not have come to write the report.
                    let is_old = |report: &Value| report["transcript"] == "missing";
                    match report {
                        Some(report) if !is_old(&report) => return Ok(report),
                        Some(report) if self.transcript(&stored).await?.is_none() => {
                            return Ok(report);
                        }
                        _ => {}
                    }
                }
                Err(error) if error.is_missing() => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.check(name).await
    }

    /// Checks a voice anew, also one that another program stored.
    pub async fn check(&self, name: &VoiceName) -> Result<Value, Failure> {
        let (called, recording, text) = match self.look_up(name).await? {
            Some((stored, _)) => {
                let key = ObjectKey::Voice(stored.clone());
                let recording = self.storage.get(&key, MAX_RECORDING_BYTES).await?.bytes;
                let text = self.transcript(&stored).await?;
                (stored.as_str().to_owned(), recording, text)
            }
            None => {
                let bundled = self.bundled_voice(name)?;
                let recording = bytes::Bytes::from_static(bundled.recording);
                (bundled.name.to_owned(), recording, Some(bundled.transcript.to_owned()))
            }
        };
        Ok(json!(self.examine(&called, recording, text).await?))
    }

    pub(super) async fn put_report(
        &self,
        name: &VoiceName,
        report: &VoiceReport,
    ) -> Result<(), StorageError> {
        let bytes = serde_json::to_vec_pretty(report).expect("reports have no maps but of text");
        let key = ObjectKey::VoiceReport(name.clone());
        self.storage.put(&key, bytes.into()).await.map(drop)
    }

    /// Checks a recording on a thread of its own.
    async fn examine(
        &self,
        name: &str,
        recording: bytes::Bytes,
        transcript: Option<String>,
    ) -> Result<VoiceReport, Failure> {
        let name = name.to_owned();
        let model = self.transcription.model().map(str::to_owned);
        let report = tokio::task::spawn_blocking(move || {
            let said = match &transcript {
                Some(text) => Said::Given(text),
                None => Said::Unknown(model.as_deref().map_err(Clone::clone)),
            };
            VoiceReport::of(&name, &recording, &said)
        });
        report
            .await
            .map_err(|error| Failure::because(ErrorCode::Internal, &error))
    }

    async fn material(
        &self,
        material: Material,
        limit_bytes: u64,
    ) -> Result<bytes::Bytes, Failure> {
        let bytes = match material {
            Material::Given(bytes) => bytes,
            Material::Url(url) => self.fetch(&url).await?,
        };
        if bytes.len() as u64 > limit_bytes {
            let message =
                format!("the file has {} bytes, at most {limit_bytes} are allowed", bytes.len());
            return Err(Failure::new(ErrorCode::InvalidInput, message));
        }
        Ok(bytes)
    }
}

impl VoiceEntry {
    fn of_bundled(voice: &BundledVoice) -> Self {
        Self {
            name: voice.name.to_owned(),
            size: voice.recording.len() as u64,
            last_modified: None,
            voice_file: None,
            text_file: None,
            bundled: true,
        }
    }
}

/// Whether a store tells the same of an object as before.
pub(super) fn is_same(one: &ObjectMeta, other: &ObjectMeta) -> bool {
    (one.size, one.modified, &one.version) == (other.size, other.modified, &other.version)
}

/// The text of a transcript file.
fn transcript(bytes: &[u8]) -> Result<String, Failure> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        Failure::new(ErrorCode::InvalidInput, format!("the transcript is not UTF-8: {error}"))
    })?;
    Ok(text.trim_start_matches('\u{feff}').trim().to_owned())
}
