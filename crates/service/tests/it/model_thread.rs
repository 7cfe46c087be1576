//! The thread that owns the model, with the model of the program.

use std::{fs, path::Path, sync::Arc, time::Duration};

use f5tts_engine::{
    Engine, EngineOptions, ModelParts, SpeakOptions, Voice,
    checkpoint::Checkpoint,
    model::config::{ModelConfig, VocosConfig},
    sampler::grid::Nfe,
    text::vocab::Vocab,
};
use f5tts_service::synthesis::{EngineThread, SynthesisError, Synthesizer, Task, TaskPart};

fn load() -> Result<Engine, String> {
    let model = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/demo"));
    let text = |path| fs::read_to_string(model.join(path)).unwrap();
    let parts = ModelParts {
        name: "demo".to_owned(),
        checkpoint: Checkpoint::open(&model.join("model.safetensors")).unwrap(),
        config: ModelConfig::parse(&text("config.yaml")).unwrap(),
        vocab: Vocab::parse(text("vocab.txt").as_bytes()).unwrap(),
        vocoder: Checkpoint::open(&model.join("vocoder/pytorch_model.bin")).unwrap(),
        vocoder_config: VocosConfig::parse(&text("vocoder/config.yaml")).unwrap(),
    };
    Engine::load(parts, &EngineOptions::default()).map_err(|error| error.to_string())
}

fn task(text: &str, steps: u32) -> Task {
    let voice = crate::fake::voice();
    Task {
        parts: vec![TaskPart {
            voice: Voice::from_bytes(voice.recording, voice.transcript).unwrap(),
            text: text.to_owned(),
        }],
        options: SpeakOptions::default(),
        nfe: Nfe::try_from(steps).ok(),
        progress: Default::default(),
        stop: Default::default(),
        begun: Default::default(),
    }
}

fn long() -> Task {
    task(&"One more sentence which takes its time. ".repeat(20), 128)
}

#[tokio::test]
async fn it_speaks_and_finds_the_words() {
    let thread = EngineThread::start("demo".to_owned(), 4, Box::new(load)).unwrap();
    let task = task("Good morning.", 4);
    let progress = task.progress.clone();
    let synthesis = thread.speak(task).await.unwrap();
    assert!((0.4..3.0).contains(&synthesis.speech.seconds()));
    assert!((progress.get() - 1.0).abs() < 1e-9);
    assert!(thread.ready().await.unwrap().starts_with("cpu"));
    // In four steps it need not be understood, but never is anything invented.
    if let Ok(alignment) = thread.align(&synthesis.speech, &["Good morning."]) {
        assert_eq!(alignment.words.len(), 2);
    }
}

#[tokio::test]
async fn a_model_that_cannot_be_loaded_is_told_to_everybody() {
    let load = Box::new(|| Err("a tensor is missing".to_owned()));
    let thread = EngineThread::start("broken".to_owned(), 4, load).unwrap();
    let expected = "the model broken could not be loaded: a tensor is missing";
    assert_eq!(thread.ready().await.unwrap_err().to_string(), expected);
    assert_eq!(
        thread
            .speak(task("Hello.", 1))
            .await
            .unwrap_err()
            .to_string(),
        expected
    );
}

#[tokio::test]
async fn a_load_that_panics_is_told_too() {
    let load =
        Box::new(|| -> Result<Engine, String> { std::panic::panic_any("out of luck".to_owned()) });
    let thread = EngineThread::start("broken".to_owned(), 4, load).unwrap();
    let error = thread.ready().await.unwrap_err().to_string();
    assert_eq!(error, "the model broken could not be loaded: out of luck");
}

#[tokio::test]
async fn full_is_told_and_whoever_leaves_frees_the_model() {
    let thread = EngineThread::start("demo".to_owned(), 1, Box::new(load)).unwrap();
    let thread = Arc::new(thread);
    thread.ready().await.unwrap();
    let speaking = tokio::spawn({
        let thread = Arc::clone(&thread);
        async move { thread.speak(long()).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let waiting = tokio::spawn({
        let thread = Arc::clone(&thread);
        async move { thread.speak(long()).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let full = thread.speak(long()).await.unwrap_err();
    assert!(matches!(full, SynthesisError::Overloaded { waiting: 1 }), "{full}");
    // Nobody wants these any more: the first stops at its next evaluation, the second never begins.
    speaking.abort();
    waiting.abort();
    let soon = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            match thread.speak(task("Hello.", 1)).await {
                Err(SynthesisError::Overloaded { .. }) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                other => break other,
            }
        }
    });
    soon.await.unwrap().unwrap();
}
