//! What a worker needs to know, read from the environment in one place.

use std::{fmt, time::Duration};

use serde_json::Value;

use crate::urls::{UrlTemplates, Urls};

/// Everything that can be set. Build one with [`Settings::from_env`] in a container, or with
/// [`Settings::default`] and the fields that matter elsewhere.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// The name of this worker on the platform.
    pub worker_id: String,
    /// The machine's name, which error reports carry.
    pub host_name: String,
    /// Set on the platform. Then logs are JSON lines.
    pub endpoint_id: Option<String>,
    /// Sent bare in `Authorization`. Without it there are no pings.
    pub api_key: Option<ApiKey>,
    /// The control plane; `None` off the platform.
    pub urls: Option<Urls>,
    /// From the end of one ping to the next.
    pub ping_interval: Duration,
    /// How long one request may take.
    pub timeouts: Timeouts,
    /// How results reach the platform.
    pub delivery: Delivery,
    /// How jobs in hand end when the worker does.
    pub shutdown: Shutdown,
    /// Every result asks the platform for a fresh worker, and the worker ends after its first job.
    pub refresh_worker: bool,
    /// What a streaming job answers at its end.
    pub streams: Streams,
    /// Puts a part of a stream behind the one before it, if both wait to be sent; returns it if it does
    /// not go together with that one. `None`: the client sees the parts as the handler sent them.
    pub merge_parts: Option<fn(&mut Value, Value) -> Option<Value>>,
    /// Least important level that is logged.
    pub log_level: LogLevel,
    /// Checks of the machine before the first job.
    pub system_checks: SystemChecks,
    /// Where the server of a load-balancing endpoint listens.
    pub port: u16,
    /// Where it answers `/ping`.
    pub health_port: u16,
}

/// How long one request to the control plane may take in all.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// To reach the server.
    pub connect: Duration,
    /// The long polls for jobs and stop signals.
    pub poll: Duration,
    /// One attempt to post a result or a part of a stream.
    pub post: Duration,
    /// One attempt to post progress, which the final result waits for.
    pub progress: Duration,
}

/// How results reach the platform.
#[derive(Clone, Copy, Debug)]
pub struct Delivery {
    /// How long a result is tried again through failures that may pass.
    pub give_up_after: Duration,
    /// A larger body becomes an error without being sent.
    pub max_bytes: usize,
    /// How many results are kept for jobs that are offered again.
    pub remembered_results: usize,
    /// How many bytes they may have together.
    pub remembered_bytes: usize,
}

/// How jobs in hand end when the worker does.
#[derive(Clone, Copy, Debug)]
pub struct Shutdown {
    /// How long jobs may run on after SIGTERM before they are cancelled.
    pub finish_jobs_within: Duration,
    /// How long a cancelled handler has to return.
    pub cancel_grace: Duration,
}

/// What a streaming job answers at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Streams {
    /// An empty list; the parts are only in `/stream`.
    #[default]
    PartsOnly,
    /// The list of all parts.
    Aggregate,
}

/// Checks of the machine that run when a threshold is set.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SystemChecks {
    /// Memory that must be available, in GiB.
    pub min_memory_gib: Option<f64>,
    /// Free part of the root file system, in percent.
    pub min_disk_percent: Option<f64>,
}

/// Importance of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Someone must act.
    Error,
    /// Something went wrong and was dealt with.
    Warn,
    /// The life of the worker and of each job.
    Info,
    /// Every request.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// Understands the names of the official SDK, their synonyms and Python's numbers.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.trim().to_ascii_uppercase().as_str() {
            "ERROR" | "CRITICAL" | "FATAL" | "40" | "50" => Self::Error,
            "WARN" | "WARNING" | "30" => Self::Warn,
            "INFO" | "TIP" | "20" => Self::Info,
            "DEBUG" | "10" => Self::Debug,
            "TRACE" | "NOTSET" | "0" => Self::Trace,
            _ => return None,
        })
    }
}

/// The secret of the control plane. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// Wraps a key.
    #[must_use]
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("ApiKey(…)")
    }
}

