//! Whisper against transformers, and against files and recordings that are not as they should be.

#![expect(
    clippy::unwrap_used,
    clippy::cast_sign_loss,
    reason = "tests fail by panicking; goldens hold unsigned numbers as i32"
)]

#[cfg(feature = "cuda-emulation")]
mod cuda;

use std::{fs, path::Path, sync::Arc};

use f5tts_asr::{AsrError, ModelFiles, Options, Transcript, Whisper, log_mel};
use f5tts_engine::{
    Stop,
    audio::{DecodeLimits, decode},
};
use f5tts_kernels::{Cpu, CpuOptions};
use f5tts_testkit::{Golden, Tolerance, assert_close};
use tempfile::TempDir;

const MODELS: [(&str, usize); 3] = [("multilingual", 80), ("large", 128), ("english", 80)];

fn speech() -> Vec<f32> {
    let bytes = fs::read(Golden::path("align/harbor.flac")).unwrap();
    decode(&bytes, &DecodeLimits::default()).unwrap().to_mono()
}

fn open(directory: &Path) -> Result<Whisper<Cpu>, AsrError> {
    let cpu = Arc::new(Cpu::new(CpuOptions::default()).unwrap());
    Whisper::load(cpu, &ModelFiles::in_directory(directory)?)
}

fn whisper(model: &str) -> Whisper<Cpu> {
    open(&Golden::path(format!("asr/{model}"))).unwrap()
}

fn transcribe(
    whisper: &Whisper<Cpu>,
    samples: &[f32],
    language: Option<&str>,
) -> Result<Transcript, AsrError> {
    let options = Options { language: language.map(str::to_owned) };
    whisper.transcribe(samples, 16_000, &options, &Stop::default())
}

#[test]
fn spectrograms_are_those_of_transformers() {
    for (model, bands) in MODELS {
        let golden = Golden::open(format!("asr/{model}/golden.safetensors"));
        let mel = log_mel(&speech(), bands);
        let frames = golden.i32("frames");
        let chosen: Vec<f32> = frames
            .iter()
            .flat_map(|&frame| mel[frame as usize * bands..][..bands].to_vec())
            .collect();
        // Powers from two transforms in f32, near the floor of 80 dB, before a logarithm.
        assert_close(model, &chosen, &golden.f32("features"), Tolerance::relative(1e-4));
    }
}

#[test]
fn tokens_and_languages_are_those_of_transformers() {
    for (model, _) in MODELS {
        let golden = Golden::open(format!("asr/{model}/golden.safetensors"));
        let whisper = whisper(model);
        let tokens = |name| {
            golden
                .i32(name)
                .iter()
                .map(|&token| token as u32)
                .collect::<Vec<_>>()
        };
        let found = transcribe(&whisper, &speech(), None).unwrap();
        assert_eq!(found.tokens, tokens("tokens"), "{model}");
        let german = transcribe(&whisper, &speech(), Some("de-AT")).unwrap();
        assert_eq!(german.tokens, tokens("german"), "{model}");
        if model == "english" {
            assert_eq!(found.language, None);
        } else {
            assert_eq!(german.language.as_deref(), Some("de"));
            assert!(
                whisper
                    .languages()
                    .any(|code| Some(code) == found.language.as_deref())
            );
        }
    }
}

#[test]
fn a_loop_shows_in_the_figures() {
    // A random model says the same again and again.
    let transcript = transcribe(&whisper("large"), &speech(), None).unwrap();
    assert!(transcript.compression_ratio > 2.0, "{transcript:?}");
    assert!(!transcript.cut);
    assert!((0.0..=1.0).contains(&transcript.confidence()), "{transcript:?}");
}

#[test]
fn recordings_without_speech_are_refused() {
    let whisper = whisper("multilingual");
    let error = |samples: &[f32]| transcribe(&whisper, samples, None).unwrap_err();
    assert!(matches!(error(&[]), AsrError::Recording("is empty")));
    assert!(matches!(error(&[0.1, f32::NAN]), AsrError::Recording(_)));
    assert!(matches!(error(&[0.0; 16_000]), AsrError::NoSpeech));
}

