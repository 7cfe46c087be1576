use f5tts_engine::{
    duration::{self, MAX_FRAMES, Pace, PaceError, SHORT_TEXT_BYTES, Speed},
    stitch::CrossFade,
    text::{
        chunk::chunk_text,
        plan::{Length, PlanError, PlanOptions, Reference, plan},
        reference::ReferenceText,
    },
};
use proptest::prelude::*;
use serde_json::Value;

use crate::golden::{number, table};

/// The arguments of one golden.
struct Case<'a> {
    text: &'a str,
    transcript: &'a str,
    seconds: f64,
    samples: usize,
    speed: Speed,
    fix_duration: Option<f64>,
}

impl<'a> Case<'a> {
    fn new(case: &'a Value, long_text: &'a str) -> Self {
        let text = case["gen_text"].as_str().unwrap();
        let samples = number(&case["ref_samples"]);
        let rate = number(&case["sr"]);
        Self {
            text: if text == "@LONG_EN" { long_text } else { text },
            transcript: case["ref_text"].as_str().unwrap(),
            seconds: samples as f64 / rate as f64,
            samples: (samples * 24_000).div_ceil(rate),
            speed: Speed::try_from(case["speed"].as_f64().unwrap()).unwrap(),
            fix_duration: case["fix_duration"].as_f64(),
        }
    }

    /// Chunks and durations with the single functions; the transcripts lack what ends them.
    fn frames(&self) -> Vec<usize> {
        let max_bytes = duration::chunk_bytes(self.transcript.len(), self.seconds, self.speed);
        let chunks = chunk_text(self.text, max_bytes);
        let blank = usize::from(self.transcript.ends_with(|last: char| last.is_ascii()));
        let pace = Pace::new(self.samples, self.transcript.len() + blank).unwrap();
        let bytes: Vec<_> = chunks.iter().map(String::len).collect();
        let Some(seconds) = self.fix_duration else {
            return bytes
                .iter()
                .map(|&bytes| pace.frames(bytes, self.speed))
                .collect();
        };
        pace.fixed_frames(seconds, &bytes, 0.15)
    }

    /// Chunks and durations in one go.
    fn planned_frames(&self) -> Vec<usize> {
        let text = ReferenceText::new(self.transcript).unwrap();
        let reference = Reference { text: &text, seconds: self.seconds, samples: self.samples };
        let options = PlanOptions {
            speed: self.speed,
            length: self
                .fix_duration
                .map_or(Length::Estimated, Length::WithReference),
            ..OPTIONS
        };
        plan(self.text, &reference, &options)
            .unwrap()
            .iter()
            .map(|chunk| chunk.frames)
            .collect()
    }
}

const OPTIONS: PlanOptions = PlanOptions {
    speed: Speed::NORMAL,
    length: Length::Estimated,
    cross_fade: CrossFade::DEFAULT,
    max_frames: MAX_FRAMES,
};

