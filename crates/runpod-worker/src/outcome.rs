//! What a handler returns, and the body that the platform gets for it.

use std::{any::type_name, error::Error};

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};

/// What a handler returns.
pub type Outcome = Result<Answer, Failure>;

/// The result of a job that went well.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub(crate) output: AnswerOutput,
    pub(crate) refresh_worker: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AnswerOutput {
    Value(Value),
    Verbatim(Value),
    /// The parts that were streamed are all there is.
    Streamed,
}

impl Answer {
    /// The parts that were streamed are the answer.
    #[must_use]
    pub fn streamed() -> Self {
        Self { output: AnswerOutput::Streamed, refresh_worker: false }
    }

    /// An output of which no key is read: neither `error` nor `refresh_worker` mean anything in it.
    #[must_use]
    pub fn verbatim(output: Value) -> Self {
        Self {
            output: AnswerOutput::Verbatim(output),
            refresh_worker: false,
        }
    }

    /// Asks the platform for a fresh worker; this one ends once the jobs that it has are done.
    #[must_use]
    pub fn refresh_worker(mut self) -> Self {
        self.refresh_worker = true;
        self
    }
}

/// As the official worker reads it: in an object, a truthy `error` makes the job fail and a truthy
/// `refresh_worker` asks for a fresh worker; neither key is part of the output.
impl From<Value> for Answer {
    fn from(output: Value) -> Self {
        Self { output: AnswerOutput::Value(output), refresh_worker: false }
    }
}

impl From<&str> for Answer {
    fn from(output: &str) -> Self {
        Value::from(output).into()
    }
}

impl From<String> for Answer {
    fn from(output: String) -> Self {
        Value::from(output).into()
    }
}

/// The result of a job that went wrong. The client sees FAILED.
///
/// Every error turns into one with `?`; the client then reads a report of type, message and causes.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    error: FailureError,
    output: Option<Value>,
    refresh_worker: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum FailureError {
    /// Goes out as it is.
    Verbatim(Value),
    /// Goes out as the six keys that the platform's console knows.
    Report {
        error_type: String,
        message: String,
        causes: Vec<String>,
    },
}

impl Failure {
    /// A sentence for the client, which goes out as it is.
    #[must_use]
    pub fn message(message: impl Into<String>) -> Self {
        Self::of(FailureError::Verbatim(Value::String(message.into())))
    }

    /// Anything else for the client, which goes out as it is. `null`, `""` and the like would not
    /// make the job fail, so they are replaced by a sentence.
    #[must_use]
    pub fn verbatim(error: Value) -> Self {
        if is_truthy(&error) {
            Self::of(FailureError::Verbatim(error))
        } else {
            Self::message("the handler failed without saying why")
        }
    }

    /// A report as the platform's console shows it.
    #[must_use]
    pub fn report(error_type: impl Into<String>, message: impl Into<String>) -> Self {
        Self::of(FailureError::Report {
            error_type: error_type.into(),
            message: message.into(),
            causes: Vec::new(),
        })
    }

    /// What the client gets beside the error.
    #[must_use]
    pub fn with_output(mut self, output: Value) -> Self {
        self.output = Some(output);
        self
    }

    /// Asks the platform for a fresh worker; this one ends once the jobs that it has are done.
    #[must_use]
    pub fn refresh_worker(mut self) -> Self {
        self.refresh_worker = true;
        self
    }

    fn of(error: FailureError) -> Self {
        Self { error, output: None, refresh_worker: false }
    }
}

impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut causes = Vec::new();
        let mut next = error.source();
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        Self::of(FailureError::Report {
            error_type: type_name::<E>().to_owned(),
            message: error.to_string(),
            causes,
        })
    }
}

/// Who reports an error.
#[derive(Clone, Debug)]
pub(crate) struct Reporter {
    pub(crate) worker_id: String,
    pub(crate) host_name: String,
}

/// The body of a final result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct FinalBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Value>,
    #[serde(rename = "stopPod", skip_serializing_if = "is_false")]
    pub(crate) stop_pod: bool,
}

impl FinalBody {
    /// `parts` are what was streamed, if that is wanted in the answer.
    pub(crate) fn new(outcome: Outcome, parts: Vec<Value>, reporter: &Reporter) -> Self {
        match outcome {
            Ok(answer) => Self::of_answer(answer, parts),
            Err(failure) => Self {
                output: failure.output,
                error: Some(failure.error.into_value(reporter)),
                stop_pod: failure.refresh_worker,
            },
        }
    }

    pub(crate) fn of_message(message: impl Into<String>) -> Self {
        Self {
            output: None,
            error: Some(Value::String(message.into())),
            stop_pod: false,
        }
    }

