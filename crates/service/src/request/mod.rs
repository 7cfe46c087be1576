//! What a client asks for, checked once: raw JSON goes in, and nothing behind it checks again.

mod fields;
mod speech;
mod upload;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

pub use self::{
    fields::FieldError,
    speech::{ReturnAudio, SEEDS, SpeechRequest, VoiceChoice},
    upload::{Material, UploadRequest},
};
pub(crate) use speech::tagged;

use self::fields::{Fields, words};
use crate::storage::{AudioExtension, JobId, TimingExtension, VoiceName};

/// A request, checked.
#[derive(Clone, Debug)]
pub enum Request {
    /// Speech from text.
    Speech(Box<SpeechRequest>),
    /// Store a voice.
    Upload(UploadRequest),
    /// The state of a job; of the service itself where no job is named.
    Status(Option<JobId>),
    /// The answer of a finished job.
    Result(JobId),
    /// The stored voices.
    ListVoices,
    /// Remove a voice.
    DeleteVoice(VoiceName),
    /// A fresh URL of what a job made.
    Download(DownloadRequest),
    /// Stop a job.
    Cancel(JobId),
    /// Remove a job and what it made.
    DeleteJob(JobId),
}

/// What of a job is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownloadRequest {
    /// The job.
    pub job: JobId,
    /// Its audio or its timings.
    pub file: DownloadFile,
}

/// One of the files that a job makes; without an extension, whichever is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DownloadFile {
    /// Speech.
    Audio(Option<AudioExtension>),
    /// Word timings.
    Timing(Option<TimingExtension>),
}

/// What the operator allows, and what holds where a request says nothing.
#[derive(Clone, Debug)]
pub struct ParseOptions {
    /// The longest text.
    pub max_characters: usize,
    /// The largest recording, in bytes after decoding.
    pub max_upload_bytes: usize,
    /// How audio comes back.
    pub return_audio: ReturnAudio,
}

impl Default for ParseOptions {
    fn default() -> Self {
        Self {
            max_characters: f5tts_engine::text::script::DEFAULT_MAX_CHARACTERS,
            max_upload_bytes: 50 << 20,
            return_audio: ReturnAudio::Url,
        }
    }
}

/// A request, and what was noticed while reading it.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The request.
    pub request: Request,
    /// About the text, and which fields mean nothing.
    pub warnings: Vec<String>,
}

const OPERATIONS: [&str; 9] = [
    "tts",
    "upload",
    "status",
    "result",
    "list_voices",
    "delete_voice",
    "download",
    "cancel",
    "delete_job",
];

impl Request {
    /// Checks the input of a job.
    ///
    /// # Errors
    /// The first field that is not what it may be.
    pub fn parse(input: &Value, options: &ParseOptions) -> Result<Parsed, FieldError> {
        let empty = Map::new();
        let map = if input.is_null() {
            &empty
        } else {
            let object = input.as_object();
            object.ok_or_else(|| FieldError::not_allowed("input", input, "an object"))?
        };
        let fields = Fields::new(map);
        let mut warnings = Vec::new();
        let request = Self::read(&fields, options, &mut warnings)?;
        warnings.extend(ignored(&fields.unknown()));
        Ok(Parsed { request, warnings })
    }

    fn read(
        fields: &Fields<'_>,
        options: &ParseOptions,
        warnings: &mut Vec<String>,
    ) -> Result<Self, FieldError> {
        let operation = fields.text("endpoint")?.unwrap_or_default();
        Ok(match operation {
            "" | "tts" => Self::Speech(Box::new(SpeechRequest::read(fields, options, warnings)?)),
            "upload" => Self::Upload(UploadRequest::read(fields, options)?),
            "status" => Self::Status(optional_job(fields)?),
            "result" => Self::Result(job(fields)?),
            "list_voices" => Self::ListVoices,
            "delete_voice" => {
                let name = fields.required_text("voice_name", "the name of a voice")?;
                Self::DeleteVoice(speech::named_voice("voice_name", name)?)
            }
            "download" => Self::Download(download(fields)?),
            "cancel" => Self::Cancel(job(fields)?),
            "delete_job" => Self::DeleteJob(job(fields)?),
            other => {
                let allowed = words(OPERATIONS.into_iter());
                return Err(FieldError::not_allowed("endpoint", &Value::from(other), allowed));
            }
        })
    }
}

/// A warning for each field, or for as many as somebody will read.
fn ignored(fields: &[&str]) -> Vec<String> {
    const MOST: usize = 20;
    const MOST_CHARACTERS: usize = 60;
    let shown = fields.iter().take(MOST).map(|field| {
        let name: String = field.chars().take(MOST_CHARACTERS).collect();
        format!("the field {} is not known and was ignored", Value::from(name))
    });
    let mut warnings: Vec<_> = shown.collect();
    if let Some(others) = fields.len().checked_sub(MOST + 1) {
        let others = others + 1;
        warnings.push(format!("{others} other fields are not known and were ignored"));
    }
    warnings
}

fn job(fields: &Fields<'_>) -> Result<JobId, FieldError> {
    optional_job(fields)?.ok_or_else(|| FieldError::Missing {
        field: "job_id".to_owned(),
        allowed: "the id of a job".to_owned(),
    })
}

fn optional_job(fields: &Fields<'_>) -> Result<Option<JobId>, FieldError> {
    let Some(id) = fields.text("job_id")? else {
        return Ok(None);
    };
    JobId::try_from(id)
        .map(Some)
        .map_err(|error| FieldError::name("job_id", error))
}

fn download(fields: &Fields<'_>) -> Result<DownloadRequest, FieldError> {
    let is_timing = fields.choice("type", &[("audio", false), ("timing", true)])?;
    let file = if is_timing == Some(true) {
        let choices: Vec<_> = TimingExtension::ALL
            .iter()
            .map(|&each| (each.as_str(), each))
            .collect();
        DownloadFile::Timing(fields.choice("format", &choices)?)
    } else {
        let choices: Vec<_> = AudioExtension::ALL
            .iter()
            .map(|&each| (each.as_str(), each))
            .collect();
        DownloadFile::Audio(fields.choice("format", &choices)?)
    };
    Ok(DownloadRequest { job: job(fields)?, file })
}

/// For values of which a tenth of a millionth does not matter.
#[expect(clippy::cast_possible_truncation, reason = "rounds to the nearest")]
fn narrow(number: f64) -> f32 {
    number as f32
}
