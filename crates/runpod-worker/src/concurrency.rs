//! How many jobs run at once.

use std::fmt;

use tokio::sync::watch;

/// Sets how many jobs run at once, at any time. Jobs that run are not disturbed: with a smaller number the
/// worker takes no jobs until enough have ended, with a larger one it takes more at once.
#[derive(Clone, Debug)]
pub struct ConcurrencyHandle(watch::Sender<usize>);

impl ConcurrencyHandle {
    /// Sets the number. With 0 the worker takes no jobs until it is set again.
    pub fn set(&self, jobs: usize) {
        self.0
            .send_if_modified(|limit| std::mem::replace(limit, jobs) != jobs);
    }

    /// The number as it is now.
    #[must_use]
    pub fn get(&self) -> usize {
        *self.0.borrow()
    }
}

type Controller = Box<dyn FnMut(usize) -> usize + Send>;

/// The number and who decides about it.
pub(crate) struct Concurrency {
    handle: ConcurrencyHandle,
    changes: watch::Receiver<usize>,
    controller: Option<Controller>,
}

impl Concurrency {
    pub(crate) fn fixed(jobs: usize) -> Self {
        let (sender, changes) = watch::channel(jobs);
        Self { handle: ConcurrencyHandle(sender), changes, controller: None }
    }

    pub(crate) fn handle(&self) -> ConcurrencyHandle {
        self.handle.clone()
    }

    pub(crate) fn control(&mut self, controller: impl FnMut(usize) -> usize + Send + 'static) {
        self.controller = Some(Box::new(controller));
    }

    pub(crate) fn is_controlled(&self) -> bool {
        self.controller.is_some()
    }

    /// Lets the controller decide, if there is one.
    pub(crate) fn decide(&mut self) -> usize {
        let current = self.handle.get();
        let Some(controller) = &mut self.controller else {
            return current;
        };
        let wanted = controller(current);
        if wanted != current {
            tracing::info!(from = current, to = wanted, "concurrency changes");
            self.handle.set(wanted);
            self.changes.mark_unchanged();
        }
        wanted
    }

    pub(crate) fn limit(&self) -> usize {
        self.handle.get()
    }

    /// Returns when somebody else set the number.
    pub(crate) async fn changed(&mut self) {
        self.changes
            .changed()
            .await
            .expect("the sender lives in `handle`");
    }
}

impl fmt::Debug for Concurrency {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Concurrency")
            .field("jobs", &self.limit())
            .finish_non_exhaustive()
    }
}
