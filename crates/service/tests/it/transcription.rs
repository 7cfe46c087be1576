//! Voices without a transcript: heard once, whatever goes wrong.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use f5tts_service::{
    Context, ErrorCode, Failure, Service,
    fetch::Rules,
    storage::{MemoryFault, MemoryStorage, ObjectKey, Operation, Storage, VoiceName},
    transcription::{Heard, Listening, TranscribeError, Transcriber, Transcription},
};
use serde_json::{Value, json};

use crate::fake::{Tone, ask, job, options, service_of, voice, voices};

/// Hears what it is told to, after a while.
#[derive(Debug)]
struct Scribe {
    outcome: Result<Heard, TranscribeError>,
    takes: Duration,
    calls: AtomicUsize,
    stopped: AtomicUsize,
    /// Ends the while.
    hurries: AtomicBool,
}

impl Scribe {
    fn new(outcome: Result<Heard, TranscribeError>, takes: Duration) -> Arc<Self> {
        Arc::new(Self {
            outcome,
            takes,
            calls: AtomicUsize::new(0),
            stopped: AtomicUsize::new(0),
            hurries: AtomicBool::new(false),
        })
    }

    fn hearing(text: &str) -> Arc<Self> {
        Self::new(Ok(heard(text)), Duration::ZERO)
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    fn stopped(&self) -> usize {
        self.stopped.load(Ordering::SeqCst)
    }
}

impl Transcriber for Scribe {
    fn model(&self) -> &str {
        "a scribe"
    }

    fn transcribe(&self, task: &Listening) -> Result<Heard, TranscribeError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        // What the model hears of a voice, not the whole file.
        assert!(task.samples.len() <= 13 * task.sample_rate_hz as usize);
        task.begun.notify_one();
        let start = Instant::now();
        while start.elapsed() < self.takes && !self.hurries.load(Ordering::SeqCst) {
            if task.stop.is_stopped() {
                self.stopped.fetch_add(1, Ordering::SeqCst);
                return Err(TranscribeError::Stopped);
            }
            thread::sleep(Duration::from_millis(2));
        }
        self.outcome.clone()
    }
}

fn heard(text: &str) -> Heard {
    Heard {
        text: text.to_owned(),
        language: Some("en".to_owned()),
        mean_log_probability: -0.1,
        no_speech_probability: Some(0.01),
        compression_ratio: 1.1,
    }
}

struct Scene {
    storage: Arc<MemoryStorage>,
    service: Arc<Service>,
}

impl Scene {
    fn new(transcription: Transcription) -> Self {
        Self::with(transcription, Rules::default())
    }

    fn with(transcription: Transcription, rules: Rules) -> Self {
        let storage = Arc::new(MemoryStorage::new());
        let dynamic: Arc<dyn Storage> = Arc::clone(&storage) as _;
        let voices = voices(&dynamic, rules).heard_by(transcription);
        let service = service_of(dynamic, Tone::new(Duration::ZERO), voices, options());
        Self { storage, service: Arc::new(service) }
    }

    fn by(scribe: &Arc<Scribe>) -> Self {
        let limit = options().processing_timeout;
        Self::new(Transcription::by(Arc::clone(scribe) as _, limit))
    }

    /// Uploads the bundled recording under a name, without its transcript.
    async fn upload(&self, name: &str) -> Value {
        let file = BASE64_STANDARD.encode(voice().recording);
        let input = json!({"endpoint": "upload", "voice_name": name, "file": file});
        ask(&self.service, "u", input).await.unwrap()
    }

    async fn say(&self, job: &str, name: &str) -> Result<Value, Failure> {
        let input = json!({"text": "Hello.", "local_voice": name});
        ask(&self.service, job, input).await
    }

    async fn transcript(&self, name: &str) -> Option<String> {
        let key = ObjectKey::Transcript(VoiceName::try_from(name).unwrap());
        let object = self.storage.get(&key, 1 << 20).await.ok()?;
        Some(String::from_utf8(object.bytes.to_vec()).unwrap())
    }

    async fn report(&self, name: &str) -> Value {
        let key = ObjectKey::VoiceReport(VoiceName::try_from(name).unwrap());
        let object = self.storage.get(&key, 1 << 20).await.unwrap();
        serde_json::from_slice(&object.bytes).unwrap()
    }

