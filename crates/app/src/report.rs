//! What was done, for programs and for people.

use std::time::Duration;

use f5tts_engine::{SAMPLE_RATE_HZ, Speech};
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
    pub(crate) encode_ms: f64,
    pub(crate) rtf: f64,
    pub(crate) chunks: usize,
    pub(crate) evaluations: usize,
}

impl Report {
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
    let seconds = |sample: usize| {
        let sample = match &speech.kept {
            Some(kept) => kept_before(kept, sample),
            None => sample.min(speech.samples.len()),
        };
        rounded(samples_to_seconds(sample), 1e4)
    };
    let chunk = |chunk: &f5tts_engine::Chunk| ChunkReport {
        text: chunk.text.clone(),
        voice: voices
            .get(chunk.part)
            .copied()
            .unwrap_or_default()
            .to_owned(),
        start_time: seconds(chunk.start_sample),
        end_time: seconds(chunk.start_sample + chunk.samples),
    };
    speech.chunks.iter().map(chunk).collect()
}

/// How many samples are left before a place of the speech that silence was not yet removed from.
fn kept_before(kept: &[std::ops::Range<usize>], sample: usize) -> usize {
    kept.iter()
        .map(|range| range.end.min(sample).saturating_sub(range.start))
        .sum()
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

    fn speech(kept: Option<Vec<std::ops::Range<usize>>>, samples: usize) -> Speech {
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
