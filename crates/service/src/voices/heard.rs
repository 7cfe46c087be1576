//! Voices without a transcript: what is said in them is heard at their first use, and written beside them.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{
    ReadyVoice, Voices,
    check::{Said, VoiceReport},
    stored,
};
use crate::{
    failure::Failure,
    storage::{Created, ObjectKey, ObjectMeta, StorageError, VoiceName},
    transcription::{Heard, TranscribeError},
};

/// What is said in a recording, and what is to be told of how that became known.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) text: String,
    notice: Option<String>,
    took: Duration,
}

impl Words {
    pub(super) const fn given(text: String) -> Self {
        Self { text, notice: None, took: Duration::ZERO }
    }

    /// The voice for the request that had it heard; others are told nothing of it.
    pub(super) fn told_with(self, mut voice: ReadyVoice) -> ReadyVoice {
        voice.warnings.splice(..0, self.notice);
        voice.transcription = self.took;
        voice
    }
}

/// A recording in the store, as it was when it was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoredRecording<'a> {
    pub(super) name: &'a VoiceName,
    pub(super) meta: &'a ObjectMeta,
    pub(super) bytes: &'a Bytes,
    /// A transcript without a word is there.
    pub(super) has_blank_transcript: bool,
}

/// What became of what was heard.
enum Kept {
    Stored,
    /// Another recording or transcript came meanwhile.
    Superseded,
}

impl Voices {
    /// Hears a stored recording, and writes down beside it what is said.
    pub(super) async fn hear_stored(
        &self,
        recording: StoredRecording<'_>,
    ) -> Result<Words, Failure> {
        let start = Instant::now();
        let name = recording.name;
        let heard = self.transcription.of(recording.bytes.clone()).await.map_err(|error| {
            let place = ObjectKey::Transcript(name.clone());
            let what_to_do = format!(
                "upload it again with `ref_text`, what is said in the recording, or write that to `{place}`"
            );
            unheard(&format!("the voice `{name}` has no transcript"), &error, &what_to_do)
        })?;
        let kept = match self.write_back(recording, &heard).await {
            Ok(Kept::Stored) => {
                format!("and stored as `{}`", ObjectKey::Transcript(name.clone()))
            }
            Ok(Kept::Superseded) => {
                "and not stored, since the voice was changed meanwhile".to_owned()
            }
            Err(error) => {
                let error = Failure::from(error);
                tracing::warn!(voice = %name, %error, "a transcript could not be stored");
                format!("which could not be stored ({error}) and is kept in memory")
            }
        };
        let notice = format!(
            "the voice `{name}` had no transcript: it was transcribed as {}, {kept}; if that is not what is said, upload it with `ref_text`",
            self.described(&heard)
        );
        Ok(Words {
            text: heard.text.clone(),
            notice: Some(notice),
            took: start.elapsed(),
        })
    }

    /// Hears a recording that is kept nowhere.
    pub(super) async fn hear_fetched(
        &self,
        name: &str,
        recording: &Bytes,
    ) -> Result<Words, Failure> {
        let start = Instant::now();
        let heard = self
            .transcription
            .of(recording.clone())
            .await
            .map_err(|error| {
                let what_to_do = "give `ref_text`: what is said in the recording";
                unheard("`local_voice` is a URL without `ref_text`", &error, what_to_do)
            })?;
        let notice = format!(
            "the voice `{name}` came without `ref_text`: it was transcribed as {}; if that is not what is said, give `ref_text`",
            self.described(&heard)
        );
        Ok(Words {
            text: heard.text.clone(),
            notice: Some(notice),
            took: start.elapsed(),
        })
    }

    /// Hears a voice now, if it is stored and has no transcript; tells its report.
    ///
    /// # Errors
    /// There is no such voice, or nothing is heard.
    pub async fn transcribe(&self, name: &VoiceName) -> Result<serde_json::Value, Failure> {
        // What is said becomes known when a voice is made ready.
        self.named(name).await?;
        self.report(name).await
    }

    fn described(&self, heard: &Heard) -> String {
        let model = self.transcription.model().unwrap_or_default();
        format!("“{}” ({model}, confidence {:.2})", heard.text, heard.confidence())
    }

    /// Stores what was heard, unless it is known otherwise meanwhile.
    ///
    /// A recording that is replaced at the very same time takes away the old one's transcript when all else is
    /// stored, so whichever comes last finds the other.
    async fn write_back(
        &self,
        recording: StoredRecording<'_>,
        heard: &Heard,
    ) -> Result<Kept, StorageError> {
        let StoredRecording { name, bytes, .. } = recording;
        if !self.is_unchanged(recording).await? {
            return Ok(Kept::Superseded);
        }
        let key = ObjectKey::Transcript(name.clone());
        if !self.write_transcript(recording, &key, heard).await? {
            return Ok(Kept::Superseded);
        }
        if !self.is_unchanged(recording).await? {
            let found = self.transcript(name).await;
            if found.is_ok_and(|found| found.as_ref() == Some(&heard.text)) {
                self.storage.delete(&key).await?;
            }
            return Ok(Kept::Superseded);
        }
        let (called, bytes, heard) = (name.to_string(), bytes.clone(), heard.clone());
        let model = self.transcription.model().unwrap_or_default().to_owned();
        let report = tokio::task::spawn_blocking(move || {
            let said = Said::Heard { heard: &heard, model: &model };
            VoiceReport::of(&called, &bytes, &said)
        });
        match report.await {
            Ok(report) => self.put_report(name, &report).await?,
            Err(panic) => tracing::error!(%panic, "the check of a voice panicked"),
        }
        Ok(Kept::Stored)
    }

    async fn is_unchanged(&self, recording: StoredRecording<'_>) -> Result<bool, StorageError> {
        let key = ObjectKey::Voice(recording.name.clone());
        let is_same = |meta: &ObjectMeta| stored::is_same(meta, recording.meta);
        Ok(self.storage.head(&key).await?.as_ref().is_some_and(is_same))
    }

    /// Writes the text where there is none; tells whether it was that one.
    async fn write_transcript(
        &self,
        recording: StoredRecording<'_>,
        key: &ObjectKey,
        heard: &Heard,
    ) -> Result<bool, StorageError> {
        let text = Bytes::from(heard.text.clone());
        if recording.has_blank_transcript {
            return self.storage.put(key, text).await.map(|_| true);
        }
        match self.storage.create(key, text.clone()).await {
            Ok(created) => Ok(matches!(created, Created::Yes(_))),
            Err(StorageError::Unsupported { .. }) => {
                let is_there = self.storage.head(key).await?.is_some();
                if !is_there {
                    self.storage.put(key, text).await?;
                }
                Ok(!is_there)
            }
            Err(error) => Err(error),
        }
    }
}

fn unheard(what: &str, error: &TranscribeError, what_to_do: &str) -> Failure {
    Failure::new(error.code(), format!("{what}, and {error}: {what_to_do}"))
}
