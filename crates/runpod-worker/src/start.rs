//! All of it in one call.

use std::{io::Write as _, path::Path, process::ExitCode};

use crate::{
    arguments::{Arguments, ArgumentsError},
    handler::Handler,
    job::Job,
    one_job::TestInputError,
    settings::{Settings, SettingsError},
    worker::{Worker, WorkerError},
};

/// What is run when there is neither a platform nor a job on the command line.
const TEST_INPUT_FILE: &str = "test_input.json";

/// Why there was nothing to start, or why it failed.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Arguments(#[from] ArgumentsError),
    #[error(transparent)]
    TestInput(#[from] TestInputError),
    #[error(transparent)]
    Worker(#[from] WorkerError),
    #[error(
        "nothing to do: RUNPOD_WEBHOOK_GET_JOB is not set, and there is neither `--test_input` nor a readable \
         `{TEST_INPUT_FILE}`"
    )]
    NothingToDo(#[source] std::io::Error),
    #[error("the job failed")]
    JobFailed,
    #[cfg(feature = "local-api")]
    #[error("cannot find the address {host}:{port}")]
    Address {
        host: String,
        port: u16,
        source: std::io::Error,
    },
    #[cfg(feature = "local-api")]
    #[error(transparent)]
    Serve(#[from] crate::local_api::ServeError),
    #[cfg(not(feature = "local-api"))]
    #[error("this program was built without the feature `local-api`")]
    NoLocalApi,
}

/// Does what the official SDK's `start` does.
///
/// As environment and command line say, it serves the local API (`--rp_serve_api`), runs one job
/// (`--test_input`, or `test_input.json` off the platform), or works for the platform until it is told to
/// end.
pub async fn start(handler: impl Handler) -> ExitCode {
    start_with(handler, |worker| worker).await
}

/// As [`start`], with a worker that `configure` has changed: its concurrency, its checks.
pub async fn start_with(
    handler: impl Handler,
    configure: impl FnOnce(Worker) -> Worker,
) -> ExitCode {
    match try_start(handler, configure).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the worker ends");
            ExitCode::FAILURE
        }
    }
}

async fn try_start(
    handler: impl Handler,
    configure: impl FnOnce(Worker) -> Worker,
) -> Result<(), StartError> {
    let settings = Settings::from_env();
    let arguments = Arguments::parse(std::env::args().skip(1));
    let mut used = settings.as_ref().ok().cloned().unwrap_or_default();
    if let Some(level) = arguments
        .as_ref()
        .ok()
        .and_then(|arguments| arguments.log_level)
    {
        used.log_level = level;
    }
    #[cfg(feature = "logs")]
    crate::logs::init(&used);
    settings?;
    let arguments = arguments?;
    let on_platform = used.urls.is_some();
    let worker = configure(Worker::new(used, handler));
    if arguments.serve_api {
        serve(worker, arguments).await
    } else if let Some(text) = &arguments.test_input {
        run_one(worker, text).await
    } else if on_platform {
        Ok(worker.run().await?)
    } else {
        let file = Path::new(TEST_INPUT_FILE);
        run_one(worker, &std::fs::read_to_string(file).map_err(StartError::NothingToDo)?).await
    }
}

async fn run_one(worker: Worker, test_input: &str) -> Result<(), StartError> {
    let result = worker.run_one(Job::from_test_input(test_input)?).await?;
    let mut out = std::io::stdout().lock();
    for part in &result.parts {
        // A closed pipe is not the job's failure.
        drop(writeln!(out, "{part}"));
    }
    drop(writeln!(out, "{}", result.body));
    if result.is_failure() {
        Err(StartError::JobFailed)
    } else {
        Ok(())
    }
}

#[cfg(feature = "local-api")]
async fn serve(worker: Worker, arguments: Arguments) -> Result<(), StartError> {
    let Arguments { api_host: host, api_port: port, api_concurrency, .. } = arguments;
    let found = tokio::net::lookup_host((host.as_str(), port)).await;
    let found = found.and_then(|mut addresses| {
        addresses
            .next()
            .ok_or_else(|| std::io::Error::other("the name has no address"))
    });
    let address = found.map_err(|source| StartError::Address { host, port, source })?;
    let worker = if api_concurrency > 1 {
        worker.concurrency(api_concurrency)
    } else {
        worker
    };
    let stop = crate::shutdown::stop_on_signals().map_err(WorkerError::Start)?;
    Ok(crate::local_api::serve_local_api(worker, address, stop).await?)
}

#[cfg(not(feature = "local-api"))]
async fn serve(_worker: Worker, _arguments: Arguments) -> Result<(), StartError> {
    Err(StartError::NoLocalApi)
}
