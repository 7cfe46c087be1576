//! What a client reads about a job.

use std::time::Duration;

use f5tts_engine::align::{TimingReport, TimingStatus};
use serde_json::{Map, Value, json};

use crate::{
    jobs::{Event, History, Outcome},
    rendering::Rendered,
    request::SpeechRequest,
    storage::JobId,
    voices::ReadyVoice,
};

/// What the service knows of a job that was spoken.
#[derive(Debug)]
pub(crate) struct Spoken<'a> {
    pub(crate) job: &'a JobId,
    pub(crate) request: &'a SpeechRequest,
    pub(crate) seed: u64,
    pub(crate) model: &'a str,
    /// The voice of each piece.
    pub(crate) voices: &'a [ReadyVoice],
    pub(crate) warnings: &'a [String],
    pub(crate) voice_time: Duration,
    pub(crate) store_time: Duration,
}

/// The answer, as far as it stays the same for ever.
pub(crate) fn outcome(spoken: &Spoken<'_>, rendered: &Rendered) -> Outcome {
    let request = spoken.request;
    let mut answer = object(json!({
        "job_id": spoken.job.as_str(),
        "status": "COMPLETED",
        "content_type": rendered.audio.content_type,
        "duration": rounded(rendered.seconds, 1e4),
        "sample_rate": request.sample_rate_hz,
        "word_count": word_count(request, rendered),
        "seed": spoken.seed,
        "voice": spoken.voices.first().map(|voice| &voice.name),
        "voice_version": spoken.voices.first().map(|voice| &voice.version),
        "text": request.text,
        "model": spoken.model,
        "metrics": metrics(spoken, rendered),
    }));
    if spoken
        .voices
        .iter()
        .any(|voice| voice.name != spoken.voices[0].name)
    {
        answer.insert("voices".to_owned(), versions(spoken.voices));
    }
    answer.extend(timings(request, rendered.timings.as_ref()));
    answer.insert("warnings".to_owned(), warnings(spoken, rendered).into());
    Outcome {
        answer,
        audio: rendered.extension.to_string(),
        timings: rendered
            .timing_files
            .iter()
            .map(|(extension, _)| extension.to_string())
            .collect(),
    }
}

/// The words that were timed, else those between blanks.
fn word_count(request: &SpeechRequest, rendered: &Rendered) -> usize {
    let timed = rendered
        .timings
        .as_ref()
        .and_then(|timings| timings.word_timings.as_ref());
    timed.map_or_else(|| request.text.split_whitespace().count(), Vec::len)
}

/// Adds warnings to those that an answer may have.
pub(crate) fn warn(answer: &mut Value, warnings: Vec<String>) {
    if warnings.is_empty() {
        return;
    }
    let all = &mut answer["warnings"];
    match all.as_array_mut() {
        Some(all) => all.extend(warnings.into_iter().map(Value::from)),
        None => *all = warnings.into(),
    }
}

/// What `status` says.
pub(crate) fn status(history: &History, live_progress: Option<f64>) -> Value {
    let mut answer = object(json!({
        "job_id": history.job().as_str(),
        "status": history.state().name(),
        "progress": 0.0,
        "created_at": history.created().to_string(),
        "updated_at": history.changed().to_string(),
    }));
    match &history.last().event {
        Event::Queued(_) => {}
        Event::Processing { progress, .. } => {
            let progress = rounded(live_progress.unwrap_or(*progress), 1e3);
            answer.insert("progress".to_owned(), progress.into());
        }
        Event::Completed(_) => {
            answer.insert("progress".to_owned(), 1.0.into());
        }
        Event::Error { error, error_code } => {
            answer.insert("error".to_owned(), error.as_str().into());
            answer.insert("error_code".to_owned(), json!(error_code));
        }
    }
    Value::Object(answer)
}

fn timings(request: &SpeechRequest, timings: Option<&TimingReport>) -> Map<String, Value> {
    let Some(timings) = timings else {
        return Map::new();
    };
    let mut fields = object(json!(timings));
    if let TimingStatus::Aligned { confidence, .. } = timings.timings {
        fields.insert("timing_confidence".to_owned(), confidence.into());
    }
    if let Some(format) = request.timing_format {
        fields.insert("timing_format".to_owned(), format.name().into());
    }
    fields
}

fn warnings(spoken: &Spoken<'_>, rendered: &Rendered) -> Vec<String> {
    let mut warnings = spoken.warnings.to_vec();
    for voice in spoken.voices {
        // Who speaks several pieces is told of once.
        let new = |warning: &&String| !warnings.contains(warning);
        let own: Vec<_> = voice.warnings.iter().filter(new).cloned().collect();
        warnings.extend(own);
    }
    warnings.extend(rendered.warnings.iter().cloned());
    if let Some(TimingStatus::Failed { reason }) =
        rendered.timings.as_ref().map(|timings| &timings.timings)
    {
        warnings.push(format!("there are no word timings: {reason}"));
    }
    warnings
}

fn versions(voices: &[ReadyVoice]) -> Value {
    let versions = voices
        .iter()
        .map(|voice| (voice.name.clone(), voice.version.as_str().into()));
    Value::Object(versions.collect())
}

fn metrics(spoken: &Spoken<'_>, rendered: &Rendered) -> Value {
    let times = &rendered.times;
    let work = spoken.voice_time + times.work();
    let transcription = transcription(spoken.voices);
    json!({
        "queue_ms": milliseconds(times.queued),
        "load_ms": milliseconds(times.loading),
        "transcription_ms": milliseconds(transcription),
        "voice_ms": milliseconds(spoken.voice_time.saturating_sub(transcription)),
        "synthesis_ms": milliseconds(times.synthesis),
        "vocoder_ms": milliseconds(times.vocoder),
        "alignment_ms": milliseconds(times.alignment),
        "encode_ms": milliseconds(times.encoding),
        "store_ms": milliseconds(spoken.store_time),
        "rtf": rounded(work.as_secs_f64() / rendered.seconds.max(f64::MIN_POSITIVE), 1e4),
        "chunks": rendered.chunks,
        "evaluations": rendered.evaluations,
    })
}

/// How long was waited for what is said in the voices, each of which may speak several pieces.
fn transcription(voices: &[ReadyVoice]) -> Duration {
    let mut counted: Vec<&str> = Vec::new();
    let mut sum = Duration::ZERO;
    for voice in voices {
        if !counted.contains(&voice.name.as_str()) {
            counted.push(&voice.name);
            sum += voice.transcription;
        }
    }
    sum
}

/// The fields of an object; none of anything else.
pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    }
}

fn milliseconds(duration: Duration) -> f64 {
    rounded(duration.as_secs_f64() * 1e3, 10.0)
}

/// A number with the digits that `scale`, a power of ten, stands for.
fn rounded(value: f64, scale: f64) -> f64 {
    (value * scale).round() / scale
}
