//! The whole way from recording and text to samples, against the official `infer_process`.

use f5tts_testkit::{Golden, Tolerance, assert_close};
use serde_json::Value;

use super::*;
use crate::{
    audio::DecodeLimits,
    duration::{self, MAX_FRAMES, Pace, Speed},
    sampler::grid::Nfe,
    stitch::CrossFade,
    text::plan::Length,
};

// The trajectory's tolerance; the vocoder keeps it.
const WAVE: Tolerance = Tolerance::relative(1e-3);
const SEED: u64 = 4321;

fn parts() -> ModelParts {
    let config = ModelConfig::parse(&Golden::text("tiny_v1/config.json")).unwrap();
    let checkpoint = |name| Checkpoint::open(&Golden::path(name)).unwrap();
    ModelParts {
        name: "tiny".to_owned(),
        checkpoint: checkpoint("tiny_v1/model.safetensors"),
        config,
        vocab: Vocab::parse(Golden::text("tiny_v1/vocab.txt").as_bytes()).unwrap(),
        vocoder: checkpoint("vocos/pytorch_model.bin"),
        vocoder_config: VocosConfig::parse(&Golden::text("vocos/config.yaml")).unwrap(),
    }
}

fn engine(threads: Option<usize>) -> Engine {
    // The goldens were made with the readings of pypinyin 0.55; the texts have none that differ.
    let threads = threads.and_then(NonZeroUsize::new);
    Engine::load(parts(), &EngineOptions { threads, ..EngineOptions::default() }).unwrap()
}

fn voice() -> Voice {
    let bytes = std::fs::read(Golden::path("e2e/ref_22k_stereo_quiet.wav")).unwrap();
    let recording = audio::decode(&bytes, &DecodeLimits::default()).unwrap();
    Voice::from_trimmed(&recording, "Hi friend.").unwrap()
}

fn options(case: &Value) -> SpeakOptions {
    SpeakOptions {
        nfe: Nfe::try_from(4).unwrap(),
        speed: Speed::try_from(case["speed"].as_f64().unwrap()).unwrap(),
        cross_fade: CrossFade::try_from(case["cross_fade"].as_f64().unwrap()).unwrap(),
        seed: SEED,
        ..SpeakOptions::default()
    }
}

#[test]
fn speech_is_the_official_one() {
    let (engine, voice) = (engine(None), voice());
    let cases: Value = serde_json::from_str(&Golden::text("e2e/e2e.json")).unwrap();
    for (index, case) in cases.as_array().unwrap().iter().enumerate() {
        let golden = Golden::open(format!("e2e/e2e_{index}.safetensors"));
        let options = options(case);
        // Texts of one part, so that they fade into each other.
        let texts: Vec<&str> = case["texts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|text| text.as_str().unwrap())
            .collect();
        let plan = |text| {
            engine
                .text
                .plan_part(0, Part { voice: &voice, text }, Length::Estimated, &options)
        };
        let mut chunks: Vec<_> = texts.iter().flat_map(|text| plan(text).unwrap()).collect();
        if let Some(seconds) = case["fix_duration"].as_f64() {
            let pace = Pace::new(voice.samples(), voice.transcript().prompt().len()).unwrap();
            let bytes: Vec<usize> = texts.iter().map(|text| text.len()).collect();
            let shares = pace.fixed_frames(seconds, &bytes, options.cross_fade.seconds());
            for (chunk, frames) in chunks.iter_mut().zip(shares) {
                chunk.frames =
                    duration::clamp(frames, chunk.tokens.len(), voice.mel_frames(), MAX_FRAMES);
            }
        }
        let frames: Vec<usize> = chunks.iter().map(|chunk| chunk.frames).collect();
        assert_eq!(serde_json::json!(frames), case["durations"]);

        let speech = engine
            .perform(&chunks, &options, &mut (), &Stop::default())
            .unwrap();
        assert_close(&format!("case {index}"), &speech.samples, &golden.f32("wave"), WAVE);
        assert_eq!(speech.chunks.len(), texts.len());
    }
}

#[test]
fn threads_change_nothing() {
    let voice = voice();
    let part = Part {
        voice: &voice,
        text: "A cat sat on a mat, and then it sat on another one.",
    };
    let options = SpeakOptions {
        nfe: Nfe::try_from(4).unwrap(),
        seed: 7,
        ..SpeakOptions::default()
    };
    let speak = |threads| {
        engine(Some(threads))
            .speak(&[part], &options, &mut (), &Stop::default())
            .unwrap()
    };
    let one = speak(1);
    assert_eq!(one.samples, speak(2).samples);
    assert_eq!(one.samples, speak(3).samples);
}

#[test]
fn progress_counts_every_evaluation() {
    #[derive(Default)]
    struct Seen(Vec<Progress>);
    impl Observer for Seen {
        fn progress(&mut self, progress: Progress) {
            self.0.push(progress);
        }
    }
    let (engine, voice) = (engine(None), voice());
    let parts = [
        Part { voice: &voice, text: "A cat sat." },
        Part { voice: &voice, text: "A dog ran." },
    ];
    let options = SpeakOptions { nfe: Nfe::try_from(3).unwrap(), ..SpeakOptions::default() };
    let mut seen = Seen::default();
    let speech = engine
        .speak(&parts, &options, &mut seen, &Stop::default())
        .unwrap();
    assert_eq!(speech.evaluations, 6);
    assert_eq!(seen.0.last().unwrap().evaluations_done, 6);
    assert_eq!(seen.0.last().unwrap().evaluations, 6);
    assert!(
        seen.0
            .windows(2)
            .all(|pair| pair[0].evaluations_done <= pair[1].evaluations_done)
    );
    // Parts follow each other without a fade.
    assert_eq!(speech.chunks[1].start_sample, speech.chunks[0].samples);
}

#[test]
fn a_stop_ends_the_speech() {
    let (engine, voice) = (engine(None), voice());
    let stop = Stop::default();
    stop.stop();
    let part = Part { voice: &voice, text: "A cat sat." };
    let result = engine.speak(&[part], &SpeakOptions::default(), &mut (), &stop);
    assert!(matches!(result, Err(SpeakError::Sample(SampleError::Stopped(_)))));
}

#[test]
fn a_vocabulary_that_counts_further_than_the_embedding_is_refused() {
    // A repeated token keeps the number of tokens but not that of the last line.
    let text = Golden::text("tiny_v1/vocab.txt");
    let lines: Vec<&str> = text.lines().collect();
    let repeated = format!(" \n{}\n", lines.join("\n"));
    let vocab = Vocab::parse(repeated.as_bytes()).unwrap();
    let loaded = Engine::load(ModelParts { vocab, ..parts() }, &EngineOptions::default());
    assert!(matches!(loaded, Err(LoadError::Vocab(_))), "{loaded:?}");
}