    async fn recording(&self, name: &str) -> bytes::Bytes {
        let key = ObjectKey::Voice(VoiceName::try_from(name).unwrap());
        self.storage.get(&key, 1 << 24).await.unwrap().bytes
    }
}

fn warnings(answer: &Value) -> String {
    answer["warnings"].to_string()
}

#[tokio::test]
async fn the_first_use_writes_down_what_is_said() {
    let scribe = Scribe::hearing(voice().transcript);
    let scene = Scene::by(&scribe);
    let uploaded = scene.upload("anna").await;
    assert_eq!(uploaded["voice"]["transcript"], "missing");
    let advice = uploaded["voice"]["advice"][0]["message"].as_str().unwrap();
    assert!(
        advice.contains("a scribe writes it down when the voice is first used"),
        "{advice}"
    );
    assert_eq!(scribe.calls(), 0);

    let answer = scene.say("a", "anna").await.unwrap();
    assert!(answer["metrics"]["transcription_ms"].as_f64().unwrap() > 0.0);
    let told = warnings(&answer);
    assert!(told.contains("it was transcribed as"), "{told}");
    assert!(told.contains("stored as `voices/anna.txt`"), "{told}");
    let text = voice().transcript.trim();
    assert_eq!(scene.transcript("anna.wav").await.as_deref(), Some(text));
    let report = scene.report("anna.wav").await;
    assert_eq!(report["transcript"], "transcribed");
    assert_eq!(
        report["transcription"],
        json!({"text": text, "confidence": 0.905, "language": "en", "model": "a scribe"})
    );
    assert_eq!(report["transcript_fit"]["fits"], true, "{report}");

    let answer = scene.say("b", "anna").await.unwrap();
    assert_eq!(answer["metrics"]["transcription_ms"], 0.0);
    assert_eq!(answer["warnings"], json!([]));
    assert_eq!(scribe.calls(), 1);
}

#[tokio::test]
async fn concurrent_first_uses_wait_for_the_same_words() {
    let scribe = Scribe::new(Ok(heard(voice().transcript)), Duration::from_millis(200));
    let scene = Scene::by(&scribe);
    // Two names of one recording, too.
    scene.upload("anna").await;
    scene.upload("otto").await;
    let (one, two, three) =
        tokio::join!(scene.say("a", "anna"), scene.say("b", "anna"), scene.say("c", "otto"));
    for answer in [one, two, three] {
        assert!(
            answer.unwrap()["metrics"]["transcription_ms"]
                .as_f64()
                .unwrap()
                > 0.0
        );
    }
    assert_eq!(scribe.calls(), 1);
    assert!(scene.transcript("otto.wav").await.is_some());
}

#[tokio::test]
async fn who_cannot_hear_says_why_and_what_to_do() {
    let reason = "ASR_MODEL is `off`";
    let scene = Scene::new(Transcription::absent());
    let uploaded = scene.upload("anna").await;
    assert!(uploaded["voice"]["advice"].to_string().contains(reason), "{uploaded}");
    let failure = scene.say("a", "anna").await.unwrap_err();
    assert_eq!(failure.code(), ErrorCode::TranscriptMissing);
    for part in [reason, "upload it again with `ref_text`", "voices/anna.txt"] {
        assert!(failure.message().contains(part), "{failure}");
    }
}

#[tokio::test]
async fn a_model_that_cannot_be_had_fails_the_use_and_leaves_the_voice() {
    let reason = "it cannot be fetched because HF_HUB_OFFLINE is set".to_owned();
    let error = TranscribeError::Model { model: "a scribe".to_owned(), reason };
    let scribe = Scribe::new(Err(error), Duration::ZERO);
    let scene = Scene::by(&scribe);
    scene.upload("anna").await;
    for job in ["a", "b"] {
        let failure = scene.say(job, "anna").await.unwrap_err();
        assert_eq!(failure.code(), ErrorCode::TranscriptMissing);
        assert!(failure.message().contains("HF_HUB_OFFLINE"), "{failure}");
    }
    // It may be there the next time.
    assert_eq!(scribe.calls(), 2);
    assert_eq!(scene.recording("anna.wav").await, voice().recording);
    assert_eq!(scene.transcript("anna.wav").await, None);
}

