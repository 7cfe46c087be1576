//! How much memory the process uses, as Linux tells it.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use serde::Serialize;

const SAMPLING_INTERVAL: Duration = Duration::from_millis(10);

/// Memory in megabytes (10⁶ bytes).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Memory {
    /// Held by the process alone.
    pub(crate) rss_anon_mb: f64,
    /// Pages of mapped files, which the system may drop at any time.
    pub(crate) rss_file_mb: f64,
    /// The most that `rss_anon_mb` was, looked at every 10 ms.
    pub(crate) peak_anon_mb: f64,
    /// The most that both together were.
    pub(crate) peak_mb: f64,
}

/// Looks at the memory of the process until it is asked for the peak.
#[derive(Debug)]
pub(crate) struct MemoryWatch {
    peak_anon_kib: Arc<AtomicU64>,
    done: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl MemoryWatch {
    /// Begins to watch.
    pub(crate) fn start() -> Self {
        let (peak_anon_kib, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (peak, stop) = (Arc::clone(&peak_anon_kib), Arc::clone(&done));
        let thread = thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                peak.fetch_max(status().map_or(0, |status| status.rss_anon_kib), Ordering::Relaxed);
                thread::sleep(SAMPLING_INTERVAL);
            }
        });
        Self { peak_anon_kib, done, thread }
    }

    /// Ends watching; `None` where the system does not tell.
    pub(crate) fn finish(self) -> Option<Memory> {
        self.done.store(true, Ordering::Relaxed);
        self.thread.join().ok()?;
        let now = status()?;
        let peak_anon_kib = self
            .peak_anon_kib
            .load(Ordering::Relaxed)
            .max(now.rss_anon_kib);
        Some(Memory {
            rss_anon_mb: megabytes(now.rss_anon_kib),
            rss_file_mb: megabytes(now.rss_file_kib),
            peak_anon_mb: megabytes(peak_anon_kib),
            peak_mb: megabytes(now.peak_kib),
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Status {
    rss_anon_kib: u64,
    rss_file_kib: u64,
    peak_kib: u64,
}

fn status() -> Option<Status> {
    parse(&fs::read_to_string("/proc/self/status").ok()?)
}

/// <https://www.man7.org/linux/man-pages/man5/proc_pid_status.5.html>
fn parse(status: &str) -> Option<Status> {
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_start_matches(':')
            .trim()
            .strip_suffix(" kB")?
            .parse()
            .ok()
    };
    Some(Status {
        rss_anon_kib: kib("RssAnon")?,
        rss_file_kib: kib("RssFile")?,
        peak_kib: kib("VmHWM")?,
    })
}

#[expect(clippy::cast_precision_loss, reason = "memory is below 2^53 kibibytes")]
fn megabytes(kib: u64) -> f64 {
    (kib as f64 * 1024.0 / 1e5).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_of_linux_is_read() {
        let text = "VmHWM:\t    3000 kB\nVmRSS:\t  2500 kB\nRssAnon:\t    1000 kB\nRssFile:\t     500 kB\n";
        let expected = Status { rss_anon_kib: 1000, rss_file_kib: 500, peak_kib: 3000 };
        assert_eq!(parse(text), Some(expected));
        assert_eq!(parse("RssAnon:\t1 kB"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_peak_outlives_what_was_freed() {
        let watch = MemoryWatch::start();
        let held = vec![1_u8; 64 << 20];
        thread::sleep(20 * SAMPLING_INTERVAL);
        assert_eq!(held[held.len() / 2], 1);
        drop(held);
        let memory = watch.finish().unwrap();
        assert!(
            memory.peak_anon_mb > 64.0 && memory.rss_anon_mb < memory.peak_anon_mb,
            "{memory:?}"
        );
    }
}
