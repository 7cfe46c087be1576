//! Operations that are recorded once and then repeated as a whole: a CUDA graph.

use std::{
    cell::Cell,
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard},
};

use super::{Cuda, device::Graph, pool::Held, rows::Rows};
use crate::Result;

thread_local! {
    /// Whether this thread records.
    static RECORDS: Cell<bool> = const { Cell::new(false) };
}

/// Keeps other threads from asking for anything while one records: it would become part of the recording.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    lock: RwLock<()>,
    /// What the recorded operations read.
    rows: Mutex<Vec<Arc<Rows>>>,
}

impl Recorder {
    /// Every operation holds this while it asks the device for something.
    pub(super) fn enter(&self) -> Option<RwLockReadGuard<'_, ()>> {
        let records = RECORDS.with(Cell::get);
        (!records).then(|| self.lock.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps `rows` as long as the recording, if there is one.
    pub(super) fn keep(&self, rows: &Arc<Rows>) {
        if RECORDS.with(Cell::get) {
            self.rows().push(Arc::clone(rows));
        }
    }

    fn rows(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Rows>>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Operations on one set of matrices, recorded when they are asked for the second time: at the first, all
/// that is needed is loaded and allocated.
#[derive(Debug, Default)]
pub struct Recording(State);

#[derive(Debug, Default)]
enum State {
    #[default]
    New,
    Done,
    Recorded(Recorded),
    /// The device would not.
    Refused,
}

/// The fields are dropped in this order: what the graph uses after the graph.
#[derive(Debug)]
struct Recorded {
    graph: Box<dyn Graph>,
    _memory: Held,
    _rows: Vec<Arc<Rows>>,
}

/// [`crate::Backend::repeat`]
pub(super) fn repeat<E: From<crate::Error>>(
    cuda: &Cuda,
    recording: &mut Recording,
    operations: &mut (dyn FnMut() -> std::result::Result<(), E> + Send),
) -> std::result::Result<(), E> {
    if !cuda.recorded {
        return operations();
    }
    if let State::Done = recording.0 {
        recording.0 = match record(cuda, operations) {
            Ok(recorded) => State::Recorded(recorded),
            Err(()) => State::Refused,
        };
    }
    match &recording.0 {
        State::New => {
            operations()?;
            recording.0 = State::Done;
            Ok(())
        }
        State::Recorded(recorded) => {
            let _guard = cuda.recorder.enter();
            Ok(recorded.graph.replay()?)
        }
        State::Done | State::Refused => operations(),
    }
}

/// Records, without doing anything. Why it fails does not matter: the operations are then done as usual, and
/// tell themselves.
fn record<E>(
    cuda: &Cuda,
    operations: &mut (dyn FnMut() -> std::result::Result<(), E> + Send),
) -> std::result::Result<Recorded, ()> {
    let recorder = &cuda.recorder;
    let _alone = recorder
        .lock
        .write()
        .unwrap_or_else(PoisonError::into_inner);
    cuda.device.begin_recording().map_err(drop)?;
    let open = Open::begin(cuda);
    let done = operations();
    let (graph, memory, rows) = open.end();
    done.map_err(drop)?;
    Ok(Recorded { graph: graph.map_err(drop)?, _memory: memory, _rows: rows })
}

/// A recording under way, which ends even if an operation panics.
struct Open<'a> {
    cuda: &'a Cuda,
    ended: bool,
}

impl<'a> Open<'a> {
    fn begin(cuda: &'a Cuda) -> Self {
        RECORDS.with(|records| records.set(true));
        cuda.pool.begin_recording();
        Self { cuda, ended: false }
    }

    fn end(mut self) -> (Result<Box<dyn Graph>>, Held, Vec<Arc<Rows>>) {
        self.finish()
    }

    fn finish(&mut self) -> (Result<Box<dyn Graph>>, Held, Vec<Arc<Rows>>) {
        self.ended = true;
        RECORDS.with(|records| records.set(false));
        let graph = self.cuda.device.end_recording();
        let rows = std::mem::take(&mut *self.cuda.recorder.rows());
        (graph, self.cuda.pool.end_recording(), rows)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if !self.ended {
            drop(self.finish());
        }
    }
}