    fn of_answer(answer: Answer, parts: Vec<Value>) -> Self {
        let stop_pod = answer.refresh_worker;
        let mut keys = match answer.output {
            AnswerOutput::Streamed => {
                return Self { output: Some(Value::Array(parts)), error: None, stop_pod };
            }
            AnswerOutput::Value(Value::Object(keys)) => keys,
            AnswerOutput::Value(output) | AnswerOutput::Verbatim(output) => {
                return Self { output: Some(output), error: None, stop_pod };
            }
        };
        let error = keys.remove("error").filter(is_truthy);
        let stop_pod = keys
            .remove("refresh_worker")
            .is_some_and(|value| is_truthy(&value))
            || stop_pod;
        let output = (!keys.is_empty()).then_some(Value::Object(keys));
        Self { output, error, stop_pod }
    }

    pub(crate) fn is_error(&self) -> bool {
        self.error.is_some()
    }

    pub(crate) fn to_bytes(&self) -> Bytes {
        Bytes::from(serde_json::to_vec(self).expect("JSON values can always be written"))
    }
}

impl FailureError {
    /// The console reads a text that holds JSON with these six keys.
    fn into_value(self, reporter: &Reporter) -> Value {
        match self {
            Self::Verbatim(value) => value,
            Self::Report { error_type, message, causes } => {
                let lines: Vec<_> = causes
                    .iter()
                    .map(|cause| format!("caused by: {cause}"))
                    .collect();
                let report = json!({
                    "error_type": error_type,
                    "error_message": message,
                    "error_traceback": lines.join("\n"),
                    "hostname": reporter.host_name,
                    "worker_id": reporter.worker_id,
                    "runpod_version": concat!("runpod-worker ", env!("CARGO_PKG_VERSION")),
                });
                Value::String(report.to_string())
            }
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn is_false(value: &bool) -> bool {
    !value
}

/// As Python judges it.
fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(keys) => !keys.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(outcome: Outcome) -> Value {
        let reporter = Reporter { worker_id: "w1".to_owned(), host_name: "h1".to_owned() };
        let body = FinalBody::new(outcome, vec![json!(1), json!(2)], &reporter);
        serde_json::from_slice(&body.to_bytes()).unwrap()
    }

    #[test]
    fn answers_are_mapped_as_the_official_worker_does() {
        for (output, expected) in [
            (json!("x"), json!({"output": "x"})),
            (json!(null), json!({"output": null})),
            (json!([1]), json!({"output": [1]})),
            (json!({"a": 1}), json!({"output": {"a": 1}})),
            (json!({"output": "x"}), json!({"output": {"output": "x"}})),
            (json!({"a": 1, "error": "bad"}), json!({"output": {"a": 1}, "error": "bad"})),
            (json!({"error": {"code": 3}}), json!({"error": {"code": 3}})),
            (json!({"a": 1, "error": ""}), json!({"output": {"a": 1}})),
            (json!({"refresh_worker": true}), json!({"stopPod": true})),
            (json!({"a": 1, "refresh_worker": 0}), json!({"output": {"a": 1}})),
            (json!({}), json!({})),
        ] {
            assert_eq!(body(Ok(output.clone().into())), expected, "{output}");
        }
        assert_eq!(body(Ok(Answer::streamed())), json!({"output": [1, 2]}));
        assert_eq!(
            body(Ok(Answer::verbatim(json!({"error": "kept"})).refresh_worker())),
            json!({"output": {"error": "kept"}, "stopPod": true})
        );
    }

    #[test]
    fn what_is_not_a_number_is_valid_json() {
        assert_eq!(
            body(Ok(json!([f64::NAN, f64::INFINITY]).into())),
            json!({"output": [null, null]})
        );
    }

    #[test]
    fn an_error_becomes_a_report_with_its_causes() {
        #[derive(Debug, thiserror::Error)]
        #[error("no voice")]
        struct NoVoice(#[source] std::fmt::Error);
        let body = body(Err(NoVoice(std::fmt::Error).into()));
        let report: Value = serde_json::from_str(body["error"].as_str().unwrap()).unwrap();
        let keys: Vec<_> = report.as_object().unwrap().keys().collect();
        assert_eq!(
            keys,
            [
                "error_message",
                "error_traceback",
                "error_type",
                "hostname",
                "runpod_version",
                "worker_id"
            ]
        );
        assert_eq!(report["error_message"], "no voice");
        assert!(report["error_type"].as_str().unwrap().ends_with("NoVoice"));
        assert!(
            report["error_traceback"]
                .as_str()
                .unwrap()
                .starts_with("caused by: an error")
        );
        assert_eq!((&report["worker_id"], &report["hostname"]), (&json!("w1"), &json!("h1")));
    }

    #[test]
    fn a_failure_always_makes_the_job_fail() {
        let failure =
            Failure::message("no such voice").with_output(json!({"error_code": "voice_not_found"}));
        assert_eq!(
            body(Err(failure)),
            json!({"error": "no such voice", "output": {"error_code": "voice_not_found"}})
        );
        for error in [json!(null), json!(""), json!({}), json!(0)] {
            assert!(is_truthy(&body(Err(Failure::verbatim(error)))["error"]));
        }
    }
}