/// A variable that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot use {name}=`{value}`: must be {allowed}")]
pub struct SettingsError {
    /// Name of the variable.
    pub name: &'static str,
    /// What it holds.
    pub value: String,
    /// What it may hold.
    pub allowed: &'static str,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            worker_id: format!("{:032x}", fastrand::u128(..)),
            host_name: "unknown".to_owned(),
            endpoint_id: None,
            api_key: None,
            urls: None,
            ping_interval: Duration::from_secs(10),
            timeouts: Timeouts {
                connect: Duration::from_secs(10),
                poll: Duration::from_secs(90),
                post: Duration::from_secs(120),
                progress: Duration::from_secs(5),
            },
            delivery: Delivery {
                give_up_after: Duration::from_secs(600),
                max_bytes: 20_000_000,
                remembered_results: 256,
                remembered_bytes: 8 << 20,
            },
            shutdown: Shutdown {
                finish_jobs_within: Duration::from_secs(20),
                cancel_grace: Duration::from_secs(5),
            },
            refresh_worker: false,
            streams: Streams::PartsOnly,
            merge_parts: None,
            log_level: LogLevel::Info,
            system_checks: SystemChecks::default(),
            port: 80,
            health_port: 80,
        }
    }
}

impl Settings {
    /// A shorter interval would be nothing but load.
    const MIN_PING_INTERVAL: Duration = Duration::from_millis(500);

    /// Reads the variables of the platform. Nothing else in this crate looks at the environment.
    ///
    /// `RUNPOD_WEBHOOK_GET_JOB`, `_POST_OUTPUT`, `_POST_STREAM` and `_PING`; `RUNPOD_POD_ID`,
    /// `RUNPOD_POD_HOSTNAME`, `RUNPOD_ENDPOINT_ID`, `RUNPOD_GPU_TYPE_ID`; `RUNPOD_AI_API_KEY`;
    /// `RUNPOD_PING_INTERVAL` (milliseconds); `RUNPOD_LOG_LEVEL`, else `RUNPOD_DEBUG_LEVEL`;
    /// `RUNPOD_SKIP_AUTO_SYSTEM_CHECKS`, `RUNPOD_MIN_MEMORY_GB`, `RUNPOD_MIN_DISK_PERCENT`;
    /// `PORT` (80), `PORT_HEALTH` (as `PORT`); `RUNPOD_WORKER_SHUTDOWN_SECONDS`, which is
    /// [`Shutdown::finish_jobs_within`].
    ///
    /// # Errors
    /// Names the first variable that holds something else than it may.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one function that reads the environment"
    )]
    pub fn from_env() -> Result<Self, SettingsError> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// As [`Settings::from_env`], from any source of variables.
    ///
    /// # Errors
    /// As [`Settings::from_env`].
    pub fn from_variables(
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, SettingsError> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let mut settings = Self::default();
        if let Some(id) = set("RUNPOD_POD_ID") {
            settings.worker_id = id;
        }
        if let Some(name) = set("RUNPOD_POD_HOSTNAME") {
            settings.host_name = name;
        }
        settings.endpoint_id = set("RUNPOD_ENDPOINT_ID");
        settings.api_key = set("RUNPOD_AI_API_KEY").map(ApiKey);
        settings.urls = set("RUNPOD_WEBHOOK_GET_JOB").map(|take| {
            // Without an own name the platform cannot tell whose ping it is.
            let ping = set("RUNPOD_WEBHOOK_PING").filter(|_| set("RUNPOD_POD_ID").is_some());
            let templates = UrlTemplates {
                take,
                done: set("RUNPOD_WEBHOOK_POST_OUTPUT"),
                stream: set("RUNPOD_WEBHOOK_POST_STREAM"),
                ping,
                gpu_type: set("RUNPOD_GPU_TYPE_ID"),
            };
            templates.for_worker(&settings.worker_id)
        });
        settings.read_numbers(&set)?;
        Ok(settings)
    }

    fn read_numbers(&mut self, set: &impl Fn(&str) -> Option<String>) -> Result<(), SettingsError> {
        if let Some(millis) = parsed(set, "RUNPOD_PING_INTERVAL", "whole milliseconds")? {
            self.ping_interval = Duration::from_millis(millis).max(Self::MIN_PING_INTERVAL);
        }
        if let Some(seconds) = parsed(set, "RUNPOD_WORKER_SHUTDOWN_SECONDS", "whole seconds")? {
            self.shutdown.finish_jobs_within = Duration::from_secs(seconds);
        }
        for name in ["RUNPOD_DEBUG_LEVEL", "RUNPOD_LOG_LEVEL"] {
            if let Some(value) = set(name) {
                let allowed = "TRACE, DEBUG, INFO, WARN or ERROR";
                self.log_level =
                    LogLevel::parse(&value).ok_or(SettingsError { name, value, allowed })?;
            }
        }
        let skip = set("RUNPOD_SKIP_AUTO_SYSTEM_CHECKS")
            .is_some_and(|value| value.eq_ignore_ascii_case("true"));
        if !skip {
            self.system_checks = SystemChecks {
                min_memory_gib: parsed(set, "RUNPOD_MIN_MEMORY_GB", "a number")?,
                min_disk_percent: parsed(set, "RUNPOD_MIN_DISK_PERCENT", "a number")?,
            };
        }
        const PORT: &str = "a port, 1 to 65535";
        if let Some(port) = parsed::<std::num::NonZeroU16>(set, "PORT", PORT)? {
            (self.port, self.health_port) = (port.get(), port.get());
        }
        if let Some(port) = parsed::<std::num::NonZeroU16>(set, "PORT_HEALTH", PORT)? {
            self.health_port = port.get();
        }
        Ok(())
    }
}

