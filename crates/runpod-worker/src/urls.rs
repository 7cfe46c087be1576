//! The addresses of the control plane, from the templates that the platform sets.

use std::fmt::Write as _;

/// The four templates, with the worker's own names filled in; `$ID` of a job is filled in per request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Urls {
    take: String,
    done: Option<String>,
    stream: Option<String>,
    ping: Option<String>,
}

/// What the platform set, before anything was replaced.
#[derive(Clone, Debug, Default)]
pub struct UrlTemplates {
    /// `RUNPOD_WEBHOOK_GET_JOB`, in which `$ID` is the worker.
    pub take: String,
    /// `RUNPOD_WEBHOOK_POST_OUTPUT`, in which `$ID` is the job.
    pub done: Option<String>,
    /// `RUNPOD_WEBHOOK_POST_STREAM`, in which `$ID` is the job.
    pub stream: Option<String>,
    /// `RUNPOD_WEBHOOK_PING`.
    pub ping: Option<String>,
    /// `RUNPOD_GPU_TYPE_ID`, which platforms leave unexpanded in the others.
    pub gpu_type: Option<String>,
}

impl UrlTemplates {
    /// Fills in the worker's id and the type of its GPU.
    #[must_use]
    pub fn for_worker(&self, worker_id: &str) -> Urls {
        let common = |template: &String| {
            let url = template.replace("$RUNPOD_POD_ID", &encoded(worker_id));
            match &self.gpu_type {
                Some(gpu) => url.replace("$RUNPOD_GPU_TYPE_ID", &encoded(gpu)),
                None => url,
            }
        };
        let of_worker = |template: &String| common(template).replace("$ID", &encoded(worker_id));
        Urls {
            take: of_worker(&self.take),
            done: self.done.as_ref().map(common),
            stream: self.stream.as_ref().map(common),
            ping: self.ping.as_ref().map(of_worker),
        }
    }
}

impl Urls {
    pub(crate) fn take(&self, max_jobs: usize, job_in_progress: bool) -> String {
        let mut url = if max_jobs > 1 {
            let batch = self.take.replace("/job-take/", "/job-take-batch/");
            with_query(batch, "batch_size", &max_jobs.to_string())
        } else {
            self.take.clone()
        };
        url = with_query(url, "job_in_progress", if job_in_progress { "1" } else { "0" });
        url
    }

    /// `None`: the template has no `/job-take/` that could be replaced, so there is no such channel.
    pub(crate) fn stop(&self) -> Option<String> {
        self.take
            .contains("/job-take/")
            .then(|| self.take.replace("/job-take/", "/job-stop/"))
    }

    pub(crate) fn done(&self, job_id: &str, is_stream: bool) -> Option<String> {
        let url = self.done.as_ref()?.replace("$ID", &encoded(job_id));
        Some(with_query(url, "isStream", if is_stream { "true" } else { "false" }))
    }

    /// `isStream` is false here too; that is what the official worker sends.
    pub(crate) fn stream(&self, job_id: &str) -> Option<String> {
        let url = self.stream.as_ref()?.replace("$ID", &encoded(job_id));
        Some(with_query(url, "isStream", "false"))
    }

    pub(crate) fn ping(&self) -> Option<&str> {
        self.ping.as_deref()
    }
}

/// Appends one parameter: after `&` if the URL has a query, else after `?`.
pub(crate) fn with_query(mut url: String, name: &str, value: &str) -> String {
    match url.find('?') {
        None => url.push('?'),
        Some(at) if at + 1 == url.len() || url.ends_with('&') => {}
        Some(_) => url.push('&'),
    }
    url.push_str(name);
    url.push('=');
    url.push_str(&encoded(value));
    url
}

/// Percent-encodes everything but the characters that mean nothing in a URL.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("writing to a string cannot fail");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn production() -> Urls {
        let base = "https://api.runpod.ai/v2/endpoint";
        let gpu = "gpu=NVIDIA+GeForce+RTX+4090";
        UrlTemplates {
            take: format!("{base}/job-take/$ID?{gpu}"),
            done: Some(format!("{base}/job-done/$RUNPOD_POD_ID/$ID?{gpu}")),
            stream: Some(format!("{base}/job-stream/$RUNPOD_POD_ID/$ID?{gpu}")),
            ping: Some(format!("{base}/ping/$RUNPOD_POD_ID?{gpu}")),
            gpu_type: None,
        }
        .for_worker("w1")
    }

    #[test]
    fn production_templates_give_the_official_urls() {
        let urls = production();
        let base = "https://api.runpod.ai/v2/endpoint";
        let gpu = "gpu=NVIDIA+GeForce+RTX+4090";
        assert_eq!(urls.take(1, false), format!("{base}/job-take/w1?{gpu}&job_in_progress=0"));
        assert_eq!(
            urls.take(7, true),
            format!("{base}/job-take-batch/w1?{gpu}&batch_size=7&job_in_progress=1")
        );
        assert_eq!(urls.stop(), Some(format!("{base}/job-stop/w1?{gpu}")));
        assert_eq!(
            urls.done("job-u1", true),
            Some(format!("{base}/job-done/w1/job-u1?{gpu}&isStream=true"))
        );
        assert_eq!(
            urls.stream("job-u1"),
            Some(format!("{base}/job-stream/w1/job-u1?{gpu}&isStream=false"))
        );
        assert_eq!(urls.ping(), Some(format!("{base}/ping/w1?{gpu}").as_str()));
    }

    #[test]
    fn templates_of_other_platforms_are_understood() {
        let take = |template: &str| {
            UrlTemplates { take: template.to_owned(), ..UrlTemplates::default() }
                .for_worker("w1")
                .take(1, false)
        };
        assert_eq!(take("http://h/job-take/$ID"), "http://h/job-take/w1?job_in_progress=0");
        assert_eq!(take("http://h/job-take/$ID?"), "http://h/job-take/w1?job_in_progress=0");
        assert_eq!(
            take("http://h/job-take/$RUNPOD_POD_ID?a=b&"),
            "http://h/job-take/w1?a=b&job_in_progress=0"
        );
        let urls = UrlTemplates {
            take: "http://h/take?gpu=$RUNPOD_GPU_TYPE_ID".to_owned(),
            gpu_type: Some("RTX 4090".to_owned()),
            ..UrlTemplates::default()
        }
        .for_worker("w1");
        assert_eq!(urls.take(1, false), "http://h/take?gpu=RTX%204090&job_in_progress=0");
        assert_eq!(urls.stop(), None);
        assert_eq!(urls.done("j", false), None);
    }

    proptest! {
        #[test]
        fn a_job_id_stays_one_segment_of_the_path(id in "\\PC{1,40}") {
            let url = production().done(&id, false).unwrap();
            let parsed = reqwest::Url::parse(&url).unwrap();
            prop_assert_eq!(parsed.path_segments().unwrap().count(), 5);
            prop_assert_eq!(parsed.query(), Some("gpu=NVIDIA+GeForce+RTX+4090&isStream=false"));
        }
    }
}
