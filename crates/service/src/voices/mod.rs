//! Voices: recordings in the store and in the program, checked when they come and prepared when they speak.

pub mod check;
mod heard;
mod ready;
mod stored;

use std::sync::Arc;

use bytes::Bytes;
use f5tts_engine::VoiceError;
use serde::Serialize;

use heard::{StoredRecording, Words};
pub use ready::ReadyVoice;
use ready::{FitCheck, Prepared};

use crate::{
    failure::{ErrorCode, Failure},
    fetch::Fetcher,
    request::VoiceChoice,
    storage::{ObjectKey, ObjectMeta, Storage, VoiceName},
    transcription::Transcription,
};

/// A recording of twelve seconds is far smaller in any format.
const MAX_RECORDING_BYTES: u64 = 64 << 20;
/// No transcript of twelve seconds is longer.
const MAX_TRANSCRIPT_BYTES: u64 = 64 << 10;

/// A voice that is part of the program.
#[derive(Clone, Copy, Debug)]
pub struct BundledVoice {
    /// Its name, without extension.
    pub name: &'static str,
    /// The recording.
    pub recording: &'static [u8],
    /// What is said in it.
    pub transcript: &'static str,
}

/// All voices that can be named.
#[derive(Debug)]
pub struct Voices {
    storage: Arc<dyn Storage>,
    fetcher: Fetcher,
    bundled: Vec<BundledVoice>,
    default: String,
    prepared: Prepared,
    transcription: Transcription,
}

/// A voice as `list_voices` shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VoiceEntry {
    /// The name that requests use.
    pub name: String,
    /// Bytes of the recording.
    pub size: u64,
    /// When it was stored; nothing for a voice of the program.
    pub last_modified: Option<String>,
    /// The key of the recording.
    pub voice_file: Option<String>,
    /// The key of the transcript, if there is one.
    pub text_file: Option<String>,
    /// Whether it is part of the program.
    pub bundled: bool,
}

impl Voices {
    /// The voices of a store and of the program; `default` speaks where a request names none.
    pub fn new(
        storage: Arc<dyn Storage>,
        fetcher: Fetcher,
        bundled: Vec<BundledVoice>,
        default: String,
    ) -> Self {
        Self {
            storage,
            fetcher,
            bundled,
            default,
            prepared: Prepared::default(),
            transcription: Transcription::absent(),
        }
    }

    /// Has voices without a transcript written down when they are first used.
    #[must_use]
    pub fn heard_by(mut self, transcription: Transcription) -> Self {
        self.transcription = transcription;
        self
    }

    /// What writes down what is said.
    pub const fn transcription(&self) -> &Transcription {
        &self.transcription
    }

    /// The voice that a request chose.
    pub async fn chosen(&self, choice: &VoiceChoice) -> Result<ReadyVoice, Failure> {
        match choice {
            VoiceChoice::Default => {
                let name = VoiceName::try_from(self.default.as_str()).map_err(|error| {
                    let message = format!("the default voice cannot be used: {error}");
                    Failure::new(ErrorCode::VoiceNotFound, message)
                })?;
                self.named(&name).await
            }
            VoiceChoice::Named(name) => self.named(name).await,
            VoiceChoice::Url { url, transcript } => self.at_url(url, transcript.as_deref()).await,
        }
    }

    /// The voice of a tag.
    pub async fn tagged(&self, name: &str) -> Result<ReadyVoice, Failure> {
        let name = VoiceName::try_from(name)
            .map_err(|error| Failure::because(ErrorCode::InvalidInput, &error))?;
        self.named(&name).await
    }

    async fn named(&self, name: &VoiceName) -> Result<ReadyVoice, Failure> {
        let Some((stored, meta)) = self.look_up(name).await? else {
            return self.bundled(name).await;
        };
        let transcript = self
            .storage
            .head(&ObjectKey::Transcript(stored.clone()))
            .await?;
        let state = state(&stored, &meta, transcript.as_ref());
        if let Some(voice) = self.prepared.by_state(&state) {
            return Ok(voice);
        }
        let key = ObjectKey::Voice(stored.clone());
        let recording = self.storage.get(&key, MAX_RECORDING_BYTES).await?.bytes;
        let words = match self.transcript(&stored).await? {
            Some(text) => Words::given(text),
            None => {
                let recording = StoredRecording {
                    name: &stored,
                    meta: &meta,
                    bytes: &recording,
                    has_blank_transcript: transcript.is_some(),
                };
                self.hear_stored(recording).await?
            }
        };
        let voice = self
            .prepare(stored.as_str().to_owned(), recording, words.text.clone(), FitCheck::Do)
            .await?;
        self.prepared.keep(state, voice.clone());
        Ok(words.told_with(voice))
    }

