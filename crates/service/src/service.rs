//! The service: storage, voices, jobs and a synthesizer, behind one function that answers requests.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    context::Context,
    failure::Failure,
    jobs::{Exclusion, JobLog, LeaseTimes},
    request::ParseOptions,
    storage::{JobId, LinkLifetime, Storage, hexadecimal},
    synthesis::Synthesizer,
    voices::Voices,
};

/// How the service works.
#[derive(Clone, Debug)]
pub struct ServiceOptions {
    /// What requests may ask for.
    pub parse: ParseOptions,
    /// How long one synthesis may take, once its turn has come.
    pub processing_timeout: Duration,
    /// How long a job is held without a sign of life.
    pub lease: LeaseTimes,
    /// How long signed links work.
    pub link_lifetime: LinkLifetime,
}

/// Answers requests.
pub struct Service {
    options: ServiceOptions,
    storage: Arc<dyn Storage>,
    voices: Arc<Voices>,
    synthesizer: Arc<dyn Synthesizer>,
    log: JobLog,
    /// The jobs that this process holds.
    running: Mutex<HashMap<JobId, Context>>,
    witness: Witness,
}

/// Called when a job reaches a point of its life; for tests that end the process there.
pub type Witness = Box<dyn Fn(Point) + Send + Sync>;

/// A point in the life of a speech job, after which something is different for whoever comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// The job is held by this process.
    Claimed,
    /// Its voices can speak.
    VoicesReady,
    /// There are samples.
    Spoken,
    /// There are files in memory.
    Rendered,
    /// The audio is stored.
    AudioStored,
    /// The timing files are stored.
    TimingsStored,
    /// The last record is written.
    Finished,
}

impl Point {
    /// All of them, in order.
    pub const ALL: [Self; 7] = [
        Self::Claimed,
        Self::VoicesReady,
        Self::Spoken,
        Self::Rendered,
        Self::AudioStored,
        Self::TimingsStored,
        Self::Finished,
    ];
}

/// What a service is made of.
#[derive(Debug)]
pub struct Parts {
    /// Where everything is kept.
    pub storage: Arc<dyn Storage>,
    /// How two writers of a record are told apart, from [`probe`](crate::storage::probe).
    pub exclusion: Exclusion,
    /// Who speaks.
    pub voices: Arc<Voices>,
    /// What speaks.
    pub synthesizer: Arc<dyn Synthesizer>,
}

impl Service {
    /// Puts a service together.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn new(parts: Parts, options: ServiceOptions) -> Result<Self, getrandom::Error> {
        let Parts { storage, exclusion, voices, synthesizer } = parts;
        Ok(Self {
            options,
            log: JobLog::new(Arc::clone(&storage), exclusion)?,
            storage,
            voices,
            synthesizer,
            running: Mutex::default(),
            witness: Box::new(|_| ()),
        })
    }

    /// Has a function called at every [`Point`] of every job.
    #[must_use]
    pub fn witnessed_by(mut self, witness: Witness) -> Self {
        self.witness = witness;
        self
    }

    /// How it works.
    pub const fn options(&self) -> &ServiceOptions {
        &self.options
    }

    /// Where everything is kept.
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.storage
    }

    /// Who speaks.
    pub const fn voices(&self) -> &Arc<Voices> {
        &self.voices
    }

    /// What speaks.
    pub fn synthesizer(&self) -> &Arc<dyn Synthesizer> {
        &self.synthesizer
    }

    /// The records of jobs.
    pub const fn log(&self) -> &JobLog {
        &self.log
    }

    /// Whether no speech job runs in this process.
    pub fn is_idle(&self) -> bool {
        self.lock().is_empty()
    }

    pub(crate) fn reached(&self, point: Point) {
        (self.witness)(point);
    }

    /// What surrounds a job that this process holds.
    pub(crate) fn running(&self, job: &JobId) -> Option<Context> {
        self.lock().get(job).cloned()
    }

    /// Notes that this process holds a job, until the guard is dropped.
    pub(crate) fn note(&self, job: &JobId, context: &Context) -> Noted<'_> {
        self.lock().insert(job.clone(), context.clone());
        Noted { service: self, job: job.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, Context>> {
        // A panic between two of these calls leaves the map whole.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("options", &self.options)
            .field("storage", &self.storage)
            .field("synthesizer", &self.synthesizer)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub(crate) struct Noted<'a> {
    service: &'a Service,
    job: JobId,
}

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        self.service.lock().remove(&self.job);
    }
}

/// An identifier that nothing else has.
pub(crate) fn random_id() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(hexadecimal(&bytes))
}

/// A seed that every JSON reader keeps exactly.
pub(crate) fn random_seed() -> Result<u64, Failure> {
    let bits = getrandom::u64()
        .map_err(|error| Failure::because(crate::failure::ErrorCode::Internal, &error))?;
    Ok(bits & crate::request::SEEDS.end())
}
