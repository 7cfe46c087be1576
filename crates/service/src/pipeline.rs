//! The life of a speech job, as one function: read this first.
//!
//! accept → hold → voices → synthesis → timings → encoding → store → finish → announce

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::select;

use crate::{
    answer::{self, Spoken},
    context::Context,
    failure::{ErrorCode, Failure},
    jobs::{self, Entry, Event, Held, History, JobLog, Outcome},
    rendering::{self, Rendered},
    request::{SpeechRequest, tagged},
    service::{Point, Service},
    storage::{JobId, ObjectKey},
    synthesis::{Synthesis, Task, TaskPart},
    voices::ReadyVoice,
};

/// A job and all that is known of it, checked.
#[derive(Debug)]
pub(crate) struct SpeechJob {
    pub(crate) id: JobId,
    /// Its records, written under a name of its own: the same job may be asked for twice in one process.
    pub(crate) log: JobLog,
    pub(crate) request: SpeechRequest,
    pub(crate) warnings: Vec<String>,
}

impl Service {
    /// Does a job that was accepted, or waits for whoever does it.
    pub(crate) async fn run(
        &self,
        job: &SpeechJob,
        mut history: History,
        context: &Context,
    ) -> Result<History, Failure> {
        let times = self.options().lease;
        loop {
            let held = match jobs::follow(&job.log, times, history, &context.cancel).await? {
                Entry::Done(history) => return Ok(*history),
                Entry::Mine(held) => held,
            };
            self.reached(Point::Claimed);
            // Usually this is our own result; else whoever took the job over is followed to its end.
            history = self.work(job, *held, context).await?;
        }
    }

    /// Works on a job that is ours until it ends, or is ours no more.
    async fn work(
        &self,
        job: &SpeechJob,
        mut held: Held,
        context: &Context,
    ) -> Result<History, Failure> {
        let _noted = self.note(&job.id, context);
        let seed = held.order().seed;
        let ended = select! {
            ended = self.perform(job, seed, context) => ended,
            lost = held.keep(&context.progress) => Err(lost),
            () = context.cancel.cancelled() => Err(jobs::cancelled()),
        };
        if let Err(failure) = &ended {
            tracing::info!(job = %job.id, code = failure.code().name(), %failure, "job failed");
        }
        let event = match &ended {
            Ok(outcome) => Event::Completed(outcome.clone()),
            Err(failure) => failure.into(),
        };
        let history = held.finish(event).await?;
        self.reached(Point::Finished);
        Ok(history)
    }

    /// The stages of a job.
    async fn perform(
        &self,
        job: &SpeechJob,
        seed: u64,
        context: &Context,
    ) -> Result<Outcome, Failure> {
        let request = &job.request;
        let start = Instant::now();
        let voices = self.cast(request).await?;
        let voice_time = start.elapsed();
        self.reached(Point::VoicesReady);

        let synthesis = self.synthesize(request, &voices, seed, context).await?;
        self.reached(Point::Spoken);

        let mut rendered = rendering::render(self.synthesizer(), request, synthesis).await?;
        self.reached(Point::Rendered);

        let start = Instant::now();
        self.keep(&job.id, &mut rendered).await?;
        let spoken = Spoken {
            job: &job.id,
            request,
            seed,
            model: self.synthesizer().model(),
            voices: &voices,
            warnings: &job.warnings,
            voice_time,
            store_time: start.elapsed(),
        };
        Ok(answer::outcome(&spoken, &rendered))
    }

    /// The voices of the text's pieces, in order.
    async fn cast(&self, request: &SpeechRequest) -> Result<Vec<ReadyVoice>, Failure> {
        let mut voices: Vec<ReadyVoice> = Vec::new();
        let mut names: Vec<Option<&str>> = Vec::new();
        for piece in request.script.pieces() {
            let name = tagged(piece.voice.as_deref());
            let known = names.iter().position(|known| *known == name);
            let voice = match (known, name) {
                (Some(index), _) => voices[index].clone(),
                (None, Some(name)) => self.voices().tagged(name).await?,
                (None, None) => self.voices().chosen(&request.voice).await?,
            };
            voices.push(voice);
            names.push(name);
        }
        Ok(voices)
    }

    async fn synthesize(
        &self,
        request: &SpeechRequest,
        voices: &[ReadyVoice],
        seed: u64,
        context: &Context,
    ) -> Result<Synthesis, Failure> {
        let pieces = request.script.pieces().iter();
        let parts = pieces
            .zip(voices)
            .map(|(piece, voice)| TaskPart { voice: voice.voice.clone(), text: piece.text.clone() })
            .collect();
        let mut options = request.options.clone();
        options.seed = seed;
        let task = Task {
            parts,
            options,
            nfe: request.nfe,
            progress: context.progress.clone(),
            stop: Default::default(),
            begun: Default::default(),
        };
        let limit = self.options().processing_timeout;
        let begun = Arc::clone(&task.begun);
        let too_long = async {
            begun.notified().await;
            tokio::time::sleep(limit).await;
        };
        select! {
            synthesis = self.synthesizer().speak(task) => Ok(synthesis?),
            () = too_long => Err(timed_out(limit)),
        }
    }

    /// Stores what was made, which leaves memory thereby; only then it is announced.
    async fn keep(&self, job: &JobId, rendered: &mut Rendered) -> Result<(), Failure> {
        let audio = ObjectKey::Output { job: job.clone(), extension: rendered.extension };
        let bytes = Bytes::from(std::mem::take(&mut rendered.audio.bytes));
        self.storage().put(&audio, bytes).await?;
        self.reached(Point::AudioStored);
        for (extension, text) in &rendered.timing_files {
            let key = ObjectKey::Timings { job: job.clone(), extension: *extension };
            self.storage().put(&key, Bytes::from(text.clone())).await?;
        }
        self.reached(Point::TimingsStored);
        Ok(())
    }
}

fn timed_out(limit: Duration) -> Failure {
    let seconds = limit.as_secs_f64();
    let message = format!(
        "the synthesis took longer than {seconds} s (PROCESSING_TIMEOUT): shorten the text, choose a lower `quality`, or raise it"
    );
    Failure::new(ErrorCode::TimedOut, message)
}
