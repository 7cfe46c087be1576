//! The log of a job: small objects that are only ever created.
//!
//! Of two writers of the same number exactly one wins; the other reads on. So every process on the same store
//! can tell a job's state, and a job ends exactly once, whoever dies meanwhile.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;

use super::record::{Event, Order, Record, State};
use crate::{
    failure::{ErrorCode, Failure},
    service::random_id,
    storage::{CreateOnly, Created, JobId, ObjectKey, ObjectMeta, Prefix, Storage, WriterId},
};

/// The largest record: the longest text, escaped, and everything else.
const MAX_RECORD_BYTES: u64 = 4 << 20;
/// No job has more records: a lease renewed every 20 s for days.
const MAX_RECORDS: u32 = 100_000;
/// In a store that cannot create exclusively, two writers see each other after this time, because its times have whole seconds.
const SETTLING: Duration = Duration::from_millis(1_200);

/// The logs of all jobs in a store.
#[derive(Clone, Debug)]
pub struct JobLog {
    storage: Arc<dyn Storage>,
    exclusion: Exclusion,
    writer: WriterId,
}

/// How it is decided which of two writers was first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exclusion {
    /// The store creates an object only once.
    Create,
    /// Each writer creates an object of its own; the oldest counts. Of those of the same second that of whoever holds
    /// the job does, else the one whose name is lowest.
    Oldest,
    /// Not at all: the store can neither create exclusively nor list.
    None,
}

impl Exclusion {
    /// What a store allows.
    pub const fn of(create_only: CreateOnly, can_list: bool) -> Self {
        match (create_only, can_list) {
            (CreateOnly::Exclusive, _) => Self::Create,
            (CreateOnly::Unsupported | CreateOnly::Ignored, true) => Self::Oldest,
            (CreateOnly::Unsupported | CreateOnly::Ignored, false) => Self::None,
        }
    }
}

/// What is known of a job: what it is to do, and its last record.
#[derive(Clone, Debug)]
pub struct History {
    job: JobId,
    order: Order,
    last: Record,
    /// The key of the last record.
    key: ObjectKey,
    created: Timestamp,
    changed: Timestamp,
    /// The number of the next record.
    next: u32,
}

impl History {
    /// The job.
    pub fn job(&self) -> &JobId {
        &self.job
    }

    /// What is to be done, by the last record that said so.
    pub fn order(&self) -> &Order {
        &self.order
    }

    /// What happened last.
    pub fn last(&self) -> &Record {
        &self.last
    }

    /// The job's state.
    pub const fn state(&self) -> State {
        self.last.event.state()
    }

    /// When the job was accepted, by the store's clock.
    pub const fn created(&self) -> Timestamp {
        self.created
    }

    /// When the last record was written, by the store's clock.
    pub const fn changed(&self) -> Timestamp {
        self.changed
    }

    /// Where the next record lies.
    fn place(&self) -> Place<'_> {
        let is_held = self.state() == State::Processing;
        let holder = is_held.then_some(self.last.writer.as_str());
        Place { job: &self.job, number: self.next, holder }
    }

    /// Takes the next record over.
    fn advance(&mut self, found: Found) {
        if let Event::Queued(order) = &found.record.event {
            self.order = order.clone();
        }
        self.last = found.record;
        self.key = found.key;
        self.changed = found.written;
        self.next += 1;
    }
}

/// Whether a record is the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is.
    Won,
    /// Somebody else's is; the history has been read on.
    Lost,
}

/// A record, where it lies, and when it was written by the store's clock.
#[derive(Clone, Debug)]
struct Found {
    record: Record,
    key: ObjectKey,
    written: Timestamp,
}