#[tokio::test]
async fn silence_and_loops_are_no_transcripts() {
    let silence = Heard {
        no_speech_probability: Some(0.9),
        mean_log_probability: -1.4,
        ..heard("you")
    };
    let loops = Heard { compression_ratio: 9.0, ..heard("la la la la la la la") };
    for (outcome, part) in [(silence, "no speech was heard"), (loops, "repeats itself")] {
        let scribe = Scribe::new(Ok(outcome), Duration::ZERO);
        let scene = Scene::by(&scribe);
        scene.upload("anna").await;
        for job in ["a", "b"] {
            let failure = scene.say(job, "anna").await.unwrap_err();
            assert_eq!(failure.code(), ErrorCode::TranscriptMissing);
            assert!(failure.message().contains(part), "{failure}");
        }
        // Another try would hear the same.
        assert_eq!(scribe.calls(), 1);
        assert_eq!(scene.transcript("anna.wav").await, None);
        assert_eq!(scene.recording("anna.wav").await, voice().recording);
    }
}

#[tokio::test]
async fn it_may_take_no_longer_than_a_synthesis() {
    let scribe = Scribe::new(Ok(heard("Too late.")), Duration::from_secs(60));
    let limit = Duration::from_millis(100);
    let scene = Scene::new(Transcription::by(Arc::clone(&scribe) as _, limit));
    scene.upload("anna").await;
    let failure = scene.say("a", "anna").await.unwrap_err();
    assert_eq!(failure.code(), ErrorCode::TimedOut);
    assert!(failure.message().contains("0.1 s (PROCESSING_TIMEOUT)"), "{failure}");
    settled(|| scribe.stopped() == 1).await;
}

/// Waits until something is so, for a while.
async fn settled(is_so: impl Fn() -> bool + Sync) {
    let so = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let settled = tokio::time::timeout(Duration::from_secs(20), so).await;
    assert!(settled.is_ok(), "it did not come to be so");
}

#[tokio::test]
async fn the_work_stops_when_the_last_who_waits_is_cancelled() {
    let scribe = Scribe::new(Ok(heard("Nobody waits.")), Duration::from_secs(60));
    let scene = Scene::by(&scribe);
    scene.upload("anna").await;
    let input = json!({"text": "Hello.", "local_voice": "anna"});
    let contexts = [Context::default(), Context::default()];
    let jobs: Vec<_> = contexts
        .iter()
        .zip(["a", "b"])
        .map(|(context, name)| {
            let (service, context) = (Arc::clone(&scene.service), context.clone());
            let job = job(name, input.clone());
            tokio::spawn(async move { service.handle(job, &context).await })
        })
        .collect();
    settled(|| scribe.calls() == 1).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    contexts[0].cancel.cancel();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(scribe.stopped(), 0, "somebody still waits");
    contexts[1].cancel.cancel();
    settled(|| scribe.stopped() == 1).await;
    for job in jobs {
        let failure = job.await.unwrap().unwrap_err();
        assert_eq!(failure.code(), ErrorCode::Cancelled);
    }
    assert_eq!(scribe.calls(), 1);
}

#[tokio::test]
async fn a_store_that_takes_no_transcript_costs_no_job() {
    for fault in [MemoryFault::Full, MemoryFault::ReadOnly] {
        let scribe = Scribe::hearing(voice().transcript);
        let scene = Scene::by(&scribe);
        scene.upload("anna").await;
        // Not as a job, whose record would meet the fault first.
        scene.storage.fail_next(Some(Operation::Create), fault);
        let voice = scene.service.voices().tagged("anna").await.unwrap();
        assert!(voice.warnings[0].contains("could not be stored"), "{:?}", voice.warnings);
        assert_eq!(scene.transcript("anna.wav").await, None);
        let answer = scene.say("a", "anna").await.unwrap();
        assert_eq!(answer["voice_version"], voice.version.as_str());
        assert_eq!(scribe.calls(), 1);
    }
}

