//! The settings of whatever keeps voices and jobs.

use std::{path::PathBuf, time::Duration};

use clap::{Args, builder::BoolishValueParser};
use f5tts_service::{
    fetch::Allowed,
    storage::{LinkLifetime, Secret},
};
use url::Url;

use super::{settings::TextLimit, values};

/// Where voices, jobs and outputs are kept: a bucket, or a directory where none is named.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Store")]
pub(crate) struct StoreSettings {
    /// The S3 bucket of models, voices, jobs and outputs
    #[arg(long, env = "S3_BUCKET", value_name = "NAME")]
    pub(crate) s3_bucket: Option<String>,

    #[command(flatten)]
    pub(crate) data: DataDirectory,

    /// The key that signs requests to the bucket
    #[arg(
        long,
        env = "AWS_ACCESS_KEY_ID",
        value_name = "ID",
        value_parser = values::secret,
        hide_env_values = true
    )]
    pub(crate) aws_access_key_id: Option<Secret>,

    /// The secret of that key
    #[arg(
        long,
        env = "AWS_SECRET_ACCESS_KEY",
        value_name = "KEY",
        value_parser = values::secret,
        hide_env_values = true
    )]
    pub(crate) aws_secret_access_key: Option<Secret>,

    /// The token of temporary credentials
    #[arg(
        long,
        env = "AWS_SESSION_TOKEN",
        value_name = "TOKEN",
        value_parser = values::secret,
        hide_env_values = true,
        hide_short_help = true
    )]
    pub(crate) aws_session_token: Option<Secret>,

    /// The region of the bucket
    #[arg(
        long,
        env = "AWS_REGION",
        value_name = "REGION",
        default_value = "us-east-1"
    )]
    pub(crate) aws_region: String,

    /// The server of the bucket, if it is not AWS: MinIO, Backblaze B2, Cloudflare R2, …
    #[arg(long, env = "AWS_ENDPOINT_URL", value_name = "URL")]
    pub(crate) aws_endpoint_url: Option<Url>,

    /// The name under which clients reach that server, for the links they get
    #[arg(
        long,
        env = "S3_PUBLIC_ENDPOINT_URL",
        value_name = "URL",
        hide_short_help = true
    )]
    pub(crate) s3_public_endpoint_url: Option<Url>,

    /// Whether models that lie in the bucket, under `models/ORG--NAME/`, are brought from there
    #[arg(
        long,
        env = "ENABLE_S3_MODEL_CACHE",
        value_name = "BOOL",
        default_value = "true",
        action = clap::ArgAction::Set,
        value_parser = BoolishValueParser::new(),
        hide_short_help = true
    )]
    pub(crate) enable_s3_model_cache: bool,

    /// How long links to audio work, in seconds: 1 to 604800
    #[arg(
        long,
        env = "URL_TTL",
        value_name = "SECONDS",
        default_value = "86400",
        value_parser = values::link_lifetime,
        hide_short_help = true
    )]
    pub(crate) url_ttl: LinkLifetime,

    /// How long a store that does not answer is waited for at the start, in seconds
    #[arg(
        long,
        env = "STARTUP_TIMEOUT",
        value_name = "SECONDS",
        default_value = "60",
        value_parser = clap::value_parser!(u64).range(0..=3600),
        hide_short_help = true
    )]
    pub(crate) startup_timeout: u64,
}