impl JobLog {
    /// Logs by a writer that nothing else is, not even another task of this process.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn new(storage: Arc<dyn Storage>, exclusion: Exclusion) -> Result<Self, getrandom::Error> {
        let writer = WriterId::try_from(random_id()?.as_str())
            .expect("hexadecimal digits are an identifier");
        Ok(Self { storage, exclusion, writer })
    }

    /// The same logs by another writer.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn by_another_writer(&self) -> Result<Self, getrandom::Error> {
        Self::new(Arc::clone(&self.storage), self.exclusion)
    }

    /// How it is decided which of two writers was first.
    pub const fn exclusion(&self) -> Exclusion {
        self.exclusion
    }

    /// Creates a job, or reads the one that is there.
    pub async fn open(&self, job: &JobId, order: Order) -> Result<History, Failure> {
        let record = self.record(Event::Queued(order));
        match self.put(Place::first(job), record, Contended::Yes).await? {
            Some(found) => history(job, found),
            None => self.read(job).await?.ok_or_else(|| vanished(job)),
        }
    }

    /// All that is known of a job.
    pub async fn read(&self, job: &JobId) -> Result<Option<History>, Failure> {
        let Some(first) = self.find(Place::first(job)).await? else {
            return Ok(None);
        };
        let mut history = history(job, first)?;
        self.read_on(&mut history).await?;
        Ok(Some(history))
    }

    /// Reads what was written since; tells whether there was anything.
    pub async fn read_on(&self, history: &mut History) -> Result<bool, Failure> {
        let before = history.next;
        while history.next < MAX_RECORDS {
            let Some(found) = self.find(history.place()).await? else {
                break;
            };
            history.advance(found);
        }
        Ok(history.next > before)
    }

    /// Writes the next record, unless somebody else did.
    pub async fn append(&self, history: &mut History, event: Event) -> Result<Appended, Failure> {
        // Whoever holds the lease is alone.
        let contended = if self.holds(history) {
            // A record behind those that somebody removed would be found by the next job of this id.
            self.age(history).await?;
            Contended::No
        } else {
            Contended::Yes
        };
        let record = self.record(event);
        loop {
            let put = self.put(history.place(), record.clone(), contended).await?;
            if let Some(found) = put {
                history.advance(found);
                return Ok(Appended::Won);
            }
            if !self.read_on(history).await? {
                return Err(vanished(&history.job));
            }
            // Else it was a renewal of our own, cut off before its success was seen.
            if !self.holds(history) {
                return Ok(Appended::Lost);
            }
        }
    }

    /// Whether this writer works on the job.
    pub fn holds(&self, history: &History) -> bool {
        history.state() == State::Processing && history.last.writer == self.writer.as_str()
    }

    /// How long it is since the last record, by the store's clock.
    pub async fn age(&self, history: &History) -> Result<Duration, Failure> {
        let meta = self.storage.head(&history.key).await?;
        meta.map(|meta| meta.age())
            .ok_or_else(|| vanished(&history.job))
    }

    /// Removes the records, the first one last, so that what is cut off can be repeated.
    ///
    /// Tells whether there were any.
    pub async fn remove(&self, job: &JobId) -> Result<bool, Failure> {
        let keys = self.keys(job).await?;
        for key in keys.iter().rev() {
            self.storage.delete(key).await?;
        }
        Ok(!keys.is_empty())
    }

    async fn keys(&self, job: &JobId) -> Result<Vec<ObjectKey>, Failure> {
        if self.exclusion == Exclusion::Oldest {
            let listed = self.listed(job).await?;
            return Ok(listed.into_iter().map(|(key, _)| key).collect());
        }
        let mut keys = Vec::new();
        for number in 0..MAX_RECORDS {
            let key = record_key(job, number, None);
            if self.storage.head(&key).await?.is_none() {
                break;
            }
            keys.push(key);
        }
        Ok(keys)
    }

    async fn listed(&self, job: &JobId) -> Result<Vec<(ObjectKey, ObjectMeta)>, Failure> {
        let entries = self.storage.list(&Prefix::JobRecords(job.clone())).await?;
        let records = entries.into_iter().filter_map(|entry| {
            let (number, writer) = ObjectKey::parse_record_name(&entry.name)?;
            Some((record_key(job, number, writer), entry.meta))
        });
        Ok(records.collect())
    }

    fn record(&self, event: Event) -> Record {
        Record {
            writer: self.writer.as_str().to_owned(),
            written_at: Timestamp::now().to_string(),
            event,
        }
    }

    /// Writes a record in a place; nothing if there is another.
    async fn put(
        &self,
        place: Place<'_>,
        record: Record,
        contended: Contended,
    ) -> Result<Option<Found>, Failure> {
        let Place { job, number, .. } = place;
        let bytes = serde_json::to_vec(&record)
            .map(Bytes::from)
            .map_err(|error| {
                let message = format!("a record of job {job} cannot be written: {error}");
                Failure::new(ErrorCode::Internal, message)
            })?;
        if bytes.len() as u64 > MAX_RECORD_BYTES {
            let size = bytes.len();
            let message = format!(
                "the request has {size} bytes with all its fields, at most {MAX_RECORD_BYTES} can be kept"
            );
            return Err(Failure::new(ErrorCode::InvalidInput, message));
        }
        let writer = (self.exclusion == Exclusion::Oldest).then(|| self.writer.clone());
        let key = record_key(job, number, writer);
        if self.exclusion == Exclusion::Create {
            if let Created::Yes(stored) = self.storage.create(&key, bytes).await? {
                return Ok(Some(Found { record, key, written: stored.at }));
            }
        } else {
            if self.find(place).await?.is_some() {
                return Ok(None);
            }
            self.storage.put(&key, bytes).await?;
            if self.exclusion == Exclusion::Oldest && contended == Contended::Yes {
                tokio::time::sleep(SETTLING).await;
            }
        }
        // Also, a request whose answer got lost and that was repeated finds its own object.
        let found = self.find(place).await?;
        Ok(found.filter(|found| found.record == record))
    }

    async fn find(&self, place: Place<'_>) -> Result<Option<Found>, Failure> {
        let Place { job, number, .. } = place;
        let key = match self.exclusion {
            Exclusion::Create | Exclusion::None => record_key(job, number, None),
            Exclusion::Oldest => match self.oldest(place).await? {
                Some(key) => key,
                None => return Ok(None),
            },
        };
        let object = match self.storage.get(&key, MAX_RECORD_BYTES).await {
            Ok(object) => object,
            Err(error) if error.is_missing() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let record = serde_json::from_slice(&object.bytes)
            .map_err(|error| damaged(job, number, &error.to_string()))?;
        Ok(Some(Found { record, key, written: object.meta.modified }))
    }

    async fn oldest(&self, place: Place<'_>) -> Result<Option<ObjectKey>, Failure> {
        let holder = place
            .holder
            .and_then(|holder| WriterId::try_from(holder).ok());
        let holders = record_key(place.job, place.number, holder);
        let listed = self.listed(place.job).await?.into_iter();
        let of_number = listed.filter(|(key, _)| {
            matches!(key, ObjectKey::JobRecord { number, .. } if *number == place.number)
        });
        let oldest = of_number.min_by_key(|(key, meta)| {
            (meta.modified.as_second(), *key != holders, meta.modified, key.clone())
        });
        Ok(oldest.map(|(key, _)| key))
    }
}