fn parsed<T: std::str::FromStr>(
    set: &impl Fn(&str) -> Option<String>,
    name: &'static str,
    allowed: &'static str,
) -> Result<Option<T>, SettingsError> {
    let Some(value) = set(name) else {
        return Ok(None);
    };
    match value.trim().parse() {
        Ok(parsed) => Ok(Some(parsed)),
        Err(_) => Err(SettingsError { name, value, allowed }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::from_variables(|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_platform_sets_everything() {
        let settings = read(&[
            ("RUNPOD_POD_ID", "w1"),
            ("RUNPOD_ENDPOINT_ID", "endpoint"),
            ("RUNPOD_AI_API_KEY", "hush"),
            ("RUNPOD_WEBHOOK_GET_JOB", "http://h/job-take/$ID"),
            ("RUNPOD_WEBHOOK_PING", "http://h/ping/$RUNPOD_POD_ID"),
            ("RUNPOD_PING_INTERVAL", "4000"),
            ("RUNPOD_DEBUG_LEVEL", "ERROR"),
            ("RUNPOD_LOG_LEVEL", "warning"),
            ("PORT", "5000"),
        ])
        .unwrap();
        assert_eq!(settings.worker_id, "w1");
        assert_eq!(settings.ping_interval, Duration::from_secs(4));
        assert_eq!(settings.log_level, LogLevel::Warn);
        assert_eq!((settings.port, settings.health_port), (5000, 5000));
        let urls = settings.urls.as_ref().unwrap();
        assert_eq!(urls.ping(), Some("http://h/ping/w1"));
        assert!(!format!("{settings:?}").contains("hush"));
    }

    #[test]
    fn nothing_is_set_on_a_laptop() {
        let settings = read(&[]).unwrap();
        assert!(settings.urls.is_none() && settings.api_key.is_none());
        assert_eq!(settings.worker_id.len(), 32);
        assert_eq!(settings.system_checks, SystemChecks::default());
    }

    #[test]
    fn a_short_ping_interval_is_lengthened() {
        let settings = read(&[("RUNPOD_PING_INTERVAL", "3")]).unwrap();
        assert_eq!(settings.ping_interval, Settings::MIN_PING_INTERVAL);
    }

    #[test]
    fn a_worker_without_a_name_does_not_ping() {
        let settings = read(&[
            ("RUNPOD_WEBHOOK_GET_JOB", "http://h/job-take/$ID"),
            ("RUNPOD_WEBHOOK_PING", "http://h/ping/$RUNPOD_POD_ID"),
        ])
        .unwrap();
        assert_eq!(settings.urls.unwrap().ping(), None);
    }

    #[test]
    fn what_cannot_be_understood_is_named() {
        for (name, value) in [
            ("RUNPOD_PING_INTERVAL", "ten"),
            ("RUNPOD_LOG_LEVEL", "loud"),
            ("PORT", "0"),
            ("PORT_HEALTH", "70000"),
            ("RUNPOD_MIN_MEMORY_GB", "much"),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert_eq!((error.name, error.value.as_str()), (name, value));
        }
        let error = read(&[("PORT", "x")]).unwrap_err().to_string();
        assert_eq!(error, "cannot use PORT=`x`: must be a port, 1 to 65535");
    }

    #[test]
    fn levels_of_other_tools_are_understood() {
        for (text, level) in [
            ("warning", LogLevel::Warn),
            ("10", LogLevel::Debug),
            (" Info ", LogLevel::Info),
            ("NOTSET", LogLevel::Trace),
        ] {
            assert_eq!(LogLevel::parse(text), Some(level));
        }
    }
}
