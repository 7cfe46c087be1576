//! `f5tts worker`: the job contract as a worker of RunPod Serverless.

mod buckets;
mod handler;
mod retention;

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context as _, anyhow};
use f5tts_service::{Service, request::ReturnAudio};
use runpod_worker::{
    CheckError, Settings, Worker,
    local_api::{LocalApi, Readiness, serve_load_balanced, serve_local_api},
    logs, stop_on_signals,
};
use tokio_util::sync::CancellationToken;

use crate::{
    assembly::{self, MissingModel},
    cli::WorkerArguments,
    config,
    failure::{Failure, OrBadInput},
    job_command,
    output::print,
};
use handler::SpeechHandler;

/// Works until it is told to end.
pub(crate) fn run(arguments: &WorkerArguments) -> Result<(), Failure> {
    assembly::run(async {
        let settings = settings(arguments)?;
        logs::init(&settings);
        // Before the model is loaded, so that a signal ends the worker properly from the beginning.
        let stop = stop_on_signals().context("could not listen to signals")?;
        let service = tokio::select! {
            service = assembly::service(arguments.service.settings(), return_audio(arguments), MissingModel::Fetched) => service?,
            () = stop.cancelled() => return Ok(()),
        };
        let worker = worker(settings.clone(), Arc::clone(&service), arguments);
        let retention = arguments.service.jobs.retention();
        tokio::select! {
            worked = work(worker, &settings, arguments, stop) => worked,
            never = retention::sweep_when_idle(&service, retention) => never,
        }
    })
}

async fn work(
    worker: Worker,
    settings: &Settings,
    arguments: &WorkerArguments,
    stop: CancellationToken,
) -> Result<(), Failure> {
    match mode(arguments, settings) {
        Mode::OneJob(job) => one_job(worker, job).await,
        Mode::LocalApi => {
            let address = address(arguments).await?;
            let served = serve_local_api(worker, address, stop).await;
            Ok(served.context("the API ended")?)
        }
        Mode::Platform => {
            let source = runpod_worker::ControlPlane::new(settings);
            let source = Arc::new(source.context("could not reach the platform")?);
            let worked = worker.run_with(source, stop).await;
            Ok(worked.context("the worker ended")?)
        }
        Mode::LoadBalanced => load_balanced(worker, settings, stop).await,
    }
}

/// What a worker does.
enum Mode<'a> {
    /// One job, for a test.
    OneJob(&'a str),
    /// RunPod's API on this machine.
    LocalApi,
    /// The jobs of RunPod's queue.
    Platform,
    /// RunPod's API behind a load balancer.
    LoadBalanced,
}

fn mode<'a>(arguments: &'a WorkerArguments, settings: &Settings) -> Mode<'a> {
    if let Some(job) = &arguments.test_input {
        Mode::OneJob(job)
    } else if arguments.serve_api {
        Mode::LocalApi
    } else if settings.urls.is_none() && arguments.platform.port.is_some() {
        Mode::LoadBalanced
    } else {
        Mode::Platform
    }
}

fn settings(arguments: &WorkerArguments) -> Result<Settings, Failure> {
    let mut settings = config::runpod().or_bad_input()?;
    let platform = &arguments.platform;
    if let Some(port) = platform.port {
        settings.port = port;
        settings.health_port = platform.port_health.unwrap_or(port);
    }
    if let Some(level) = arguments.log_level {
        settings.log_level = level;
    }
    let has_work = settings.urls.is_some()
        || arguments.serve_api
        || arguments.test_input.is_some()
        || platform.port.is_some();
    if !has_work {
        return Err(Failure::bad_input(
            "this is no worker of RunPod (RUNPOD_WEBHOOK_GET_JOB is not set): \
             try `--serve-api`, which is RunPod's API on this machine, or `--test-input`",
        ));
    }
    Ok(settings)
}

/// Where there is no bucket, nobody but this worker can read what it stores.
fn return_audio(arguments: &WorkerArguments) -> ReturnAudio {
    if arguments.service.store.s3_bucket.is_some() {
        ReturnAudio::Url
    } else {
        ReturnAudio::Base64
    }
}

fn worker(settings: Settings, service: Arc<Service>, arguments: &WorkerArguments) -> Worker {
    let max_bytes = settings.delivery.max_bytes;
    let handler = SpeechHandler::new(Arc::clone(&service), max_bytes);
    Worker::new(settings, handler)
        .concurrency(usize::from(arguments.platform.concurrency))
        .check("f5tts", move || async move { self_test(&service).await })
}

/// Loads the model, has it speak, and tries store and default voice: so the first job finds everything warm.
async fn self_test(service: &Service) -> Result<(), CheckError> {
    let diagnosis = service.self_test().await;
    for check in &diagnosis.checks {
        let (name, value) = (&check.name, &check.value);
        tracing::info!(verdict = %check.verdict, ms = check.milliseconds, "{name}: {value}");
    }
    match diagnosis.failed() {
        Some(check) => Err(assembly::failed(check).text().into()),
        None => Ok(()),
    }
}

async fn address(arguments: &WorkerArguments) -> Result<SocketAddr, Failure> {
    let (host, port) = (arguments.api_host.as_str(), arguments.api_port);
    let found = tokio::net::lookup_host((host, port)).await;
    let mut addresses =
        found.or_bad_input_in(format!("could not find the address {host}:{port}"))?;
    addresses
        .next()
        .ok_or_else(|| Failure::bad_input(format!("{host} has no address")))
}

async fn one_job(worker: Worker, job: &str) -> Result<(), Failure> {
    let job = runpod_worker::Job::from_test_input(&job_command::read(job)?).or_bad_input()?;
    let result = worker.run_one(job).await.context("the worker ended")?;
    let text = serde_json::to_string_pretty(&result.body).context("could not write JSON")?;
    print(&(text + "\n"))?;
    if result.is_failure() {
        return Err(Failure::Failed(anyhow!("the job failed")));
    }
    Ok(())
}

async fn load_balanced(
    worker: Worker,
    settings: &Settings,
    stop: CancellationToken,
) -> Result<(), Failure> {
    let (api, readiness) = (LocalApi::default(), Readiness::default());
    let ready = readiness.clone();
    let worker = worker.check("ready", move || async move {
        ready.set_ready();
        Ok(())
    });
    let served = serve_load_balanced(settings, api.routes(), readiness.clone(), stop.clone());
    let work = async {
        let worked = worker.run_with(api.queue(), stop.clone()).await;
        readiness.set_failed();
        stop.cancel();
        worked.context("the worker ended")
    };
    let closing = async {
        stop.cancelled().await;
        api.close();
    };
    let (served, worked, ()) = tokio::join!(served, work, closing);
    worked?;
    Ok(served.context("the server ended")?)
}
