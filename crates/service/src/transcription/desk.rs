//! Hears each recording once, one at a time, within its time.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use f5tts_engine::{
    Stop,
    audio::{self, DecodeLimits},
};
use futures::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};
use sha2::{Digest, Sha256};
use tokio::{
    select,
    sync::{Notify, Semaphore},
};

use super::{Absence, Heard, Listening, TranscribeError, Transcriber};
use crate::{failure::chain, storage::hexadecimal};

/// How many recordings are remembered; a text has some hundred bytes.
const MOST: usize = 256;

type Outcome = Result<Arc<Heard>, TranscribeError>;
type Flight = BoxFuture<'static, Outcome>;

/// Writes down what is said in recordings: each one once, one at a time, within its time.
#[derive(Debug)]
pub struct Transcription {
    transcriber: Result<Arc<dyn Transcriber>, Absence>,
    /// How long one may take, once its turn has come and its model is here.
    limit: Duration,
    /// Two models at once would take the memory of two.
    place: Arc<Semaphore>,
    known: Mutex<Known>,
}

/// By the hash of the recording.
#[derive(Debug, Default)]
struct Known {
    flying: HashMap<String, WeakShared<Flight>>,
    /// The latest at the back.
    landed: VecDeque<(String, Outcome)>,
}

impl Transcription {
    /// Has a recogniser hear recordings, each of them for no longer than `limit`.
    pub fn by(transcriber: Arc<dyn Transcriber>, limit: Duration) -> Self {
        Self::new(Ok(transcriber), limit)
    }

    /// Hears nothing.
    pub fn absent() -> Self {
        Self::new(Err(Absence), Duration::ZERO)
    }

    fn new(transcriber: Result<Arc<dyn Transcriber>, Absence>, limit: Duration) -> Self {
        Self {
            transcriber,
            limit,
            place: Arc::new(Semaphore::new(1)),
            known: Mutex::default(),
        }
    }

    /// The name of the recogniser's model.
    ///
    /// # Errors
    /// There is no recogniser.
    pub fn model(&self) -> Result<&str, Absence> {
        match &self.transcriber {
            Ok(transcriber) => Ok(transcriber.model()),
            Err(absence) => Err(*absence),
        }
    }

    /// What is said in what the model hears of a recording: at most 12 s of it, trimmed.
    ///
    /// Whoever asks for one that is being heard waits for the same words. The work stops when the last of them has
    /// left.
    ///
    /// # Errors
    /// There is no recogniser, or it hears nothing.
    pub async fn of(&self, recording: Bytes) -> Result<Arc<Heard>, TranscribeError> {
        let hash = hexadecimal(&Sha256::digest(&recording));
        let hash = hash.as_str();
        let flight = match self.known().find(hash) {
            Found::Landed(outcome) => return outcome,
            Found::Flying(flight) => flight,
            Found::Nothing(mut known) => {
                let transcriber = self.transcriber.clone()?;
                let work = hear(transcriber, Arc::clone(&self.place), self.limit, recording);
                known.start(hash, work.boxed())
            }
        };
        // It counts as flying until it has landed.
        let outcome = flight.clone().await;
        self.known().land(hash, &outcome);
        drop(flight);
        outcome
    }

    fn known(&self) -> Guard<'_> {
        // A panic between two of these calls leaves the lists whole.
        Guard(self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Guard<'a>(MutexGuard<'a, Known>);

/// What is known of a recording.
enum Found<'a> {
    Landed(Outcome),
    Flying(Shared<Flight>),
    /// And nobody else finds out meanwhile.
    Nothing(Guard<'a>),
}

impl<'a> Guard<'a> {
    fn find(self, hash: &str) -> Found<'a> {
        let mut landed = self.0.landed.iter();
        if let Some((_, outcome)) = landed.find(|(known, _)| known == hash) {
            return Found::Landed(outcome.clone());
        }
        match self.0.flying.get(hash).and_then(WeakShared::upgrade) {
            Some(flight) => Found::Flying(flight),
            None => Found::Nothing(self),
        }
    }

    fn start(&mut self, hash: &str, work: Flight) -> Shared<Flight> {
        self.0.flying.retain(|_, flight| flight.upgrade().is_some());
        let flight = work.shared();
        if let Some(weak) = flight.downgrade() {
            self.0.flying.insert(hash.to_owned(), weak);
        }
        flight
    }

    /// Remembers what another try would not change.
    fn land(&mut self, hash: &str, outcome: &Outcome) {
        let lasts = outcome
            .as_ref()
            .map_or_else(TranscribeError::is_about_the_recording, |_| true);
        let landed = &mut self.0.landed;
        if !lasts || landed.iter().any(|(known, _)| known == hash) {
            return;
        }
        while landed.len() >= MOST {
            landed.pop_front();
        }
        landed.push_back((hash.to_owned(), outcome.clone()));
    }
}

/// Waits for its turn, then hears on a thread of its own. The place is free again when that has ended.
async fn hear(
    transcriber: Arc<dyn Transcriber>,
    place: Arc<Semaphore>,
    limit: Duration,
    recording: Bytes,
) -> Outcome {
    let turn = place
        .acquire_owned()
        .await
        .expect("the semaphore is never closed");
    let (stop, begun) = (Stop::default(), Arc::new(Notify::new()));
    let _caller = Caller(stop.clone());
    let too_long = {
        let begun = Arc::clone(&begun);
        async move {
            begun.notified().await;
            tokio::time::sleep(limit).await;
        }
    };
    let work = tokio::task::spawn_blocking(move || {
        let heard = hear_now(&*transcriber, &recording, stop, begun);
        drop(turn);
        heard
    });
    select! {
        heard = work => heard.unwrap_or_else(|panic| {
            tracing::error!(%panic, "the recogniser panicked");
            Err(TranscribeError::Broken { reason: panic.to_string() })
        }),
        () = too_long => Err(TranscribeError::TimedOut { limit }),
    }
}

fn hear_now(
    transcriber: &dyn Transcriber,
    recording: &[u8],
    stop: Stop,
    begun: Arc<Notify>,
) -> Outcome {
    if stop.is_stopped() {
        return Err(TranscribeError::Stopped);
    }
    let decoded = audio::decode(recording, &DecodeLimits::default())
        .map_err(|error| TranscribeError::Recording { reason: chain(&error) })?;
    let trimmed = audio::trim_reference(&decoded);
    let task = Listening {
        samples: trimmed.to_mono().into(),
        sample_rate_hz: trimmed.format().sample_rate_hz,
        stop,
        begun,
    };
    if task.samples.is_empty() {
        return Err(TranscribeError::NoSpeech);
    }
    transcriber.transcribe(&task)?.believable().map(Arc::new)
}

/// Stops the work when whoever asked for it has left.
struct Caller(Stop);

impl Drop for Caller {
    fn drop(&mut self) {
        self.0.stop();
    }
}
