//! `f5tts voices`: the voices of the store.

use std::path::Path;

use anyhow::Context as _;
use bytes::Bytes;
use f5tts_engine::audio::DecodeLimits;
use f5tts_service::{
    request::{Material, UploadRequest},
    storage::VoiceName,
    voices::{
        VoiceEntry, Voices,
        check::{Said, VoiceReport},
    },
};
use serde_json::Value;

use crate::{
    assembly,
    cli::{VoicesAction, VoicesAddArguments, VoicesArguments},
    failure::{Failure, OrBadInput, say},
    output::answer,
    progress::ProgressLine,
    table::{seconds, table},
    voices,
};

/// Does what was asked for.
pub(crate) fn run(arguments: &VoicesArguments) -> Result<(), Failure> {
    assembly::run(async {
        let settings = arguments.service.settings();
        let (storage, _) = assembly::working_store(settings.store, settings.hub.network).await?;
        let voices = assembly::voices(settings, storage)?;
        let json = arguments.json;
        match &arguments.action {
            VoicesAction::Add(arguments) => add(&voices, arguments, json).await,
            VoicesAction::List => list(&voices, json).await,
            VoicesAction::Show { voice } => {
                let report = voices.report(&name(voice)?).await?;
                answer(json, &report, || described(&report))
            }
            VoicesAction::Check { voice, ref_text } => {
                check(&voices, voice, ref_text.as_deref(), json).await
            }
            VoicesAction::Rm { voice } => {
                let removed = voices.delete(&name(voice)?).await?;
                let value = serde_json::json!({ "status": format!("Voice '{removed}' deleted.") });
                answer(json, &value, || format!("removed the voice {removed}\n"))
            }
        }
    })
}

fn name(text: &str) -> Result<VoiceName, Failure> {
    VoiceName::try_from(text).or_bad_input()
}

async fn add(voices: &Voices, arguments: &VoicesAddArguments, json: bool) -> Result<(), Failure> {
    let transcript = match (&arguments.ref_text, &arguments.ref_file) {
        (Some(text), _) => Some(text.clone()),
        (None, Some(path)) => Some(read_text(path)?),
        (None, None) => beside(&arguments.recording)?,
    };
    let stored_as = match &arguments.name {
        Some(text) => name(text)?,
        None => name(&file_name(&arguments.recording)?)?,
    };
    let request = UploadRequest {
        name: stored_as.clone(),
        recording: Material::Given(read(&arguments.recording)?),
        transcript: transcript
            .filter(|text| !text.trim().is_empty())
            .map(|text| Material::Given(Bytes::from(text))),
    };
    let mut uploaded = match voices.upload(request).await {
        Ok(uploaded) => uploaded,
        Err(failure) => {
            if json {
                answer(json, &failure.to_json(), String::new)?;
            }
            return Err(failure.into());
        }
    };
    if uploaded["voice"]["transcript"] == "missing" {
        transcribe(voices, &stored_as, &mut uploaded["voice"]).await;
    }
    answer(json, &uploaded, || {
        let status = uploaded["status"].as_str().unwrap_or_default();
        format!("{status}\n{}", report_lines(&uploaded["voice"]))
    })
}

/// Has a voice without transcript written down, if somebody hears it. The voice is stored in any case.
async fn transcribe(voices: &Voices, name: &VoiceName, report: &mut Value) {
    if voices.transcription().model().is_err() {
        return; // The report says so.
    }
    let line = ProgressLine::start("writing down what is said", false);
    let transcribed = voices.transcribe(name).await;
    line.clear();
    match transcribed {
        Ok((transcribed, warnings)) => {
            if transcribed["transcript"] != "transcribed" {
                for warning in warnings {
                    say(format_args!("warning: {warning}"));
                }
            }
            *report = transcribed;
        }
        Err(failure) => say(format_args!("warning: {failure}")),
    }
}

/// What is called as the recording but `.txt`, and lies beside it.
fn beside(recording: &Path) -> Result<Option<String>, Failure> {
    let path = recording.with_extension("txt");
    if path == recording || !path.is_file() {
        return Ok(None);
    }
    read_text(&path).map(Some)
}