#[test]
fn durations_are_those_of_the_original() {
    let goldens = table("durations");
    let cases = goldens["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 65);
    for golden in cases {
        let case = Case::new(golden, goldens["LONG_EN"].as_str().unwrap());
        let max_bytes = duration::chunk_bytes(case.transcript.len(), case.seconds, case.speed);
        assert_eq!(Some(max_bytes), golden["max_chars"].as_i64(), "{golden}");
        let calls = golden["calls"].as_array().unwrap();
        let expected: Vec<_> = calls.iter().map(|call| number(&call["duration"])).collect();
        assert_eq!(case.frames(), expected, "{golden}");
        if ReferenceText::new(case.transcript).unwrap().as_str() == case.transcript {
            assert_eq!(case.planned_frames(), expected, "{golden}");
        }
    }
}

#[test]
fn clamping_is_that_of_the_original() {
    for case in table("duration_clamp").as_array().unwrap() {
        let [frames, tokens, mel_frames, max_frames, expected] = [
            "duration",
            "tokens",
            "ref_frames",
            "max_duration",
            "out_frames",
        ]
        .map(|key| number(&case[key]));
        assert_eq!(duration::clamp(frames, tokens, mel_frames, max_frames), expected, "{case}");
    }
}

#[test]
fn a_speed_outside_its_range_names_value_and_range() {
    for wrong in [0.29, 2.01, f64::NAN, f64::INFINITY, -1.0] {
        let error = Speed::try_from(wrong).unwrap_err();
        assert_eq!(error.to_string(), format!("speed is {wrong}, allowed is 0.3 to 2"));
    }
    assert!(Speed::try_from(0.3).is_ok() && Speed::try_from(2.0).is_ok());
}

#[test]
fn a_pace_needs_a_frame_and_a_text() {
    assert_eq!(Pace::new(255, 10), Err(PaceError::Recording { samples: 255 }));
    assert_eq!(Pace::new(256, 0), Err(PaceError::Transcript));
}

#[test]
fn a_reference_that_fills_the_model_is_refused() {
    let text = ReferenceText::new("Some call me nature.").unwrap();
    let reference = Reference { text: &text, seconds: 86.0, samples: 86 * 24_000 };
    let error =
        plan("Hello", &reference, &PlanOptions { max_frames: 8192, ..OPTIONS }).unwrap_err();
    assert!(
        matches!(error, PlanError::ReferenceTooLong { reference_frames: 8063, .. }),
        "{error}"
    );
}

#[test]
fn beside_a_long_reference_a_short_text_is_less_slow_instead_of_cut() {
    let text = ReferenceText::new("Some call me nature, others call me mother nature.").unwrap();
    let reference = Reference { text: &text, seconds: 21.9, samples: 525_600 };
    let options = PlanOptions { max_frames: 2_812, ..OPTIONS };
    let chunks = plan("Hi there!", &reference, &options).unwrap();
    assert_eq!(chunks.iter().map(|chunk| chunk.frames).collect::<Vec<_>>(), [2_812]);
}

#[test]
fn too_much_time_for_the_text_is_refused() {
    let text = ReferenceText::new("Some call me nature.").unwrap();
    let reference = Reference { text: &text, seconds: 2.0, samples: 48_000 };
    let options = PlanOptions { length: Length::Speech(600.0), max_frames: 8192, ..OPTIONS };
    let error = plan("Hi", &reference, &options).unwrap_err();
    assert!(matches!(error, PlanError::LengthTooLong { .. }), "{error}");
}

#[test]
fn the_length_of_the_speech_is_met_to_a_frame_a_chunk() {
    let text = ReferenceText::new("Some call me nature, others call me mother nature.").unwrap();
    let reference = Reference { text: &text, seconds: 5.0, samples: 120_000 };
    let options = PlanOptions { length: Length::Speech(40.0), ..OPTIONS };
    let chunks = plan(&"Hello, hello again. ".repeat(20), &reference, &options).unwrap();
    assert!(chunks.len() > 1);
    // The vocoder makes one frame less; neighbours overlap.
    let samples: usize = chunks
        .iter()
        .map(|chunk| (chunk.frames - 120_000 / 256 - 1) * 256)
        .sum();
    let seconds = samples as f64 / 24_000.0 - 0.15 * (chunks.len() - 1) as f64;
    assert!((seconds - 40.0).abs() <= chunks.len() as f64 * 256.0 / 24_000.0, "{seconds}");
}

/// A pace that speech can have, and some that it cannot.
fn paces() -> impl Strategy<Value = Pace> {
    (256_usize..1_000_000, 1_usize..3_000)
        .prop_map(|(samples, bytes)| Pace::new(samples, bytes).unwrap())
}

fn speeds() -> impl Strategy<Value = Speed> {
    (0.3_f64..=2.0).prop_map(|speed| Speed::try_from(speed).unwrap())
}

proptest! {
    #[test]
    fn the_largest_number_of_bytes_is_the_last_that_fits(
        pace in paces(), speed in speeds(), max_frames in 2_usize..9_000,
    ) {
        let fits = |bytes| pace.frames(bytes, speed) <= max_frames;
        let tokens_fit = pace.max_token_bytes(max_frames);
        let long = SHORT_TEXT_BYTES;
        match pace.max_bytes(speed, max_frames) {
            Some(most) => {
                prop_assert!((long..=most).all(fits));
                prop_assert!(most >= 4 && most <= tokens_fit.unwrap());
                prop_assert!(Some(most) == tokens_fit || most + 1 < long || !fits(most + 1));
            }
            None => prop_assert!(tokens_fit.is_none() || !fits(long)),
        }
    }

    #[test]
    fn no_chunk_exceeds_the_model(
        text in "[a-z .,。語א😀]{0,400}", pace_samples in 24_000_usize..400_000,
        max_frames in 3_000_usize..9_000, seconds in prop::option::of(0.1_f64..60.0),
    ) {
        let reference_text = ReferenceText::new("Some call me nature, others call me mother nature.").unwrap();
        let reference = Reference { text: &reference_text, seconds: pace_samples as f64 / 24_000.0, samples: pace_samples };
        let length = seconds.map_or(Length::Estimated, Length::Speech);
        let options = PlanOptions { length, max_frames, ..OPTIONS };
        if let Ok(chunks) = plan(&text, &reference, &options) {
            prop_assert!(chunks.iter().all(|chunk| chunk.frames <= max_frames));
        } else {
            prop_assert!(seconds.is_some(), "an estimated length can always be planned here");
        }
    }
}