/// A number in the log of a job.
#[derive(Clone, Copy, Debug)]
struct Place<'a> {
    job: &'a JobId,
    number: u32,
    /// Who holds the job until this record.
    holder: Option<&'a str>,
}

impl<'a> Place<'a> {
    const fn first(job: &'a JobId) -> Self {
        Self { job, number: 0, holder: None }
    }
}

/// Whether others may want to write the same record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contended {
    Yes,
    No,
}

fn record_key(job: &JobId, number: u32, writer: Option<WriterId>) -> ObjectKey {
    ObjectKey::JobRecord { job: job.clone(), number, writer }
}

/// What is known of a job from its first record.
fn history(job: &JobId, first: Found) -> Result<History, Failure> {
    let Event::Queued(order) = &first.record.event else {
        return Err(damaged(job, 0, "the first record does not say what is to be done"));
    };
    Ok(History {
        job: job.clone(),
        order: order.clone(),
        last: first.record,
        key: first.key,
        created: first.written,
        changed: first.written,
        next: 1,
    })
}

fn damaged(job: &JobId, number: u32, why: &str) -> Failure {
    let message = format!(
        "record {number} of job {job} is damaged: {why}; remove the job with `delete_job` and run it again"
    );
    Failure::new(ErrorCode::RecordDamaged, message)
}

fn vanished(job: &JobId) -> Failure {
    let message = format!("the records of job {job} vanished while it was worked on");
    Failure::new(ErrorCode::RecordDamaged, message)
}
