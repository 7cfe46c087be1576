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

    /// Hears a voice now, if it is stored and has no transcript; tells its report, and what is to be told.
    ///
    /// # Errors
    /// There is no such voice, or nothing is heard.
    pub async fn transcribe(
        &self,
        name: &VoiceName,
    ) -> Result<(serde_json::Value, Vec<String>), Failure> {
        // What is said becomes known when a voice is made ready.
        let voice = self.named(name).await?;
        Ok((self.report(name).await?, voice.warnings))
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
    ) -> Result<Kept, Failure> {
        let name = recording.name;
        let report = self.report_on(recording, heard).await;
        if !self.is_unchanged(recording).await? {
            return Ok(Kept::Superseded);
        }
        let Some(written) = self.write_transcript(recording, heard).await? else {
            // Others may have heard the same.
            let found = self.transcript(name).await?;
            let is_same = found.as_ref() == Some(&heard.text);
            return Ok(if is_same {
                Kept::Stored
            } else {
                Kept::Superseded
            });
        };
        if !self.is_unchanged(recording).await? {
            let key = ObjectKey::Transcript(name.clone());
            let found = self.storage.head(&key).await?;
            if found.is_some_and(|found| stored::is_same(&found, &written)) {
                self.storage.delete(&key).await?;
            }
            return Ok(Kept::Superseded);
        }
        if let Some(report) = report
            && let Err(error) = self.put_report(name, &report).await
        {
            tracing::warn!(voice = %name, %error, "the report on a voice could not be stored");
        }
        Ok(Kept::Stored)
    }

    async fn report_on(
        &self,
        recording: StoredRecording<'_>,
        heard: &Heard,
    ) -> Option<VoiceReport> {
        let (called, bytes) = (recording.name.to_string(), recording.bytes.clone());
        let model = self.transcription.model().unwrap_or_default().to_owned();
        let heard = heard.clone();
        let report = tokio::task::spawn_blocking(move || {
            let said = Said::Heard { heard: &heard, model: &model };
            VoiceReport::of(&called, &bytes, &said)
        });
        let report = report.await;
        report
            .inspect_err(|panic| tracing::error!(%panic, "the check of a voice panicked"))
            .ok()
    }

    async fn is_unchanged(&self, recording: StoredRecording<'_>) -> Result<bool, StorageError> {
        let key = ObjectKey::Voice(recording.name.clone());
        let is_same = |meta: &ObjectMeta| stored::is_same(meta, recording.meta);
        Ok(self.storage.head(&key).await?.as_ref().is_some_and(is_same))
    }

    /// Writes the text where there is none; gives what the store tells of it, or nothing if there was one.
    async fn write_transcript(
        &self,
        recording: StoredRecording<'_>,
        heard: &Heard,
    ) -> Result<Option<ObjectMeta>, Failure> {
        let key = ObjectKey::Transcript(recording.name.clone());
        // Not every store refuses to create what is there, and hearing took a while.
        if self.transcript(recording.name).await?.is_some() {
            return Ok(None);
        }
        if recording.has_blank_transcript {
            self.storage.delete(&key).await?;
        }
        let text = Bytes::from(heard.text.clone());
        match self.storage.create(&key, text.clone()).await {
            Ok(Created::Yes(_)) => {}
            Ok(Created::AlreadyThere) => return Ok(None),
            Err(StorageError::Unsupported { .. }) => {
                self.storage.put(&key, text).await?;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(self.storage.head(&key).await?)
    }
}

fn unheard(what: &str, error: &TranscribeError, what_to_do: &str) -> Failure {
    Failure::new(error.code(), format!("{what}, and {error}: {what_to_do}"))
}