    /// A stored voice by its literal name, else with `.wav`.
    async fn look_up(&self, name: &VoiceName) -> Result<Option<(VoiceName, ObjectMeta)>, Failure> {
        for name in name.candidates() {
            if let Some(meta) = self.storage.head(&ObjectKey::Voice(name.clone())).await? {
                return Ok(Some((name, meta)));
            }
        }
        Ok(None)
    }

    async fn transcript(&self, name: &VoiceName) -> Result<Option<String>, Failure> {
        let key = ObjectKey::Transcript(name.clone());
        match self.storage.get(&key, MAX_TRANSCRIPT_BYTES).await {
            Ok(object) => {
                let text = String::from_utf8_lossy(&object.bytes).trim().to_owned();
                Ok((!text.is_empty()).then_some(text))
            }
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn bundled_voice(&self, name: &VoiceName) -> Result<&BundledVoice, Failure> {
        let mut bundled = self.bundled.iter();
        bundled
            .find(|voice| voice.name == name.stem())
            .ok_or_else(|| self.not_found(name))
    }

    async fn bundled(&self, name: &VoiceName) -> Result<ReadyVoice, Failure> {
        let bundled = self.bundled_voice(name)?;
        let state = format!("bundled {}", bundled.name);
        if let Some(voice) = self.prepared.by_state(&state) {
            return Ok(voice);
        }
        let recording = Bytes::from_static(bundled.recording);
        let voice = self
            .prepare(
                bundled.name.to_owned(),
                recording,
                bundled.transcript.to_owned(),
                FitCheck::Skip,
            )
            .await?;
        self.prepared.keep(state, voice.clone());
        Ok(voice)
    }

    async fn at_url(&self, url: &str, transcript: Option<&str>) -> Result<ReadyVoice, Failure> {
        let recording = self.fetch(url).await?;
        let name = url::Url::parse(url)
            .ok()
            .and_then(|url| url.path_segments()?.next_back().map(str::to_owned))
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "url".to_owned());
        let words = match transcript {
            Some(text) => Words::given(text.to_owned()),
            None => self.hear_fetched(&name, &recording).await?,
        };
        let voice = self
            .prepare(name, recording, words.text.clone(), FitCheck::Do)
            .await?;
        self.prepared
            .keep(format!("url {}", voice.version), voice.clone());
        Ok(words.told_with(voice))
    }

    async fn prepare(
        &self,
        name: String,
        recording: Bytes,
        transcript: String,
        check: FitCheck,
    ) -> Result<ReadyVoice, Failure> {
        let version = ready::version(&recording, &transcript);
        if let Some(voice) = self.prepared.by_version(&version) {
            return Ok(ReadyVoice { name, ..voice });
        }
        let called = name.clone();
        let prepared = tokio::task::spawn_blocking(move || {
            ready::prepare(name, &recording, &transcript, check)
        });
        prepared
            .await
            .map_err(|error| Failure::because(ErrorCode::Internal, &error))?
            .map_err(|error| rejected(&called, &error))
    }

    fn not_found(&self, name: &VoiceName) -> Failure {
        let bundled: Vec<_> = self.bundled.iter().map(|voice| voice.name).collect();
        let message = format!(
            "there is no voice `{}`: `list_voices` shows those that were uploaded; part of the program are {}",
            name.as_str(),
            bundled.join(", ")
        );
        Failure::new(ErrorCode::VoiceNotFound, message)
    }

    async fn fetch(&self, url: &str) -> Result<Bytes, Failure> {
        self.fetcher
            .fetch(url)
            .await
            .map_err(|error| Failure::because(ErrorCode::FetchFailed, &error))
    }
}

/// Changes whenever a file of the voice does.
fn state(name: &VoiceName, recording: &ObjectMeta, transcript: Option<&ObjectMeta>) -> String {
    let of = |meta: &ObjectMeta| {
        let version = meta.version.as_ref().map(|version| version.as_str());
        format!("{} {} {version:?}", meta.size, meta.modified)
    };
    format!("{} {} {:?}", name.as_str(), of(recording), transcript.map(of))
}

fn rejected(name: &str, error: &VoiceError) -> Failure {
    let message = format!("the voice `{name}` cannot be used: {}", crate::failure::chain(error));
    Failure::new(ErrorCode::VoiceRejected, message)
}