#[tokio::test]
async fn a_recording_that_was_replaced_meanwhile_keeps_what_is_its_own() {
    let slt = include_bytes!("../../../../models/demo/voices/slt.wav");
    for (text, state) in [(None, "missing"), (Some("The new words."), "given")] {
        let scribe = Scribe::new(Ok(heard("The old words.")), Duration::from_secs(60));
        let scene = Scene::by(&scribe);
        scene.upload("anna").await;
        let mut upload = json!({
            "endpoint": "upload", "voice_name": "anna", "file": BASE64_STANDARD.encode(slt),
        });
        if let Some(text) = text {
            upload["ref_text"] = text.into();
        }
        let replace = async {
            settled(|| scribe.calls() == 1).await;
            ask(&scene.service, "u", upload).await.unwrap();
            scribe.hurries.store(true, Ordering::SeqCst);
        };
        let (ready, ()) = tokio::join!(scene.service.voices().tagged("anna.wav"), replace);
        let ready = ready.unwrap();
        assert_eq!(ready.voice.transcript().spoken().trim(), "The old words.");
        assert!(ready.warnings[0].contains("changed meanwhile"), "{:?}", ready.warnings);
        assert_eq!(scene.recording("anna.wav").await, slt.as_slice());
        assert_eq!(scene.transcript("anna.wav").await.as_deref(), text);
        assert_eq!(scene.report("anna.wav").await["transcript"], state);
    }
}

#[tokio::test]
async fn a_recogniser_that_panics_is_asked_again() {
    #[derive(Debug)]
    struct Panics(AtomicUsize);
    impl Transcriber for Panics {
        fn model(&self) -> &str {
            "panics"
        }
        fn transcribe(&self, _: &Listening) -> Result<Heard, TranscribeError> {
            assert!(self.0.fetch_add(1, Ordering::SeqCst) > 0, "the first time");
            Ok(heard(voice().transcript))
        }
    }
    let panics = Arc::new(Panics(AtomicUsize::new(0)));
    let scene = Scene::new(Transcription::by(panics, Duration::from_secs(9)));
    scene.upload("anna").await;
    assert_eq!(scene.say("a", "anna").await.unwrap_err().code(), ErrorCode::Internal);
    scene.say("a", "anna").await.unwrap();
}

#[tokio::test]
async fn a_transcript_that_does_not_fit_is_warned_about() {
    let scene = Scene::by(&Scribe::hearing("Penguins seldom juggle porcelain kettles."));
    scene.upload("anna").await;
    let answer = scene.say("a", "anna").await.unwrap();
    let told = warnings(&answer);
    assert!(told.contains("does not seem to be what is said: not heard"), "{told}");
    let report = scene.report("anna.wav").await;
    assert_eq!(report["transcript_fit"]["fits"], false);
    let missing = report["transcript_fit"]["missing_words"].to_string();
    assert!(missing.contains("Penguins") && missing.contains("porcelain"), "{missing}");
    assert_eq!(report["warnings"][0]["code"], "transcript_misfit", "{report}");
}

/// Serves a file to whoever asks, so often; where, and what allows to fetch it.
fn serve(file: &'static [u8], times: usize) -> (String, Rules) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().take(times) {
            let mut stream = stream.unwrap();
            assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: audio/wav\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                file.len()
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(file).unwrap();
        }
    });
    let allowed = vec![address.to_string().parse().unwrap()];
    (format!("http://{address}/anna.wav"), Rules { allow_http: true, allowed })
}

#[tokio::test]
async fn a_voice_from_the_network_is_heard_and_kept_nowhere() {
    let scribe = Scribe::hearing(voice().transcript);
    let transcription = Transcription::by(Arc::clone(&scribe) as _, Duration::from_secs(9));
    let (url, rules) = serve(voice().recording, 2);
    let scene = Scene::with(transcription, rules);
    let answer = scene.say("a", &url).await.unwrap();
    let told = warnings(&answer);
    assert!(
        told.contains("`anna.wav` came without `ref_text`: it was transcribed"),
        "{told}"
    );
    scene.say("b", &url).await.unwrap();
    assert_eq!(scribe.calls(), 1);
    assert_eq!(scene.transcript("anna.wav").await, None);

    let (url, rules) = serve(voice().recording, 1);
    let scene = Scene::with(Transcription::absent(), rules);
    let failure = scene.say("a", &url).await.unwrap_err();
    assert_eq!(failure.code(), ErrorCode::TranscriptMissing);
    assert!(failure.message().contains("give `ref_text`"), "{failure}");
}
