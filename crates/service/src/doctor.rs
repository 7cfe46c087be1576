//! What a service needs to work, tried out.

use std::{
    fmt,
    time::{Duration, Instant},
};

use f5tts_engine::{SpeakOptions, sampler::grid::Nfe};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    failure::Failure,
    jobs::Exclusion,
    request::VoiceChoice,
    service::Service,
    storage::{self, CreateOnly, Prefix, Storage, StorageError},
    synthesis::{Task, TaskPart},
};

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// What.
    pub name: String,
    /// How it went.
    pub verdict: Verdict,
    /// What was found.
    pub value: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// How long it took.
    pub milliseconds: u64,
}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, but not as well as it could.
    Warning,
    /// It does not work.
    Failed,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        })
    }
}

/// All that was tried.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Diagnosis {
    /// In order.
    pub checks: Vec<Check>,
}

impl Diagnosis {
    /// The worst verdict.
    pub fn verdict(&self) -> Verdict {
        let verdicts = self.checks.iter().map(|check| check.verdict);
        verdicts.max().unwrap_or(Verdict::Ok)
    }

    /// The first check that failed.
    pub fn failed(&self) -> Option<&Check> {
        self.checks
            .iter()
            .find(|check| check.verdict == Verdict::Failed)
    }

    /// For programs.
    pub fn to_json(&self) -> Value {
        json!({ "status": self.verdict(), "checks": self.checks })
    }
}

impl Check {
    /// A check that began at `start`.
    pub fn new(name: &str, verdict: Verdict, value: impl Into<String>, start: Instant) -> Self {
        Self {
            name: name.to_owned(),
            verdict,
            value: value.into(),
            advice: None,
            milliseconds: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// Says what to do about it.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

/// What was found out about a store.
#[derive(Debug)]
pub struct StoreDiagnosis {
    /// Whether writing, reading, exclusive creation and removal work.
    pub check: Check,
    /// How two writers are told apart, if the store works.
    pub exclusion: Option<Exclusion>,
}

/// Tries a store, again and again for `patience` while it does not answer.
pub async fn check_store(storage: &dyn Storage, patience: Duration) -> StoreDiagnosis {
    const BETWEEN: Duration = Duration::from_secs(1);
    let start = Instant::now();
    loop {
        match probe(storage).await {
            Ok(exclusion) => return works(storage, exclusion, start),
            Err(error) if error.is_transient() && start.elapsed() + BETWEEN < patience => {
                tracing::warn!(error = error.line(), "the store does not answer yet");
                tokio::time::sleep(BETWEEN).await;
            }
            Err(error) => return fails(&error, start),
        }
    }
}

async fn probe(storage: &dyn Storage) -> Result<Exclusion, StorageError> {
    let create_only = storage::probe(storage).await?;
    let can_list = match create_only {
        CreateOnly::Exclusive => true,
        CreateOnly::Unsupported | CreateOnly::Ignored => {
            match storage.list(&Prefix::Probes).await {
                Ok(_) => true,
                Err(StorageError::Denied { .. }) => false,
                Err(error) => return Err(error),
            }
        }
    };
    Ok(Exclusion::of(create_only, can_list))
}

fn works(storage: &dyn Storage, exclusion: Exclusion, start: Instant) -> StoreDiagnosis {
    let place = storage.description();
    let check = match exclusion {
        Exclusion::Create => Check::new("store", Verdict::Ok, place, start),
        Exclusion::Oldest => {
            let value = format!("{place}, which cannot create exclusively (If-None-Match)");
            Check::new("store", Verdict::Warning, value, start).advise(
                "jobs take about a second longer, to be sure that no two workers do the same one",
            )
        }
        Exclusion::None => {
            let value = format!("{place}, which can neither create exclusively nor list");
            Check::new("store", Verdict::Warning, value, start)
                .advise("grant s3:ListBucket: without it, two workers may do the same job")
        }
    };
    StoreDiagnosis { check, exclusion: Some(exclusion) }
}

fn fails(error: &StorageError, start: Instant) -> StoreDiagnosis {
    let check = Check::new("store", Verdict::Failed, error.line(), start);
    let check = match error.advice() {
        Some(advice) => check.advise(advice),
        None => check,
    };
    StoreDiagnosis { check, exclusion: None }
}

impl Service {
    /// Tries whether this service can do a job: its store, its default voice, its model.
    pub async fn self_test(&self) -> Diagnosis {
        let store = check_store(&**self.storage(), Duration::ZERO).await.check;
        let voice = self.try_voice().await;
        let model = self.try_model().await;
        Diagnosis { checks: vec![store, voice, model] }
    }

    async fn try_voice(&self) -> Check {
        let start = Instant::now();
        match self.voices().chosen(&VoiceChoice::Default).await {
            Ok(voice) => Check::new("default voice", Verdict::Ok, voice.name, start),
            Err(failure) => failed("default voice", &failure, start)
                .advise("set F5TTS_DEFAULT_VOICE to one of `f5tts voices list`"),
        }
    }

    /// Loads the model and has it say a word, in as few steps as possible.
    async fn try_model(&self) -> Check {
        let start = Instant::now();
        let synthesizer = self.synthesizer();
        let device = match synthesizer.ready().await {
            Ok(device) => device,
            Err(error) => return failed("model", &error.into(), start),
        };
        let voice = match self.voices().chosen(&VoiceChoice::Default).await {
            Ok(voice) => voice.voice,
            Err(failure) => return failed("model", &failure, start),
        };
        let task = Task {
            parts: vec![TaskPart { voice, text: "One, two, three.".to_owned() }],
            options: SpeakOptions::default(),
            nfe: Nfe::try_from(1).ok(),
            progress: Default::default(),
            stop: Default::default(),
            begun: Default::default(),
        };
        match synthesizer.speak(task).await {
            Ok(_) => {
                let value = format!("{} on {device}", synthesizer.model());
                Check::new("model", Verdict::Ok, value, start)
            }
            Err(error) => failed("model", &error.into(), start),
        }
    }
}

fn failed(name: &str, failure: &Failure, start: Instant) -> Check {
    Check::new(name, Verdict::Failed, failure.message(), start)
}
