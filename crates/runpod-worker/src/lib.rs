#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod active;
mod arguments;
mod backoff;
mod concurrency;
mod context;
mod control_plane;
mod delivery;
mod fitness;
mod handler;
mod job;
mod job_run;
#[cfg(feature = "local-api")]
pub mod local_api;
#[cfg(feature = "logs")]
pub mod logs;
mod one_job;
mod outcome;
mod ping;
mod recent;
mod settings;
mod shutdown;
mod source;
mod start;
mod stop_signals;
mod streaming;
mod take_pace;
mod urls;
mod worker;

pub use crate::{
    arguments::{Arguments, ArgumentsError},
    concurrency::ConcurrencyHandle,
    context::{CancelReason, Cancellation, Context, StreamClosed},
    control_plane::{ControlPlane, ControlPlaneError},
    fitness::{CheckError, Unfit},
    handler::{Handler, HandlerFuture, blocking, handler},
    job::{Job, JobError, Offer, Policy, S3Config},
    one_job::{TestInputError, TestResult},
    outcome::{Answer, Failure, Outcome},
    settings::{
        ApiKey, Delivery, LogLevel, Settings, SettingsError, Shutdown, Streams, SystemChecks,
        Timeouts,
    },
    shutdown::stop_on_signals,
    source::{JobSource, Post, PostKind, SourceError, TakeRequest},
    start::{start, start_with},
    urls::{UrlTemplates, Urls},
    worker::{Worker, WorkerError},
};
