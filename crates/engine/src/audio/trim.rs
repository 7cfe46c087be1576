use super::{
    recording::{Recording, Warning},
    segment::Segment,
    silence::{SilenceRule, split_on_silence},
};

/// The official implementation clips references to this.
const LONGEST_MS: usize = 12_000;
/// Once this much is there, a stretch of speech that would exceed [`LONGEST_MS`] is left out.
const ENOUGH_MS: usize = 6_000;
/// What is quieter at either end is cut off.
const EDGE_DBFS: f64 = -42.0;
const EDGE_STEP_MS: usize = 10;
/// Silence at the end keeps the last sound from leaking into what is generated.
const TAIL_MS: usize = 50;

const LONG_PAUSES: SilenceRule =
    SilenceRule { shortest_ms: 1000, threshold_dbfs: -50.0, keep_ms: 1000 };
const SHORT_PAUSES: SilenceRule =
    SilenceRule { shortest_ms: 100, threshold_dbfs: -40.0, keep_ms: 1000 };

/// Clips a reference to speech of at most 12 s, exactly as the official implementation does.
///
/// Pauses are shortened, the end is cut at a pause where there is one, the edges below −42 dBFS go,
/// and 50 ms of silence are appended. The result has at least 16 bits and 11 025 Hz, since the
/// official code joins the parts with silence of that kind; a recording that is silent throughout
/// becomes just the 50 ms, in that format. Warnings are kept, and [`Warning::Shortened`] is added
/// where speech was left out.
///
/// `preprocess_ref_audio_text` in
/// <https://github.com/SWivid/F5-TTS/blob/2ae2c9b/src/f5_tts/infer/utils_infer.py>
#[must_use]
pub fn trim_reference(recording: &Recording) -> Recording {
    let source = Segment::from_recording(recording);
    let mut joined = join(&source, LONG_PAUSES);
    if joined.speech.duration_ms() > LONGEST_MS {
        joined = join(&source, SHORT_PAUSES);
    }
    let mid_speech = joined.speech.duration_ms() > LONGEST_MS;
    if mid_speech {
        joined.speech = joined.speech.slice(0..LONGEST_MS);
    }
    let trimmed = without_quiet_edges(&joined.speech).append(Segment::silence(TAIL_MS));

    let mut warnings = recording.warnings().to_vec();
    let trimmed = trimmed.into_recording();
    if mid_speech || joined.left_out {
        warnings.push(Warning::Shortened { kept: trimmed.duration(), mid_speech });
    }
    trimmed.with_warnings(warnings)
}

struct Joined {
    speech: Segment,
    /// Whether there was more speech than fits.
    left_out: bool,
}

fn join(source: &Segment, rule: SilenceRule) -> Joined {
    let mut speech = Segment::silence(0);
    for stretch in split_on_silence(source, rule) {
        let stretch = source.slice(stretch);
        let is_enough = speech.duration_ms() > ENOUGH_MS;
        let longer = speech.clone().append(stretch);
        if is_enough && longer.duration_ms() > LONGEST_MS {
            return Joined { speech, left_out: true };
        }
        speech = longer;
    }
    Joined { speech, left_out: false }
}

fn without_quiet_edges(segment: &Segment) -> Segment {
    let segment = segment.slice(leading_quiet_ms(segment)..segment.duration_ms());
    match leading_quiet_ms(&segment.reversed()) {
        0 => segment,
        quiet => segment.slice(0..segment.duration_ms() - quiet),
    }
}

fn leading_quiet_ms(segment: &Segment) -> usize {
    let duration_ms = segment.duration_ms();
    let chunks = (0..duration_ms).step_by(EDGE_STEP_MS);
    chunks
        .map(|start| start..start + EDGE_STEP_MS)
        .find(|chunk| segment.level_dbfs(chunk.clone()) >= EDGE_DBFS)
        .map_or(duration_ms, |chunk| chunk.start)
}
