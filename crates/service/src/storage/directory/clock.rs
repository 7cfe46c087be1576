//! The clock of a file system, which on a network volume is not that of this machine.

use std::{
    io,
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use jiff::Timestamp;

/// How long a reading of the clock is trusted before the next one.
const TRUST: Duration = Duration::from_secs(60);

/// Tells the time by which a file system dates its files.
///
/// It is read off the files that are written anyway, else off one written for it, and goes on with this machine's
/// monotonic clock in between. What somebody does to the wall clock meanwhile has no effect.
#[derive(Debug, Default)]
pub(super) struct FileClock {
    /// A date of the file system, and when it was read.
    reading: Mutex<Option<(SystemTime, Instant)>>,
}

impl FileClock {
    /// Takes the date of a file that has just been written.
    pub(super) fn learn(&self, modified: SystemTime) {
        *self.reading.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((modified, Instant::now()));
    }

    /// The time; `staging` is where a file can be written to learn it. On a read-only file system it is that of
    /// this machine.
    pub(super) fn now(&self, staging: &Path) -> SystemTime {
        if let Some(time) = self.recent() {
            return time;
        }
        let time = date_of_new_file(staging).unwrap_or_else(|_| SystemTime::now());
        self.learn(time);
        time
    }

    fn recent(&self) -> Option<SystemTime> {
        let reading = *self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let (time, at) = reading?;
        let passed = at.elapsed();
        (passed < TRUST).then(|| time + passed)
    }
}

fn date_of_new_file(directory: &Path) -> io::Result<SystemTime> {
    tempfile::tempfile_in(directory)?.metadata()?.modified()
}

/// A system time as a timestamp; one that is out of range becomes the nearest one.
pub(super) fn timestamp(time: SystemTime) -> Timestamp {
    Timestamp::try_from(time).unwrap_or(match time < SystemTime::UNIX_EPOCH {
        true => Timestamp::MIN,
        false => Timestamp::MAX,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_that_is_an_hour_off_does_not_matter() {
        let directory = tempfile::tempdir().unwrap();
        let clock = FileClock::default();
        let hour_ahead = SystemTime::now() + Duration::from_secs(3600);
        clock.learn(hour_ahead);
        let difference = clock
            .now(directory.path())
            .duration_since(hour_ahead)
            .unwrap();
        assert!(difference < Duration::from_secs(5), "{difference:?}");
    }

    #[test]
    fn an_old_reading_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let clock = FileClock::default();
        let long_ago = Instant::now().checked_sub(TRUST).unwrap();
        *clock.reading.lock().unwrap() = Some((SystemTime::UNIX_EPOCH, long_ago));
        let since = clock
            .now(directory.path())
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap();
        assert!(since > Duration::from_secs(1_000_000_000));
    }
}
