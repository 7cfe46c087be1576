//! What the platform offers, checked.

use std::{fmt, time::Duration};

use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

/// One piece of work.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Job {
    /// The platform's name for it. Never empty.
    pub id: String,
    /// What the client sent.
    pub input: Value,
    /// Where the platform reports the end of the job.
    pub webhook: Option<String>,
    /// What the client wants of the platform.
    pub policy: Policy,
    /// The bucket for this job's results.
    pub s3_config: Option<S3Config>,
    /// Name of the batch it belongs to.
    pub batch_id: Option<String>,
    /// All other keys.
    pub other: Map<String, Value>,
}

/// What the client wants of the platform. What is not understood is left out: the platform judges it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// How long the job may run once it was taken.
    pub execution_timeout: Option<Duration>,
    /// How long the platform keeps the job, counted from its submission.
    pub time_to_live: Option<Duration>,
    /// The job does not start further workers.
    pub low_priority: bool,
}

/// The bucket for a job's results.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct S3Config {
    /// Name of the key.
    pub access_id: String,
    /// The key.
    pub access_secret: String,
    /// Name of the bucket.
    #[serde(default)]
    pub bucket_name: Option<String>,
    /// Address of the server.
    #[serde(default)]
    pub endpoint_url: Option<String>,
}

impl fmt::Debug for S3Config {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("S3Config")
            .field("bucket_name", &self.bucket_name)
            .field("endpoint_url", &self.endpoint_url)
            .finish_non_exhaustive()
    }
}

/// One element of what a take returned.
#[derive(Debug)]
pub enum Offer {
    /// Work.
    Job(Box<Job>),
    /// Something that cannot be run. With an id it can at least be answered.
    Unusable {
        /// The id, if there is one.
        id: Option<String>,
        /// What is wrong with it.
        reason: JobError,
    },
}

