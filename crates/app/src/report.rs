//! What was done, for programs and for people.

use std::{ops::Range, time::Duration};

use f5tts_engine::{
    SAMPLE_RATE_HZ, Speech,
    align::{AlignError, Alignment, TimingReport, TimingStatus},
};
use serde::Serialize;

/// The answer of `say --json`.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The file; `-` for standard output.
    pub(crate) path: String,
    /// Seconds.
    pub(crate) duration: f64,
    pub(crate) sample_rate: u32,
    pub(crate) format: &'static str,
    pub(crate) seed: u64,
    pub(crate) model: String,
    pub(crate) device: String,
    pub(crate) voice: String,
    pub(crate) text: String,
    pub(crate) chunks: Vec<ChunkReport>,
    #[serde(flatten)]
    pub(crate) timings: Option<TimingReport>,
    pub(crate) evaluations: usize,
    /// Seconds of work for a second of speech, without loading.
    pub(crate) rtf: f64,
    pub(crate) warnings: Vec<String>,
    pub(crate) metrics: Metrics,
}

/// A part of the text that was spoken at once.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct ChunkReport {
    pub(crate) text: String,
    pub(crate) voice: String,
    pub(crate) start_time: f64,
    pub(crate) end_time: f64,
}

/// How long each stage took, in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Metrics {
    pub(crate) load_ms: f64,
    pub(crate) voice_ms: f64,
    pub(crate) text_ms: f64,
    pub(crate) synthesis_ms: f64,
    pub(crate) vocoder_ms: f64,
    pub(crate) stitch_ms: f64,
    pub(crate) alignment_ms: f64,
    pub(crate) encode_ms: f64,
    pub(crate) rtf: f64,
    pub(crate) chunks: usize,
    pub(crate) evaluations: usize,
}

impl Report {
    /// Tells of the words, or why they were not found.
    pub(crate) fn add_timings(&mut self, words: Option<&Result<Alignment, AlignError>>) {
        self.timings = words.map(TimingReport::from);
        if let Some(TimingReport { timings: TimingStatus::Failed { reason }, .. }) = &self.timings {
            self.warnings.push(format!("words have no times: {reason}"));
        }
    }

    /// The closing line.
    pub(crate) fn summary(&self) -> String {
        let Self { path, duration, rtf, model, voice, seed, .. } = self;
        let name = if path == "-" { "standard output" } else { path };
        let work = rtf * duration;
        format!(
            "{name}: {duration:.1} s of speech in {work:.1} s (RTF {rtf:.2}), model {model}, voice {voice}, seed {seed}"
        )
    }
}

/// The chunks of a speech; `voices` has the name of each part's.
pub(crate) fn chunks(speech: &Speech, voices: &[&str]) -> Vec<ChunkReport> {
    let seconds = |sample: usize| rounded(samples_to_seconds(sample), 1e4);
    let report = |chunk: &f5tts_engine::Chunk, place: Range<usize>| ChunkReport {
        text: chunk.text.clone(),
        voice: voices
            .get(chunk.part)
            .copied()
            .unwrap_or_default()
            .to_owned(),
        start_time: seconds(place.start),
        end_time: seconds(place.end),
    };
    let chunks = speech.chunks.iter();
    chunks
        .map(|chunk| report(chunk, speech.place(chunk)))
        .collect()
}

/// Milliseconds with one digit.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    rounded(duration.as_secs_f64() * 1e3, 10.0)
}

/// A number with the digits that `scale`, a power of ten, stands for.
pub(crate) fn rounded(value: f64, scale: f64) -> f64 {
    (value * scale).round() / scale
}

#[expect(
    clippy::cast_precision_loss,
    reason = "speech has less than 2^53 samples"
)]
fn samples_to_seconds(samples: usize) -> f64 {
    samples as f64 / f64::from(SAMPLE_RATE_HZ)
}

#[cfg(test)]
mod tests {
    use f5tts_engine::Chunk;

    use super::*;

    fn speech(kept: Option<Vec<Range<usize>>>, samples: usize) -> Speech {
        let chunk = |part, start_sample| Chunk {
            text: format!("Text {part}."),
            part,
            frames: 100,
            start_sample,
            samples: 24_000,
        };
        Speech {
            samples: vec![0.0; samples],
            sample_rate_hz: SAMPLE_RATE_HZ,
            mel: Vec::new(),
            chunks: vec![chunk(0, 0), chunk(1, 24_000)],
            kept,
            evaluations: 2,
            times: Default::default(),
            warnings: Vec::new(),
        }
    }

    fn times(chunks: &[ChunkReport]) -> Vec<(f64, f64)> {
        chunks
            .iter()
            .map(|chunk| (chunk.start_time, chunk.end_time))
            .collect()
    }

    #[test]
    fn chunks_have_times_and_voices() {
        let chunks = chunks(&speech(None, 48_000), &["slt", "rms"]);
        assert_eq!(times(&chunks), [(0.0, 1.0), (1.0, 2.0)]);
        assert_eq!(chunks[1].voice, "rms");
    }

    #[test]
    fn times_of_chunks_follow_the_removal_of_silence() {
        let kept = vec![0..12_000, 36_000..48_000];
        let chunks = chunks(&speech(Some(kept), 24_000), &["slt", "rms"]);
        assert_eq!(times(&chunks), [(0.0, 0.5), (0.5, 1.0)]);
    }
}
