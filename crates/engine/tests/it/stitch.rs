use f5tts_engine::stitch::{CrossFade, Joined, concatenate, cross_fade};
use proptest::prelude::*;

use crate::golden::{floats, number, table};

fn overlap(samples: usize) -> CrossFade {
    // Half a sample keeps clear of the truncation.
    let seconds = if samples == 0 {
        0.0
    } else {
        (samples as f64 + 0.5) / 24_000.0
    };
    let overlap = CrossFade::try_from(seconds).unwrap();
    assert_eq!(overlap.samples(), samples);
    overlap
}

#[test]
fn ramps_are_those_of_the_original() {
    let golden = table("crossfade");
    let samples = number(&golden["samples"]);
    assert_eq!(CrossFade::DEFAULT.samples(), samples);
    let (ones, zeros) = (vec![1.0; samples], vec![0.0; samples]);
    let fade_out = cross_fade(&[&ones, &zeros], CrossFade::DEFAULT).samples;
    assert_eq!(fade_out[..4], floats(&golden["fade_out_first"]));
    let fade_in = cross_fade(&[&zeros, &ones], CrossFade::DEFAULT).samples;
    assert_eq!(fade_in[samples - 4..], floats(&golden["fade_in_last"]));
}

#[test]
fn neighbours_overlap_and_starts_tell_where() {
    let joined = cross_fade(&[[1.0_f32; 5], [3.0; 5], [5.0; 5]], overlap(3));
    assert_eq!(joined.samples, [1.0, 1.0, 1.0, 2.0, 3.0, 4.0, 5.0, 5.0, 5.0]);
    assert_eq!(joined.starts, [0, 2, 4]);
}

#[test]
fn one_sample_of_overlap_is_that_of_the_first() {
    let joined = cross_fade(&[[1.0_f32, 2.0], [3.0, 4.0]], overlap(1));
    assert_eq!(joined.samples, [1.0, 2.0, 4.0]);
}

#[test]
fn an_overlap_is_no_longer_than_what_is_joined() {
    let joined = cross_fade(&[vec![1.0], vec![], vec![2.0; 2], vec![3.0; 9]], overlap(5));
    assert_eq!(joined.starts, [0, 1, 0, 0]);
    assert_eq!(joined.samples.len(), 9);
}

#[test]
fn voices_follow_each_other() {
    let piece = |starts: &[usize]| Joined { samples: vec![0.5; 4], starts: starts.to_vec() };
    let joined = concatenate([
        piece(&[0, 2]),
        piece(&[0]),
        Joined::default(),
        piece(&[0, 1]),
    ]);
    assert_eq!(joined.starts, [0, 2, 4, 8, 9]);
    assert_eq!(joined.samples.len(), 12);
}

#[test]
fn an_overlap_outside_its_range_is_refused() {
    let error = CrossFade::try_from(1.5).unwrap_err();
    assert_eq!(error.to_string(), "cross_fade_duration is 1.5, allowed is 0 to 1");
}

proptest! {
    #[test]
    fn equal_waves_join_to_the_same(lengths in prop::collection::vec(0_usize..50, 1..6), samples in 0_usize..20) {
        let chunks: Vec<_> = lengths.iter().map(|&length| vec![0.25_f32; length]).collect();
        let joined = cross_fade(&chunks, overlap(samples));
        prop_assert!(joined.samples.iter().all(|sample| (sample - 0.25).abs() < 1e-6));
        prop_assert_eq!(joined.starts.len(), chunks.len());
        for (start, length) in joined.starts.iter().zip(lengths) {
            prop_assert!(start + length <= joined.samples.len());
        }
    }

    #[test]
    fn without_overlap_waves_are_appended(chunks in prop::collection::vec(prop::collection::vec(-1.0_f32..1.0, 0..9), 0..6)) {
        prop_assert_eq!(cross_fade(&chunks, CrossFade::NONE).samples, chunks.concat());
    }
}