/// What stands in for a bucket.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Store")]
pub(crate) struct DataDirectory {
    /// The directory that stands in for the bucket [default: f5tts in `$XDG_DATA_HOME` or ~/.local/share]
    #[arg(long, env = "F5TTS_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// What jobs may ask for, and how long they may take.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Jobs")]
pub(crate) struct JobSettings {
    /// How long one synthesis may take, in seconds; then the job ends with `timed_out`
    #[arg(
        long,
        env = "PROCESSING_TIMEOUT",
        value_name = "SECONDS",
        default_value = "300",
        value_parser = clap::value_parser!(u64).range(1..=86_400)
    )]
    pub(crate) processing_timeout: u64,

    /// How long jobs and outputs are kept, in days; 0 keeps them for ever
    #[arg(
        long,
        env = "JOB_RETENTION_DAYS",
        value_name = "DAYS",
        default_value = "30",
        value_parser = clap::value_parser!(u32).range(0..=36_500)
    )]
    pub(crate) job_retention_days: u32,

    /// After how many seconds without a sign of life a job of another worker is taken over
    #[arg(
        long,
        env = "F5TTS_LEASE_SECONDS",
        value_name = "SECONDS",
        default_value = "60",
        value_parser = clap::value_parser!(u64).range(3..=3600),
        hide_short_help = true
    )]
    pub(crate) lease_seconds: u64,

    /// How many jobs may wait for the model before others are refused
    #[arg(
        long,
        env = "F5TTS_MAX_WAITING_JOBS",
        value_name = "COUNT",
        default_value = "64",
        value_parser = clap::value_parser!(u16).range(1..),
        hide_short_help = true
    )]
    pub(crate) max_waiting_jobs: u16,

    #[command(flatten)]
    pub(crate) limit: TextLimit,

    /// The largest recording that can be uploaded, in MB
    #[arg(
        long,
        env = "F5TTS_MAX_UPLOAD_MB",
        value_name = "MB",
        default_value = "50",
        value_parser = clap::value_parser!(u16).range(1..=64),
        hide_short_help = true
    )]
    pub(crate) max_upload_mb: u16,

    /// Fetch recordings also by http, not just by https
    #[arg(
        long,
        env = "F5TTS_ALLOW_HTTP_URLS",
        value_parser = BoolishValueParser::new(),
        hide_short_help = true
    )]
    pub(crate) allow_http_urls: bool,

    /// Hosts and networks of your own that recordings may be fetched from: `minio.corp:9000`, `10.1.0.0/16`
    ///
    /// Without it, just public addresses are reached, whatever a request asks for.
    #[arg(
        long,
        env = "F5TTS_ALLOWED_HOSTS",
        value_name = "HOST|NETWORK",
        value_delimiter = ',',
        hide_short_help = true
    )]
    pub(crate) allowed_hosts: Vec<Allowed>,
}

/// How a worker fits into its platform.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Platform")]
pub(crate) struct PlatformSettings {
    /// How many jobs are taken at once; the model speaks them one after the other
    #[arg(
        long,
        env = "F5TTS_CONCURRENCY",
        value_name = "COUNT",
        default_value = "1",
        value_parser = clap::value_parser!(u16).range(1..=1000)
    )]
    pub(crate) concurrency: u16,

    /// Where a load-balancing endpoint is served
    #[arg(long, env = "PORT", value_name = "PORT", hide_short_help = true)]
    pub(crate) port: Option<u16>,

    /// Where it answers `/ping`, if not on the same port
    #[arg(long, env = "PORT_HEALTH", value_name = "PORT", hide_short_help = true)]
    pub(crate) port_health: Option<u16>,
}

impl StoreSettings {
    /// Whether models are looked for in the store.
    pub(crate) const fn has_models(&self) -> bool {
        self.s3_bucket.is_some() && self.enable_s3_model_cache
    }

    /// How long a store that does not answer is waited for.
    pub(crate) const fn patience(&self) -> Duration {
        Duration::from_secs(self.startup_timeout)
    }
}

impl DataDirectory {
    /// The directory, if there is one or a home where it can be.
    #[expect(
        clippy::disallowed_methods,
        reason = "here is where the environment is read"
    )]
    pub(crate) fn path(&self) -> Option<PathBuf> {
        if let Some(directory) = &self.data_dir {
            return Some(directory.clone());
        }
        let data = std::env::var_os("XDG_DATA_HOME").filter(|value| !value.is_empty());
        let data = data.map(PathBuf::from);
        let data = data.or_else(|| Some(std::env::home_dir()?.join(".local/share")))?;
        Some(data.join("f5tts"))
    }
}

impl JobSettings {
    /// How long jobs are kept; nothing for ever.
    pub(crate) fn retention(&self) -> Option<Duration> {
        const DAY_S: u64 = 86_400;
        let days = u64::from(self.job_retention_days);
        (days > 0).then(|| Duration::from_secs(days * DAY_S))
    }
}
