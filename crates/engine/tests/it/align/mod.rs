//! Words of speech whose synthesizer told where it put them (`tools/align/fixture.py`).

mod bad_input;
mod speech;

use std::{collections::HashMap, fs};

use f5tts_engine::{
    align::{AlignError, Aligner, Alignment},
    audio::{DecodeLimits, decode, resample},
    text::{pinyin::Edition, tokenize::Tokenizer},
};
use f5tts_testkit::Golden;
use serde::Deserialize;

const RATE_HZ: u32 = 16_000;
/// Every intact word is surer than this.
const SURE: f64 = 0.4;

/// Speech with its truth.
struct Utterance {
    samples: Vec<f32>,
    text: String,
    /// Start and end of every word, in seconds.
    times: Vec<(f64, f64)>,
}

#[derive(Deserialize)]
struct Truth {
    text: String,
    times: Vec<(f64, f64)>,
}

impl Utterance {
    fn open(name: &str) -> Self {
        let mut truth: HashMap<String, Truth> =
            serde_json::from_str(&Golden::text("align/truth.json")).unwrap();
        let Truth { text, times } = truth.remove(name).unwrap();
        let file = fs::read(Golden::path(format!("align/{name}.flac"))).unwrap();
        let recording = decode(&file, &DecodeLimits::default()).unwrap();
        assert_eq!(recording.format().sample_rate_hz, RATE_HZ);
        Self { samples: recording.to_mono(), text, times }
    }

    /// The samples of a word.
    fn place(&self, word: usize) -> std::ops::Range<usize> {
        let (start, end) = self.times[word];
        sample(start)..sample(end)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a few seconds"
)]
fn sample(seconds: f64) -> usize {
    (seconds * f64::from(RATE_HZ)) as usize
}

fn align(samples: &[f32], rate_hz: u32, text: &str) -> Result<Alignment, AlignError> {
    let tokenizer = Tokenizer::new(Edition::default());
    let aligner = Aligner::new(&tokenizer);
    aligner.align(samples, rate_hz, &aligner.words(text))
}

/// The same, however unlikely.
fn measure(samples: &[f32], text: &str) -> Result<Alignment, AlignError> {
    let tokenizer = Tokenizer::new(Edition::default());
    let aligner = Aligner::new(&tokenizer);
    aligner.measure(samples, RATE_HZ, &aligner.words(text))
}

/// The mean error of the borders, in milliseconds.
fn error_ms(alignment: &Alignment, times: &[(f64, f64)]) -> f64 {
    assert_eq!(alignment.words.len(), times.len());
    let borders = alignment.words.iter().zip(times);
    let errors =
        borders.map(|(word, (start, end))| (word.start - start).abs() + (word.end - end).abs());
    1000.0 * errors.sum::<f64>() / (2 * times.len()) as f64
}

/// Uniform noise within ±`level`, always the same.
fn noise(samples: usize, level: f32) -> Vec<f32> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((state >> 8) as f32 / (1 << 23) as f32 - 1.0) * level
    };
    std::iter::repeat_with(next).take(samples).collect()
}

#[test]
fn words_are_found_where_the_synthesizer_put_them() {
    for name in ["harbor", "flight"] {
        let Utterance { samples, text, times } = Utterance::open(name);
        let alignment = align(&samples, RATE_HZ, &text).unwrap();
        let error = error_ms(&alignment, &times);
        assert!(error < 15.0, "{name}: {error} ms");
        assert!(alignment.words.iter().all(|word| word.confidence > SURE), "{alignment:?}");
        assert_eq!(alignment.missing().count(), 0);
        let words: Vec<&str> = alignment
            .words
            .iter()
            .map(|word| word.word.as_str())
            .collect();
        assert_eq!(words.join(" "), text);
    }
}

#[test]
fn rate_gain_and_noise_hardly_matter() {
    let Utterance { samples, text, times } = Utterance::open("harbor");
    let louder = samples.iter().map(|sample| sample * 0.02).collect();
    let noisy = samples
        .iter()
        .zip(noise(samples.len(), 0.004))
        .map(|(a, b)| a + b)
        .collect();
    let changed: [(&str, u32, Vec<f32>); 5] = [
        ("8 kHz", 8_000, resample(&samples, RATE_HZ, 8_000)),
        ("22.05 kHz", 22_050, resample(&samples, RATE_HZ, 22_050)),
        ("44.1 kHz", 44_100, resample(&samples, RATE_HZ, 44_100)),
        ("a fiftieth as loud", RATE_HZ, louder),
        ("noise", RATE_HZ, noisy),
    ];
    for (name, rate_hz, samples) in changed {
        let error = error_ms(&align(&samples, rate_hz, &text).unwrap(), &times);
        assert!(error < 25.0, "{name}: {error} ms");
    }
}

#[test]
fn the_confidence_of_a_spoiled_word_falls_and_others_keep_theirs() {
    let utterance = Utterance::open("harbor");
    let harbor = 7;
    let place = utterance.place(harbor);
    for mask in [vec![0.0; place.len()], noise(place.len(), 0.1)] {
        let mut samples = utterance.samples.clone();
        samples[place.clone()].copy_from_slice(&mask);
        let alignment = align(&samples, RATE_HZ, &utterance.text).unwrap();
        let confidences: Vec<f64> = alignment.words.iter().map(|word| word.confidence).collect();
        assert!(confidences[harbor] < 0.2, "{confidences:?}");
        assert!(alignment.missing().eq([harbor]), "{confidences:?}");
        let others = confidences
            .iter()
            .enumerate()
            .filter(|&(index, _)| index.abs_diff(harbor) > 1);
        assert!(others.into_iter().all(|(_, &confidence)| confidence > SURE), "{confidences:?}");
    }
}

#[test]
fn another_text_is_refused() {
    let Utterance { samples, .. } = Utterance::open("harbor");
    let result = align(&samples, RATE_HZ, "Please send us seventeen cups of jasmine tea quickly.");
    assert!(matches!(result, Err(AlignError::Mismatch { .. })), "{result:?}");
}

#[test]
fn numbers_and_what_stands_for_them_in_words_are_found_alike() {
    let Utterance { samples, text, .. } = Utterance::open("flight");
    let written = align(&samples, RATE_HZ, &text).unwrap();
    let spelled = text
        .replace("482", "four-hundred-eighty-two")
        .replace("35", "thirty-five");
    let spelled = align(&samples, RATE_HZ, &spelled).unwrap();
    for (written, spelled) in written.words.iter().zip(&spelled.words) {
        let apart = (written.start - spelled.start)
            .abs()
            .max((written.end - spelled.end).abs());
        assert!(apart < 0.05, "{written:?} {spelled:?}");
    }
}
