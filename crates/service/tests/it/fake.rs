//! A service with a synthesizer that needs no model.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use f5tts_engine::{
    Chunk, SAMPLE_RATE_HZ, Speech, StageTimes,
    align::{AlignError, Alignment, WordTiming},
};
use f5tts_service::{
    Context, Failure, Job, Parts, Service, ServiceOptions,
    fetch::{Fetcher, Limits, Rules},
    jobs::{Exclusion, LeaseTimes},
    request::ParseOptions,
    storage::{JobId, LinkLifetime, Storage},
    synthesis::{Synthesis, SynthesisError, Synthesizer, Task},
    voices::{BundledVoice, Voices},
};
use serde_json::Value;

/// Speaks a tone for each task, after a while.
#[derive(Debug)]
pub(crate) struct Tone {
    /// How long a task waits for its turn.
    pub(crate) waits: Duration,
    /// How long it takes.
    pub(crate) takes: Duration,
    /// How many tasks it has done.
    pub(crate) done: AtomicUsize,
    /// The seeds of the tasks that were begun.
    pub(crate) seeds: Mutex<Vec<u64>>,
}

impl Tone {
    pub(crate) fn new(takes: Duration) -> Arc<Self> {
        Self::busy(Duration::ZERO, takes)
    }

    pub(crate) fn busy(waits: Duration, takes: Duration) -> Arc<Self> {
        Arc::new(Self {
            waits,
            takes,
            done: AtomicUsize::new(0),
            seeds: Mutex::default(),
        })
    }

    pub(crate) fn done(&self) -> usize {
        self.done.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Synthesizer for Tone {
    fn model(&self) -> &str {
        "tone"
    }

    async fn ready(&self) -> Result<String, SynthesisError> {
        Ok("a test".to_owned())
    }

    async fn speak(&self, task: Task) -> Result<Synthesis, SynthesisError> {
        tokio::time::sleep(self.waits).await;
        self.seeds.lock().unwrap().push(task.options.seed);
        task.begun.notify_one();
        tokio::time::sleep(self.takes / 2).await;
        task.progress.set(0.5);
        tokio::time::sleep(self.takes / 2).await;
        self.done.fetch_add(1, Ordering::SeqCst);
        Ok(Synthesis {
            speech: speech(&task),
            queued: Duration::ZERO,
            loading: Duration::ZERO,
        })
    }

    fn align(&self, speech: &Speech, texts: &[&str]) -> Result<Alignment, AlignError> {
        if texts.concat().contains("unheard") {
            return Err(AlignError::Silent);
        }
        Ok(alignment(speech, texts))
    }
}

/// Words of equal length: what a tone has for words.
#[expect(clippy::cast_precision_loss, reason = "few words")]
fn alignment(speech: &Speech, texts: &[&str]) -> Alignment {
    let words: Vec<_> = texts
        .iter()
        .flat_map(|text| text.split_whitespace())
        .collect();
    let each = speech.seconds() / words.len() as f64;
    let timing = |(index, word): (usize, &&str)| WordTiming {
        word: (*word).to_owned(),
        start: each * index as f64,
        end: each * (index + 1) as f64,
        confidence: 0.9,
    };
    Alignment {
        evidence: vec![None; words.len()],
        words: words.iter().enumerate().map(timing).collect(),
        confidence: 0.9,
    }
}

/// A tone of a twentieth of a second for each character.
#[expect(clippy::cast_precision_loss, reason = "few samples")]
fn speech(task: &Task) -> Speech {
    let mut chunks = Vec::new();
    let mut samples = Vec::new();
    for (part, TaskPartText { text }) in task
        .parts
        .iter()
        .map(|part| TaskPartText { text: &part.text })
        .enumerate()
    {
        let length = text.chars().count() * SAMPLE_RATE_HZ as usize / 20;
        chunks.push(Chunk {
            text: text.to_owned(),
            part,
            frames: length / 256,
            start_sample: samples.len(),
            samples: length,
        });
        let tone = (0..length).map(|index| (index as f32 * 0.05).sin() * 0.3);
        samples.extend(tone);
    }
    Speech {
        samples,
        sample_rate_hz: SAMPLE_RATE_HZ,
        mel: Vec::new(),
        chunks,
        kept: None,
        evaluations: 7,
        times: StageTimes::default(),
        warnings: Vec::new(),
    }
}

struct TaskPartText<'a> {
    text: &'a str,
}

/// Short times, so that tests need not wait long.
pub(crate) fn options() -> ServiceOptions {
    ServiceOptions {
        parse: ParseOptions::default(),
        processing_timeout: Duration::from_secs(20),
        lease: LeaseTimes {
            lasts: Duration::from_millis(1_500),
            renewed: Duration::from_millis(300),
            watched: Duration::from_millis(50),
        },
        link_lifetime: LinkLifetime::try_from(Duration::from_secs(86_400)).unwrap(),
    }
}

/// The bundled voice of the tests.
pub(crate) fn voice() -> BundledVoice {
    BundledVoice {
        name: "rms",
        recording: include_bytes!("../../../../models/demo/voices/rms.wav"),
        transcript: include_str!("../../../../models/demo/voices/rms.txt"),
    }
}

pub(crate) fn service_with(
    storage: Arc<dyn Storage>,
    synthesizer: Arc<dyn Synthesizer>,
    options: ServiceOptions,
) -> Service {
    let voices = voices(&storage, Rules::default());
    service_of(storage, synthesizer, voices, options)
}

/// The voices of a store, and the bundled one.
pub(crate) fn voices(storage: &Arc<dyn Storage>, rules: Rules) -> Voices {
    let fetcher = Fetcher::new(rules, Limits::default()).unwrap();
    Voices::new(Arc::clone(storage), fetcher, vec![voice()], "rms".to_owned())
}

pub(crate) fn service_of(
    storage: Arc<dyn Storage>,
    synthesizer: Arc<dyn Synthesizer>,
    voices: Voices,
    options: ServiceOptions,
) -> Service {
    let parts = Parts {
        storage,
        exclusion: Exclusion::Create,
        voices: Arc::new(voices),
        synthesizer,
    };
    Service::new(parts, options).unwrap()
}

pub(crate) fn service(storage: &Arc<dyn Storage>, tone: &Arc<Tone>) -> Arc<Service> {
    let tone: Arc<dyn Synthesizer> = Arc::clone(tone) as _;
    Arc::new(service_with(Arc::clone(storage), tone, options()))
}

pub(crate) fn id(text: &str) -> JobId {
    JobId::try_from(text).unwrap()
}

pub(crate) fn job(name: &str, input: Value) -> Job {
    Job { id: Some(id(name)), input }
}

/// Answers a request in the way of a worker.
pub(crate) async fn ask(
    service: &Arc<Service>,
    name: &str,
    input: Value,
) -> Result<Value, Failure> {
    service.handle(job(name, input), &Context::default()).await
}