/// Why an offer cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// Not an object with an id.
    #[error(
        "the job has no `id` that is a string of 1 to {} bytes",
        Job::MAX_ID_BYTES
    )]
    NoId,
    /// Nothing to work on.
    #[error("the job has no `input`")]
    NoInput,
    /// Invalid or too deeply nested.
    #[error("the job cannot be read")]
    Unreadable(#[source] serde_json::Error),
    /// The bucket is described in another way than agreed.
    #[error("the job's `s3Config` must have the texts `accessId` and `accessSecret`")]
    S3Config(#[source] serde_json::Error),
}

impl Job {
    /// Longer ids belong to nobody and would not fit into a URL.
    pub const MAX_ID_BYTES: usize = 1024;

    /// A job as a client would send it.
    #[must_use]
    pub fn new(id: impl Into<String>, input: Value) -> Self {
        Self {
            id: id.into(),
            input,
            webhook: None,
            policy: Policy::default(),
            s3_config: None,
            batch_id: None,
            other: Map::new(),
        }
    }

    /// Reads one job.
    ///
    /// # Errors
    /// [`JobError`]
    pub fn from_value(value: Value) -> Result<Self, JobError> {
        let Value::Object(mut keys) = value else {
            return Err(JobError::NoId);
        };
        let Some(Value::String(id)) = keys.remove("id") else {
            return Err(JobError::NoId);
        };
        if id.is_empty() || id.len() > Self::MAX_ID_BYTES {
            return Err(JobError::NoId);
        }
        let mut job = Self::new(id, keys.remove("input").ok_or(JobError::NoInput)?);
        job.webhook = text(&mut keys, "webhook");
        job.batch_id = text(&mut keys, "batchId");
        job.policy = keys
            .remove("policy")
            .map(|policy| Policy::from_value(&policy))
            .unwrap_or_default();
        job.s3_config = match keys.remove("s3Config") {
            None | Some(Value::Null) => None,
            Some(config) => Some(serde_json::from_value(config).map_err(JobError::S3Config)?),
        };
        job.other = keys;
        Ok(job)
    }
}

impl Policy {
    fn from_value(policy: &Value) -> Self {
        let millis = |name: &str| {
            policy
                .get(name)
                .and_then(Value::as_u64)
                .filter(|millis| *millis > 0)
        };
        Self {
            execution_timeout: millis("executionTimeout").map(Duration::from_millis),
            time_to_live: millis("ttl").map(Duration::from_millis),
            low_priority: policy
                .get("lowPriority")
                .and_then(Value::as_bool)
                .unwrap_or(false),
        }
    }
}

impl Offer {
    /// Reads the body of a take: one job or a list of them. Each element is judged alone.
    ///
    /// # Errors
    /// The body is not JSON.
    pub fn parse(body: &[u8]) -> Result<Vec<Self>, serde_json::Error> {
        let whole: &RawValue = serde_json::from_slice(body)?;
        if whole.get().starts_with('[') {
            let elements: Vec<&RawValue> = serde_json::from_str(whole.get())?;
            return Ok(elements.into_iter().map(Self::parse_one).collect());
        }
        Ok(vec![Self::parse_one(whole)])
    }

    fn parse_one(raw: &RawValue) -> Self {
        // The id is read on its own, so that a job that cannot be read can still be answered.
        #[derive(Deserialize)]
        struct Named {
            id: String,
        }
        let job = serde_json::from_str(raw.get())
            .map_err(JobError::Unreadable)
            .and_then(Job::from_value);
        match job {
            Ok(job) => Self::Job(Box::new(job)),
            Err(reason) => {
                let named = serde_json::from_str::<Named>(raw.get()).ok();
                let id = named
                    .map(|named| named.id)
                    .filter(|id| !id.is_empty() && id.len() <= Job::MAX_ID_BYTES);
                Self::Unusable { id, reason }
            }
        }
    }
}

fn text(keys: &mut Map<String, Value>, name: &str) -> Option<String> {
    match keys.remove(name)? {
        Value::String(text) => Some(text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn ids(body: &[u8]) -> Vec<(Option<String>, bool)> {
        let offers = Offer::parse(body).unwrap();
        let id = |offer| match offer {
            Offer::Job(job) => (Some(job.id), true),
            Offer::Unusable { id, .. } => (id, false),
        };
        offers.into_iter().map(id).collect()
    }

    #[test]
    fn everything_a_job_may_carry_is_read() {
        let job = Job::from_value(json!({
            "id": "sync-1-u1", "input": {"text": "hello"}, "webhook": "https://example.org/hook",
            "policy": {"executionTimeout": 5000, "ttl": 60000, "lowPriority": true},
            "s3Config": {"accessId": "me", "accessSecret": "hush", "bucketName": "b", "endpointUrl": "http://s3"},
            "batchId": "b1", "retries": 2,
        }))
        .unwrap();
        assert_eq!(job.policy.execution_timeout, Some(Duration::from_secs(5)));
        assert_eq!(job.policy.time_to_live, Some(Duration::from_secs(60)));
        assert!(job.policy.low_priority);
        assert_eq!(job.batch_id.as_deref(), Some("b1"));
        assert_eq!(job.webhook.as_deref(), Some("https://example.org/hook"));
        assert_eq!(job.other, *json!({"retries": 2}).as_object().unwrap());
        assert!(!format!("{job:?}").contains("hush"));
        assert_eq!(job.s3_config.unwrap().bucket_name.as_deref(), Some("b"));
    }

    #[test]
    fn one_bad_element_spoils_no_other() {
        let yes = |id: &str| (Some(id.to_owned()), true);
        let no = |id: &str| (Some(id.to_owned()), false);
        assert_eq!(
            ids(br#"[{"id":"a","input":{}}, null, {"input":{}}, {"id":"b"}, {"id":7,"input":{}}, {"id":"c","input":null}]"#),
            [yes("a"), (None, false), (None, false), no("b"), (None, false), yes("c")]
        );
        assert_eq!(ids(b" {\"id\":\"a\",\"input\":1} "), [yes("a")]);
        assert_eq!(ids(b"null"), [(None, false)]);
        assert_eq!(ids(b"[]"), []);
    }

    #[test]
    fn input_nested_too_deeply_can_still_be_answered() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let body = format!(r#"[{{"id":"deep","input":{deep}}},{{"id":"flat","input":[]}}]"#);
        assert_eq!(
            ids(body.as_bytes()),
            [
                (Some("deep".to_owned()), false),
                (Some("flat".to_owned()), true)
            ]
        );
    }

    #[test]
    fn a_bucket_without_a_key_is_refused() {
        let offers =
            Offer::parse(br#"{"id":"a","input":{},"s3Config":{"bucketName":"b"}}"#).unwrap();
        assert!(matches!(
            &offers[0],
            Offer::Unusable { id: Some(id), reason: JobError::S3Config(_) } if id == "a"
        ));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..400)) {
            drop(Offer::parse(&body));
        }

        #[test]
        fn any_job_keeps_its_id_and_input(id in "\\PC{1,60}", input in "\\PC{0,60}") {
            let body = json!([{"id": id, "input": {"text": input}}]).to_string();
            let offers = Offer::parse(body.as_bytes()).unwrap();
            let [Offer::Job(job)] = &offers[..] else { panic!("one job") };
            prop_assert_eq!(&job.id, &id);
            prop_assert_eq!(&job.input["text"], &json!(input));
        }
    }
}
