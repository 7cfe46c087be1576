//! From samples to files: word timings, resampling, encoding. All of it computes and none of it waits.

use std::time::{Duration, Instant};

use f5tts_engine::{
    Speech,
    audio::{self, Encoded},
};

use crate::{
    failure::{ErrorCode, Failure},
    request::SpeechRequest,
    storage::{AudioExtension, TimingExtension},
    synthesis::Synthesis,
};

/// What becomes of speech.
#[derive(Debug)]
pub(crate) struct Rendered {
    pub(crate) audio: Encoded,
    /// The ending of the audio in the store.
    pub(crate) extension: AudioExtension,
    pub(crate) seconds: f64,
    pub(crate) timed: Timed,
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

/// What became of the timing of words.
#[derive(Debug)]
pub(crate) enum Timed {
    /// The client did not ask.
    NotAsked,
    /// Every word has its place.
    Aligned(Alignment),
    /// They could not be measured; why.
    Failed(String),
}
/// The words of a text, and how sure they are.
#[derive(Debug)]
pub(crate) struct Alignment {
    pub(crate) words: Vec<String>,
    pub(crate) method: &'static str,
    pub(crate) confidence: f64,
}
fn time_words(_: &SpeechRequest, _: &Speech) -> Timed {
    Timed::Failed("this version does not measure them".to_owned())
}
fn timing_files(_: &SpeechRequest, _: &Timed, _: f64) -> Vec<(TimingExtension, String)> {
    vec![]
}

/// Renders on a thread of its own.
pub(crate) async fn render(
    request: &SpeechRequest,
    synthesis: Synthesis,
) -> Result<Rendered, Failure> {
    let request = request.clone();
    tokio::task::spawn_blocking(move || render_now(&request, &synthesis))
        .await
        .map_err(|error| Failure::because(ErrorCode::Internal, &error))?
}

fn render_now(request: &SpeechRequest, synthesis: &Synthesis) -> Result<Rendered, Failure> {
    let speech = &synthesis.speech;
    let start = Instant::now();
    let timed = time_words(request, speech);
    let timing_files = timing_files(request, &timed, speech.seconds());
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
        timed,
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