#[test]
fn half_a_minute_is_heard() {
    let whisper = whisper("multilingual");
    let long: Vec<f32> = speech().into_iter().cycle().take(16_000 * 600).collect();
    let transcript = transcribe(&whisper, &long, None).unwrap();
    assert!(transcript.cut);
    assert_eq!(
        transcript.tokens,
        transcribe(&whisper, &long[..16_000 * 31], None)
            .unwrap()
            .tokens
    );
}

#[test]
fn a_language_is_known_or_refused() {
    let error = transcribe(&whisper("multilingual"), &speech(), Some("klingon")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the model knows no language `klingon`; it knows de, en, es, ru, zh"
    );
}

#[test]
fn a_stop_is_obeyed() {
    let stop = Stop::default();
    stop.stop();
    let result = whisper("multilingual").transcribe(&speech(), 16_000, &Options::default(), &stop);
    assert!(matches!(result.unwrap_err(), AsrError::Stopped));
}

/// A copy of a model, to be spoilt.
fn copy() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for name in [
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "model.safetensors",
    ] {
        fs::copy(Golden::path(format!("asr/multilingual/{name}")), directory.path().join(name))
            .unwrap();
    }
    directory
}

fn rewritten(name: &str, from: &str, to: &str) -> AsrError {
    let directory = copy();
    let path = directory.path().join(name);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{name} has no {from}");
    fs::write(&path, text.replace(from, to)).unwrap();
    open(directory.path())
        .and_then(|whisper| transcribe(&whisper, &speech(), None))
        .unwrap_err()
}

#[test]
fn files_of_other_models_are_refused() {
    let cases = [
        (
            "config.json",
            r#""model_type": "whisper""#,
            r#""model_type": "bert""#,
            "the type `bert`, not `whisper`",
        ),
        (
            "config.json",
            r#""d_model": 16"#,
            r#""d_model": 32"#,
            "the configuration needs [32, 80, 3]",
        ),
        (
            "config.json",
            r#""d_model": 16"#,
            r#""d_model": 0"#,
            "`d_model` of the Whisper model is 0",
        ),
        (
            "config.json",
            r#""encoder_attention_heads": 2"#,
            r#""encoder_attention_heads": 3"#,
            "into even parts",
        ),
        (
            "config.json",
            r#""num_mel_bins": 80"#,
            r#""num_mel_bins": 81"#,
            "is 81, expected 80 or 128",
        ),
        (
            "config.json",
            r#""encoder_layers": 2"#,
            r#""encoder_layers": 3"#,
            "no tensor `encoder.layers.2.",
        ),
        (
            "generation_config.json",
            r#""eos_token_id": 288"#,
            r#""eos_token_id": 9999"#,
            "is 9999, expected tokens below",
        ),
        (
            "tokenizer.json",
            r#""vocab""#,
            r#""words""#,
            "is not what a Whisper model has there",
        ),
    ];
    for (name, from, to, expected) in cases {
        let message = rewritten(name, from, to).to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn missing_files_are_named() {
    let directory = copy();
    fs::remove_file(directory.path().join("tokenizer.json")).unwrap();
    let message = open(directory.path()).unwrap_err().to_string();
    assert!(
        message.contains("tokenizer.json` is missing; a Whisper model is config.json, "),
        "{message}"
    );
}

#[test]
fn weights_cut_anywhere_are_refused() {
    let directory = copy();
    let path = directory.path().join("model.safetensors");
    let whole = fs::read(&path).unwrap();
    for length in (0..whole.len()).step_by(whole.len() / 50 + 1) {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(matches!(open(directory.path()), Err(AsrError::Checkpoint(_))), "{length} bytes");
    }
}

#[test]
fn weights_that_are_no_numbers_are_an_error() {
    let directory = copy();
    let path = directory.path().join("model.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    // The last thousand half-precision values become NaN.
    let length = bytes.len();
    bytes[length - 2_000..].fill(0x7E);
    fs::write(&path, bytes).unwrap();
    let whisper = open(directory.path()).unwrap();
    assert!(matches!(transcribe(&whisper, &speech(), None), Err(AsrError::NotFinite)));
}