fn file_name(path: &Path) -> Result<String, Failure> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.map(str::to_owned);
    name.ok_or_else(|| {
        Failure::bad_input(format!("`{}` has no name: give `--name`", path.display()))
    })
}

fn read(path: &Path) -> Result<Bytes, Failure> {
    let limit = DecodeLimits::default().bytes as u64;
    let bytes = voices::read(path, limit);
    bytes
        .map(Bytes::from)
        .or_bad_input_in(format!("the recording `{}`", path.display()))
}

fn read_text(path: &Path) -> Result<String, Failure> {
    let text = voices::read_transcript(path);
    text.or_bad_input_in(format!("the transcript `{}`", path.display()))
}

async fn list(voices: &Voices, json: bool) -> Result<(), Failure> {
    let voices = voices.list().await?;
    answer(json, &voices, || {
        let head = ["VOICE", "BYTES", "TRANSCRIPT", "CHANGED"]
            .map(str::to_owned)
            .to_vec();
        let rows: Vec<_> = [head].into_iter().chain(voices.iter().map(row)).collect();
        table(&rows)
    })
}

fn row(voice: &VoiceEntry) -> Vec<String> {
    let has_text = voice.bundled || voice.text_file.is_some();
    let changed = voice.last_modified.as_deref();
    vec![
        voice.name.clone(),
        voice.size.to_string(),
        if has_text { "yes" } else { "missing" }.to_owned(),
        changed.map_or_else(|| "part of this program".to_owned(), seconds),
    ]
}

/// A recording that is a file, else a voice of the store.
async fn check(
    voices: &Voices,
    voice: &str,
    ref_text: Option<&str>,
    json: bool,
) -> Result<(), Failure> {
    let path = Path::new(voice);
    let report = if path.is_file() {
        let transcript = match ref_text {
            Some(text) => Some(text.to_owned()),
            None => beside(path)?,
        };
        let said = match &transcript {
            Some(text) => Said::Given(text),
            None => Said::Unknown(voices.transcription().model()),
        };
        let report = VoiceReport::of(&file_name(path)?, &read(path)?, &said);
        serde_json::to_value(report).context("could not write JSON")?
    } else {
        voices.check(&name(voice)?).await?
    };
    answer(json, &report, || report_lines(&report))?;
    match report["errors"].as_array() {
        Some(errors) if !errors.is_empty() => {
            Err(Failure::bad_input("the recording cannot become a voice"))
        }
        _ => Ok(()),
    }
}

/// Which voice it is, and what its report found.
fn described(report: &Value) -> String {
    let mut text = String::new();
    for (label, field) in [
        ("voice", "name"),
        ("version", "sha256"),
        ("transcript", "transcript"),
    ] {
        let value = report[field].as_str().unwrap_or_default();
        text.push_str(&format!("{label:26}{value}\n"));
    }
    text + &report_lines(report)
}

/// What a recogniser heard, how sure it is, and how well the transcript fits.
fn transcription_line(report: &Value) -> String {
    let mut text = String::new();
    let heard = &report["transcription"];
    if let Some(words) = heard["text"].as_str() {
        let model = heard["model"].as_str().unwrap_or_default();
        let confidence = &heard["confidence"];
        text.push_str(&format!(
            "{:26}“{words}” ({model}, confidence {confidence})\n",
            "transcription"
        ));
    }
    if let Some(confidence) = report["transcript_fit"]["confidence"].as_f64() {
        text.push_str(&format!("{:26}{confidence}\n", "transcript fit"));
    }
    text
}

/// What a report found, a line each.
fn report_lines(report: &Value) -> String {
    let mut text = transcription_line(report);
    for (kind, label) in [
        ("errors", "error"),
        ("warnings", "warning"),
        ("advice", "advice"),
    ] {
        for finding in report[kind].as_array().into_iter().flatten() {
            let message = finding["message"].as_str().or_else(|| finding.as_str());
            text.push_str(&format!("{label}: {}\n", message.unwrap_or_default()));
        }
    }
    if let Some(measured) = report["measurements"].as_object() {
        for (name, value) in measured {
            if !value.is_null() {
                let value = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                text.push_str(&format!("{:26}{value}\n", name.replace('_', " ")));
            }
        }
    }
    text
}
