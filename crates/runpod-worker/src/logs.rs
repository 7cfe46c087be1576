//! Log lines as RunPod's console reads them.

use std::{
    fmt::{self, Write as _},
    io::{self, Write},
    sync::Mutex,
};

use serde::Serialize;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span,
};
use tracing_subscriber::{
    Layer, Registry,
    layer::{Context, SubscriberExt as _},
    registry::LookupSpan,
};

use crate::settings::{LogLevel, Settings};

/// Longer messages lose their middle, as in the official worker.
const MAX_MESSAGE_CHARS: usize = 4096;

/// Writes log lines to stdout from here on: JSON on the platform, text elsewhere. Does nothing if the
/// program has set up `tracing` already.
pub fn init(settings: &Settings) {
    let subscriber = Registry::default().with(layer(settings));
    // The program that set it up first knows better.
    drop(tracing::subscriber::set_global_default(subscriber));
}

/// The layer behind [`init`], for programs that have a subscriber of their own.
pub fn layer<S>(settings: &Settings) -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let json = settings.endpoint_id.is_some();
    Lines { json, out: Mutex::new(io::stdout()) }.with_filter(OwnLevel(filter(settings.log_level)))
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

/// Of HTTP libraries only warnings are of interest, whatever the level.
struct OwnLevel(LevelFilter);

impl OwnLevel {
    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let foreign = ["hyper", "reqwest", "rustls", "axum", "h2", "tower"];
        let krate = metadata.target().split("::").next().unwrap_or_default();
        let limit = if foreign.iter().any(|name| krate.starts_with(name)) {
            self.0.min(LevelFilter::WARN)
        } else {
            self.0
        };
        *metadata.level() <= limit
    }
}

impl<S> tracing_subscriber::layer::Filter<S> for OwnLevel {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        // Spans carry the id of the job, at any level.
        metadata.is_span() || self.wants(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.0.max(LevelFilter::INFO))
    }
}

struct Lines<W> {
    json: bool,
    out: Mutex<W>,
}

/// Which job a span belongs to.
struct JobOfSpan {
    id: String,
    batch: Option<String>,
}

#[derive(Default)]
struct Fields {
    job_id: Option<String>,
    batch: Option<String>,
    message: String,
    others: String,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format_args!("{value:?}"));
    }

    fn record_error(&mut self, field: &Field, error: &(dyn std::error::Error + 'static)) {
        let mut text = error.to_string();
        let mut next = error.source();
        while let Some(cause) = next {
            write!(text, ": {cause}").expect("writing to a string cannot fail");
            next = cause.source();
        }
        self.add(field, format_args!("{text}"));
    }
}

impl Fields {
    fn add(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        match field.name() {
            "message" => self.message = value.to_string(),
            "job.id" => self.job_id = Some(unwrapped(&value.to_string())),
            "job.batch" => self.batch = Some(unwrapped(&value.to_string())),
            name => {
                write!(self.others, " {name}={value}").expect("writing to a string cannot fail")
            }
        }
    }
}

/// An `Option` comes in its debug form.
fn unwrapped(text: &str) -> String {
    let inner = text
        .strip_prefix("Some(\"")
        .and_then(|rest| rest.strip_suffix("\")"));
    inner.unwrap_or(text).to_owned()
}

impl<S, W> Layer<S> for Lines<W>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: Write + Send + 'static,
{
    fn on_new_span(
        &self,
        attributes: &span::Attributes<'_>,
        id: &span::Id,
        context: Context<'_, S>,
    ) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let (Some(span), Some(id)) = (context.span(id), fields.job_id) {
            span.extensions_mut()
                .insert(JobOfSpan { id, batch: fields.batch });
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        if fields.job_id.is_none() {
            for span in context.event_scope(event).into_iter().flatten() {
                if let Some(job) = span.extensions().get::<JobOfSpan>() {
                    fields.job_id = Some(job.id.clone());
                    fields.batch.clone_from(&job.batch);
                    break;
                }
            }
        }
        let mut line = self.line(*event.metadata().level(), &fields);
        line.push('\n');
        if let Ok(mut out) = self.out.lock() {
            // There is nowhere to say that nothing can be said.
            drop(out.write_all(line.as_bytes()).and_then(|()| out.flush()));
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonLine<'a> {
    request_id: Option<&'a str>,
    message: &'a str,
    level: &'a str,
}

impl<W> Lines<W> {
    fn line(&self, level: Level, fields: &Fields) -> String {
        let batch = fields
            .batch
            .as_ref()
            .map(|batch| format!("[batchId={batch}] "));
        let message = format!("{}{}{}", batch.unwrap_or_default(), fields.message, fields.others);
        let message = shortened(&message);
        let request_id = fields.job_id.as_deref();
        if self.json {
            let line = JsonLine { request_id, message: &message, level: level.as_str() };
            return serde_json::to_string(&line).expect("texts can always be written as JSON");
        }
        match request_id {
            Some(id) => format!("{level:<7}| {id} | {message}"),
            None => format!("{level:<7}| {message}"),
        }
    }
}

fn shortened(message: &str) -> String {
    let chars = message.chars().count();
    if chars <= MAX_MESSAGE_CHARS {
        return message.to_owned();
    }
    let half = MAX_MESSAGE_CHARS / 2;
    let head: String = message.chars().take(half).collect();
    let tail: String = message.chars().skip(chars - half).collect();
    format!("{head}\n...TRUNCATED {} CHARACTERS...\n{tail}", chars - 2 * half)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};
    use tracing::subscriber::with_default;

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(json: bool, level: LogLevel, log: impl FnOnce()) -> String {
        let out = Shared::default();
        let lines = Lines { json, out: Mutex::new(out.clone()) };
        with_default(Registry::default().with(lines.with_filter(OwnLevel(filter(level)))), log);
        String::from_utf8(out.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn on_the_platform_lines_are_json_with_the_job() {
        let line = logged(true, LogLevel::Error, || {
            let _job = tracing::info_span!("job", job.id = "a-u1", job.batch = "b1").entered();
            let error = io::Error::other("quite \"bad\"");
            tracing::error!(error = &error as &dyn std::error::Error, "no luck");
        });
        let expected = json!({
            "requestId": "a-u1", "level": "ERROR", "message": "[batchId=b1] no luck error=quite \"bad\"",
        });
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), expected);
        let line = logged(true, LogLevel::Info, || tracing::warn!("nobody's"));
        assert_eq!(line, "{\"requestId\":null,\"message\":\"nobody's\",\"level\":\"WARN\"}\n");
    }

    #[test]
    fn elsewhere_lines_are_text() {
        let line = logged(false, LogLevel::Info, || {
            tracing::info!(job.id = Some("a"), bytes = 3, "posted");
            tracing::debug!("too much");
            tracing::info!(target: "hyper_util::client", "far too much");
            tracing::info!("ready");
        });
        assert_eq!(line, "INFO   | a | posted bytes=3\nINFO   | ready\n");
    }

    #[test]
    fn long_messages_lose_their_middle() {
        let line = logged(false, LogLevel::Info, || tracing::info!("{}ä", "x".repeat(5000)));
        assert!(line.contains("\n...TRUNCATED 905 CHARACTERS...\n"));
        assert!(line.ends_with("xä\n"));
    }
}
