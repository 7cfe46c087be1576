use std::ops::Range;

use super::segment::{Energy, Segment};

/// Levels are looked at every so many milliseconds.
const STEP_MS: usize = 10;

/// What counts as silence, and how much of it stays around speech.
#[derive(Clone, Copy, Debug)]
pub(super) struct SilenceRule {
    pub(super) shortest_ms: usize,
    pub(super) threshold_dbfs: f64,
    pub(super) keep_ms: usize,
}

/// What is left of speech after long pauses were shortened.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// The samples that stay, one range after the other.
    pub samples: Vec<f32>,
    /// Where they stood before: ascending ranges of sample indices that do not overlap.
    pub ranges: Vec<Range<usize>>,
}

/// Shortens every pause of at least one second to half a second on either side of the speech.
///
/// The same cuts as the official `remove_silence_for_generated_wav`, which measures 16-bit samples;
/// if everything is silent, nothing stays. The official file may end with up to half a millisecond
/// of zeros more, where the last range ends with the samples.
pub fn remove_silence(samples: &[f32], sample_rate_hz: u32) -> Kept {
    const RULE: SilenceRule =
        SilenceRule { shortest_ms: 1000, threshold_dbfs: -50.0, keep_ms: 500 };
    let pcm = samples.iter().map(|&sample| to_i16(sample)).collect();
    let segment = Segment::mono16(pcm, sample_rate_hz);
    let ranges: Vec<_> = split_on_silence(&segment, RULE)
        .into_iter()
        .map(|ms| segment.frame_at(ms.start)..segment.frame_at(ms.end).min(samples.len()))
        .collect();
    let kept = ranges.iter().flat_map(|range| &samples[range.clone()]);
    Kept { samples: kept.copied().collect(), ranges }
}

/// The sample that libsndfile writes to a 16-bit file for a float.
#[expect(clippy::cast_possible_truncation, reason = "limited to the range")]
fn to_i16(sample: f32) -> i32 {
    (sample * 32_768.0).floor().clamp(-32_768.0, 32_767.0) as i32
}

/// Finds the stretches of speech, in milliseconds: pydub's `split_on_silence`.
/// <https://github.com/jiaaro/pydub/blob/v0.25.1/pydub/silence.py>
pub(super) fn split_on_silence(segment: &Segment, rule: SilenceRule) -> Vec<Range<usize>> {
    let duration_ms = segment.duration_ms();
    let keep = rule.keep_ms as i64;
    let mut stretches: Vec<(i64, i64)> = nonsilent(&silent(segment, rule), duration_ms)
        .into_iter()
        .map(|stretch| (stretch.start as i64 - keep, stretch.end as i64 + keep))
        .collect();
    for next in 1..stretches.len() {
        let (end, start) = (stretches[next - 1].1, stretches[next].0);
        if start < end {
            let middle = (end + start).div_euclid(2);
            stretches[next - 1].1 = middle;
            stretches[next].0 = middle;
        }
    }
    let clamp = |ms: i64| usize::try_from(ms).unwrap_or(0).min(duration_ms);
    stretches
        .into_iter()
        .map(|(start, end)| clamp(start)..clamp(end))
        .collect()
}

/// Finds the silent ranges, in milliseconds.
fn silent(segment: &Segment, rule: SilenceRule) -> Vec<Range<usize>> {
    let Some(last_start) = segment.duration_ms().checked_sub(rule.shortest_ms) else {
        return Vec::new();
    };
    let threshold = 10_f64.powf(rule.threshold_dbfs / 20.0) * segment.format().full_scale();
    let mut energy = Energy::new(segment);
    let odd_end = (last_start % STEP_MS != 0).then_some(last_start);
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for start in (0..=last_start).step_by(STEP_MS).chain(odd_end) {
        let end = start + rule.shortest_ms;
        if energy.rms(segment.frame_at(start)..segment.frame_at(end)) > threshold {
            continue;
        }
        match ranges.last_mut() {
            // Windows that touch are one silence, whatever short noise is between them.
            Some(last) if start <= last.end => last.end = end,
            _ => ranges.push(start..end),
        }
    }
    ranges
}

/// The gaps between silent ranges.
fn nonsilent(silent: &[Range<usize>], duration_ms: usize) -> Vec<Range<usize>> {
    match silent.first() {
        None => return std::iter::once(0..duration_ms).collect(),
        Some(first) if *first == (0..duration_ms) => return Vec::new(),
        Some(_) => {}
    }
    let mut stretches = Vec::new();
    let mut previous_end = 0;
    for range in silent {
        if range.start > 0 {
            stretches.push(previous_end..range.start);
        }
        previous_end = range.end;
    }
    if previous_end != duration_ms {
        stretches.push(previous_end..duration_ms);
    }
    stretches
}
