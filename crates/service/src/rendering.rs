//! From samples to files: word timings, resampling, encoding. All of it computes and none of it waits.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use f5tts_engine::{
    Speech,
    align::TimingReport,
    audio::{self, Encoded},
    subtitles,
};

use crate::{
    failure::{ErrorCode, Failure},
    request::SpeechRequest,
    storage::{AudioExtension, TimingExtension},
    synthesis::{Synthesis, Synthesizer},
};

/// What becomes of speech.
#[derive(Debug)]
pub(crate) struct Rendered {
    pub(crate) audio: Encoded,
    /// The ending of the audio in the store.
    pub(crate) extension: AudioExtension,
    pub(crate) seconds: f64,
    /// The words, if they were asked for.
    pub(crate) timings: Option<TimingReport>,
    /// The content of each timing file.
    pub(crate) timing_files: Vec<(TimingExtension, String)>,
    pub(crate) warnings: Vec<String>,
    pub(crate) times: Times,
    pub(crate) chunks: usize,
    pub(crate) evaluations: usize,
}

/// How long each stage took.
#[derive(Debug, Default)]
pub(crate) struct Times {
    pub(crate) queued: Duration,
    pub(crate) loading: Duration,
    pub(crate) synthesis: Duration,
    pub(crate) vocoder: Duration,
    pub(crate) alignment: Duration,
    pub(crate) encoding: Duration,
}

impl Times {
    /// All but the waiting.
    pub(crate) fn work(&self) -> Duration {
        self.synthesis + self.vocoder + self.alignment + self.encoding
    }
}

/// Renders on a thread of its own.
pub(crate) async fn render(
    synthesizer: &Arc<dyn Synthesizer>,
    request: &SpeechRequest,
    synthesis: Synthesis,
) -> Result<Rendered, Failure> {
    let (synthesizer, request) = (Arc::clone(synthesizer), request.clone());
    tokio::task::spawn_blocking(move || render_now(&*synthesizer, &request, &synthesis))
        .await
        .map_err(|error| Failure::because(ErrorCode::Internal, &error))?
}

fn render_now(
    synthesizer: &dyn Synthesizer,
    request: &SpeechRequest,
    synthesis: &Synthesis,
) -> Result<Rendered, Failure> {
    let speech = &synthesis.speech;
    let start = Instant::now();
    let timings = time_words(synthesizer, request, speech);
    let timing_files = timing_files(request, timings.as_ref())?;
    let alignment = start.elapsed();
    let start = Instant::now();
    let rate_hz = request.sample_rate_hz;
    let samples = audio::resample_output(&speech.samples, speech.sample_rate_hz, rate_hz);
    let audio = audio::encode(&samples, rate_hz, request.format)
        .map_err(|error| Failure::because(ErrorCode::Internal, &error))?;
    let extension = audio
        .extension
        .parse()
        .map_err(|error| Failure::because(ErrorCode::Internal, &error))?;
    let encoding = start.elapsed();
    let mut warnings: Vec<String> = speech.warnings.iter().map(ToString::to_string).collect();
    if audio.clipped > 0 {
        let clipped = audio.clipped;
        warnings.push(format!("{clipped} samples were beyond full scale and were clipped"));
    }
    Ok(Rendered {
        audio,
        extension,
        seconds: speech.seconds(),
        timings,
        timing_files,
        warnings,
        times: Times {
            queued: synthesis.queued,
            loading: synthesis.loading,
            synthesis: speech.times.text + speech.times.sampling,
            vocoder: speech.times.vocoder + speech.times.stitch,
            alignment,
            encoding,
        },
        chunks: speech.chunks.len(),
        evaluations: speech.evaluations,
    })
}

fn time_words(
    synthesizer: &dyn Synthesizer,
    request: &SpeechRequest,
    speech: &Speech,
) -> Option<TimingReport> {
    if !request.word_timings && request.timing_format.is_none() {
        return None;
    }
    let pieces = request.script.pieces().iter();
    let texts: Vec<_> = pieces.map(|piece| piece.text.as_str()).collect();
    Some((&synthesizer.align(speech, &texts)).into())
}

/// All formats, if one was asked for and the words were found.
fn timing_files(
    request: &SpeechRequest,
    timings: Option<&TimingReport>,
) -> Result<Vec<(TimingExtension, String)>, Failure> {
    let words = timings.and_then(|timings| timings.word_timings.as_deref());
    let (Some(words), Some(_)) = (words, request.timing_format) else {
        return Ok(Vec::new());
    };
    let write = |format: subtitles::Format| {
        let extension = format.name().parse();
        let extension = extension.map_err(|error| Failure::because(ErrorCode::Internal, &error))?;
        Ok((extension, format.write(words)))
    };
    subtitles::Format::ALL.into_iter().map(write).collect()
}
