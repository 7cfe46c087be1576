//! `f5tts transcribe`: what is said in a recording.

use std::path::Path;

use anyhow::anyhow;
use bytes::Bytes;
use f5tts_engine::{Device, audio::DecodeLimits};
use f5tts_service::{
    transcription::{Heard, TranscribeError, Transcription},
    voices::check::{Said, VoiceReport},
};
use serde::Serialize;

use crate::{
    assembly,
    cli::TranscribeArguments,
    failure::{Failure, OrBadInput, say},
    output::answer,
    progress::ProgressLine,
    recogniser,
    report::rounded,
    voices::read,
};

/// What `transcribe --json` prints.
#[derive(Serialize)]
struct Report<'a> {
    text: &'a str,
    confidence: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a str>,
    model: &'a str,
    /// What is said of the recording and the text.
    warnings: Vec<String>,
}

/// Writes down what is said.
pub(crate) fn run(arguments: &TranscribeArguments) -> Result<(), Failure> {
    let transcription =
        recogniser::for_people(&arguments.transcription, &arguments.hub, Device::Auto, None);
    let in_recording = || format!("the recording `{}`", arguments.audio.display());
    let recording = read(&arguments.audio, DecodeLimits::default().bytes as u64)
        .or_bad_input_in(in_recording())?;
    let recording = Bytes::from(recording);
    let heard = hear(&transcription, &arguments.audio, recording.clone())?;
    let model = transcription.model().unwrap_or_default();
    let said = Said::Heard { heard: &heard, model };
    let checked = VoiceReport::of(&in_recording(), &recording, &said);
    let report = Report {
        text: &heard.text,
        confidence: rounded(heard.confidence(), 1e3),
        language: heard.language.as_deref(),
        model,
        warnings: checked
            .errors
            .iter()
            .chain(&checked.warnings)
            .map(ToString::to_string)
            .collect(),
    };
    if !arguments.json {
        for warning in &report.warnings {
            say(format_args!("warning: {warning}"));
        }
    }
    answer(arguments.json, &report, || format!("{}\n", heard.text))
}

/// What is said in a recording, of which a line tells that it is being heard.
pub(crate) fn hear(
    transcription: &Transcription,
    path: &Path,
    recording: Bytes,
) -> Result<Heard, Failure> {
    let line = ProgressLine::start("writing down what is said", false);
    let heard = assembly::run(async { Ok(transcription.of(recording).await) });
    line.clear();
    heard?
        .map(|heard| Heard::clone(&heard))
        .map_err(|error| failure(path, error))
}

fn failure(path: &Path, error: TranscribeError) -> Failure {
    let is_callers = matches!(
        error,
        TranscribeError::Absent(_)
            | TranscribeError::Model { .. }
            | TranscribeError::Recording { .. }
            | TranscribeError::NoSpeech
            | TranscribeError::Repeats { .. }
    );
    let error = anyhow!(error).context(format!("could not transcribe `{}`", path.display()));
    if is_callers {
        Failure::BadInput(error)
    } else {
        Failure::Failed(error)
    }
}
