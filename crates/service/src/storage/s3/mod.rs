//! Objects in a bucket of S3, or of what speaks its protocol.

mod error;
mod witness;

use std::{fmt, ops::Range, time::Duration};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use object_store::{
    Attribute, AttributeValue, Attributes, ClientOptions, GetOptions, GetRange, GetResult,
    ObjectStore, ObjectStoreExt, PutMode, PutOptions, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    path::Path,
    signer::{Method, SignedUrlOptions, Signer},
};
use url::Url;

use self::{
    error::{Request, Subject, storage_error},
    witness::{Exchange, WitnessConnector, witnessed},
};
use super::{
    Created, Entry, Link, Object, ObjectKey, ObjectMeta, Prefix, Secret, Storage, StorageError,
    Stored, Version, content_disposition,
};

/// The wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often the body of one answer may break off and be gone on with.
const MAX_RESUMES: usize = 8;
/// Beyond this, a range has no end: no object is as large.
const MAX_RANGE_END: u64 = 1 << 62;

/// Where a bucket is and who asks.
#[derive(Clone, Debug)]
pub struct S3Config {
    /// The name of the bucket.
    pub bucket: String,
    /// The region of the bucket.
    pub region: String,
    /// The server, if it is not that of AWS.
    pub endpoint: Option<Url>,
    /// The server by the name that clients reach it by, for signed links.
    pub public_endpoint: Option<Url>,
    /// Who asks.
    pub credentials: S3Credentials,
    /// Longest wait for an answer, or for more of one. An upload gets more by its size.
    pub request_timeout: Duration,
}

/// What signs requests.
#[derive(Clone)]
pub struct S3Credentials {
    /// Names the key.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: Secret,
    /// Belongs to temporary keys.
    pub session_token: Option<Secret>,
}

impl fmt::Debug for S3Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("S3Credentials([set])")
    }
}

/// A bucket as a store. Each operation is one attempt; [`Retrying`](super::Retrying) makes more of it.
///
/// It needs the permissions `s3:GetObject`, `s3:PutObject` and `s3:DeleteObject`, and `s3:ListBucket` only to list.
pub struct S3Storage {
    client: AmazonS3,
    /// Signs links, under the name of the server that clients know.
    signer: AmazonS3,
    description: String,
    bucket: String,
    region: String,
}

impl fmt::Debug for S3Storage {
    /// Without the client, whose own text might tell more than is good.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3Storage({})", self.description)
    }
}

impl S3Storage {
    /// Makes a client of a bucket. Nothing is sent yet.
    pub fn new(config: &S3Config) -> Result<Self, StorageError> {
        // Fails where there is a provider of cryptography already, which serves as well.
        drop(rustls::crypto::ring::default_provider().install_default());
        let server = match &config.endpoint {
            None => "AWS".to_owned(),
            Some(url) => match (url.host_str().unwrap_or("S3"), url.port()) {
                (host, Some(port)) => format!("{host}:{port}"),
                (host, None) => host.to_owned(),
            },
        };
        let description = format!("the bucket `{}` at {server}", config.bucket);
        let build = |endpoint: Option<&Url>| {
            builder(config, endpoint)
                .build()
                .map_err(|source| StorageError::Other {
                    operation: "set up",
                    place: description.clone(),
                    source: source.into(),
                })
        };
        Ok(Self {
            client: build(config.endpoint.as_ref())?,
            signer: build(config.public_endpoint.as_ref().or(config.endpoint.as_ref()))?,
            description: description.clone(),
            bucket: config.bucket.clone(),
            region: config.region.clone(),
        })
    }

    fn error(
        &self,
        request: Request,
        place: &str,
        exchange: Exchange,
        source: object_store::Error,
    ) -> StorageError {
        let (store, bucket, region) = (&self.description, &self.bucket, &self.region);
        let subject = Subject { store, bucket, region, place };
        storage_error(request, &subject, exchange, source)
    }

    /// Reads an object, or the part of it that `options` asks for; `None` if that lies behind the end.
    async fn read(
        &self,
        key: &ObjectKey,
        options: GetOptions,
        limit_bytes: u64,
    ) -> Result<Option<Object>, StorageError> {
        let (place, path) = (key.to_string(), path(key)?);
        let is_part = options.range.is_some();
        let request = if is_part {
            Request::ReadRange
        } else {
            Request::Read
        };
        let (result, exchange) = witnessed(async {
            let begun = self
                .client
                .get_opts(&path, options)
                .await
                .map_err(Failure::Request)?;
            let meta = begun.meta.clone();
            let size_bytes = begun.range.end - begun.range.start;
            if size_bytes > limit_bytes {
                return Err(Failure::TooLarge { size_bytes });
            }
            Ok((meta, self.collect(&path, begun).await.map_err(Failure::Body)?))
        })
        .await;
        match result {
            Ok((meta, bytes)) => {
                let meta = object_meta(&meta, now(&exchange));
                Ok(Some(Object { bytes, meta }))
            }
            Err(Failure::TooLarge { size_bytes }) => {
                Err(StorageError::TooLarge { key: place, size_bytes, limit_bytes })
            }
            Err(Failure::Request(_)) if is_part && exchange.status == Some(416) => Ok(None),
            Err(Failure::Body(source)) if exchange.status.is_some_and(|status| status < 300) => {
                let store = self.description.clone();
                Err(StorageError::Unreachable { store, source: source.into() })
            }
            Err(Failure::Request(source) | Failure::Body(source)) => {
                Err(self.error(request, &place, exchange, source))
            }
        }
    }

    /// Reads a body to its end, going on with a new request where it breaks off.
    async fn collect(&self, path: &Path, begun: GetResult) -> object_store::Result<Bytes> {
        let (range, version) = (begun.range.clone(), begun.meta.e_tag.clone());
        let size = usize::try_from(range.end - range.start).unwrap_or(0);
        let mut received = BytesMut::with_capacity(size);
        let mut body = begun.into_stream();
        let mut resumes = 0;
        loop {
            let before = received.len();
            let broken = loop {
                match body.next().await {
                    Some(Ok(bytes)) => received.extend_from_slice(&bytes),
                    Some(Err(error)) => break error,
                    None => return Ok(received.freeze()),
                }
            };
            resumes += 1;
            let is_hopeless = received.len() == before && resumes > 1;
            if version.is_none() || is_hopeless || resumes > MAX_RESUMES {
                return Err(broken);
            }
            tracing::info!(
                error = &broken as &dyn std::error::Error,
                "a body broke off and is gone on with"
            );
            let start = range.start + received.len() as u64;
            let options = GetOptions::new()
                .with_range(Some(GetRange::Bounded(start..range.end)))
                .with_if_match(version.clone());
            body = self.client.get_opts(path, options).await?.into_stream();
        }
    }

    async fn write(
        &self,
        key: &ObjectKey,
        content: Bytes,
        mode: PutMode,
    ) -> Result<(object_store::Result<()>, Exchange), StorageError> {
        let path = path(key)?;
        let attributes = Attributes::from_iter([
            (Attribute::ContentType, AttributeValue::from(key.content_type())),
            (Attribute::CacheControl, AttributeValue::from(key.cache_control())),
        ]);
        let options = PutOptions { mode, attributes, ..PutOptions::default() };
        let put = self.client.put_opts(&path, content.into(), options);
        let (result, exchange) = witnessed(put).await;
        Ok((result.map(drop), exchange))
    }

    /// Asks for the first byte of an object: unlike the answer to `HEAD`, this one names its error.
    async fn head_by_reading(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>, StorageError> {
        let first = GetOptions::new().with_range(Some(GetRange::Bounded(0..1)));
        let found = match self.read(key, first, 1).await {
            // It is empty.
            Ok(None) => self.read(key, GetOptions::new(), 0).await,
            other => other,
        };
        match found {
            Ok(object) => Ok(object.map(|object| object.meta)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The answer to a range without bytes.
    async fn nothing(
        &self,
        key: &ObjectKey,
        version: Option<&Version>,
    ) -> Result<Object, StorageError> {
        let missing = || StorageError::Missing { key: key.to_string() };
        let meta = self.head(key).await?.ok_or_else(missing)?;
        if version.is_some() && version != meta.version.as_ref() {
            return Err(StorageError::Changed { key: key.to_string() });
        }
        Ok(Object { bytes: Bytes::new(), meta })
    }
}

/// Where a read failed.
enum Failure {
    /// Before there was anything to read.
    Request(object_store::Error),
    /// In the middle of the content.
    Body(object_store::Error),
    /// It was not begun.
    TooLarge { size_bytes: u64 },
}

fn builder(config: &S3Config, endpoint: Option<&Url>) -> AmazonS3Builder {
    let credentials = &config.credentials;
    let options = ClientOptions::new().with_connect_timeout(CONNECT_TIMEOUT);
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&config.bucket)
        .with_region(&config.region)
        .with_access_key_id(&credentials.access_key_id)
        .with_secret_access_key(credentials.secret_access_key.reveal())
        .with_client_options(options)
        .with_http_connector(WitnessConnector { request_timeout: config.request_timeout })
        // `DeleteObjects` is not everywhere, and we remove one by one.
        .with_disable_bulk_delete(true)
        .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() });
    if let Some(token) = &credentials.session_token {
        builder = builder.with_token(token.reveal());
    }
    if let Some(endpoint) = endpoint {
        builder = builder
            .with_endpoint(endpoint.as_str().trim_end_matches('/'))
            .with_allow_http(endpoint.scheme() == "http");
    }
    builder
}

/// The key as it is: `Path::from` would store an escaped one.
fn path(key: &ObjectKey) -> Result<Path, StorageError> {
    let key = key.to_string();
    Path::parse(&key).map_err(|source| StorageError::InvalidName { key, source: source.into() })
}

fn now(exchange: &Exchange) -> Timestamp {
    exchange.date.unwrap_or_else(Timestamp::now)
}

fn object_meta(meta: &object_store::ObjectMeta, now: Timestamp) -> ObjectMeta {
    let (seconds, nanoseconds) =
        (meta.last_modified.timestamp(), meta.last_modified.timestamp_subsec_nanos());
    let modified = Timestamp::new(seconds, i32::try_from(nanoseconds).unwrap_or(0));
    ObjectMeta {
        size: meta.size,
        modified: modified.unwrap_or(Timestamp::UNIX_EPOCH),
        now,
        version: meta.e_tag.clone().map(Version),
    }
}

#[async_trait]
impl Storage for S3Storage {
    async fn get(&self, key: &ObjectKey, limit_bytes: u64) -> Result<Object, StorageError> {
        let read = self.read(key, GetOptions::new(), limit_bytes).await?;
        read.ok_or_else(|| StorageError::Missing { key: key.to_string() })
    }

    async fn get_range(
        &self,
        key: &ObjectKey,
        range: Range<u64>,
        version: Option<&Version>,
    ) -> Result<Object, StorageError> {
        if range.is_empty() {
            return self.nothing(key, version).await;
        }
        let limit_bytes = range.end - range.start;
        let wanted = match range.end > MAX_RANGE_END {
            true => GetRange::Offset(range.start),
            false => GetRange::Bounded(range),
        };
        let options = GetOptions::new()
            .with_range(Some(wanted))
            .with_if_match(version.map(|version| version.0.clone()));
        match self.read(key, options, limit_bytes).await? {
            Some(object) => Ok(object),
            None => self.nothing(key, version).await,
        }
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>, StorageError> {
        let (place, path) = (key.to_string(), path(key)?);
        let (result, exchange) = witnessed(self.client.head(&path)).await;
        match result {
            Ok(meta) => Ok(Some(object_meta(&meta, now(&exchange)))),
            Err(_) if exchange.status == Some(404) => Ok(None),
            Err(_)
                if exchange
                    .status
                    .is_some_and(|status| (400..500).contains(&status)) =>
            {
                self.head_by_reading(key).await
            }
            Err(source) => Err(self.error(Request::Read, &place, exchange, source)),
        }
    }

    async fn put(&self, key: &ObjectKey, content: Bytes) -> Result<Stored, StorageError> {
        let (result, exchange) = self.write(key, content, PutMode::Overwrite).await?;
        match result {
            Ok(()) => Ok(Stored { at: now(&exchange) }),
            Err(source) => Err(self.error(Request::Write, &key.to_string(), exchange, source)),
        }
    }

    async fn create(&self, key: &ObjectKey, content: Bytes) -> Result<Created, StorageError> {
        let (result, exchange) = self.write(key, content, PutMode::Create).await?;
        match (result, exchange.status) {
            (Ok(()), _) => Ok(Created::Yes(Stored { at: now(&exchange) })),
            (Err(_), Some(304 | 412)) => Ok(Created::AlreadyThere),
            (Err(source), _) => {
                Err(self.error(Request::Create, &key.to_string(), exchange, source))
            }
        }
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StorageError> {
        let (place, path) = (key.to_string(), path(key)?);
        let (result, exchange) = witnessed(self.client.delete(&path)).await;
        let Err(source) = result else { return Ok(()) };
        let error = self.error(Request::Delete, &place, exchange, source);
        if error.is_missing() {
            Ok(())
        } else {
            Err(error)
        }
    }

    async fn list(&self, prefix: &Prefix) -> Result<Vec<Entry>, StorageError> {
        let prefix = prefix.to_string();
        let directory = Path::parse(&prefix).map_err(|source| StorageError::InvalidName {
            key: prefix.clone(),
            source: source.into(),
        })?;
        let listing = self.client.list(Some(&directory)).try_collect::<Vec<_>>();
        let (result, exchange) = witnessed(listing).await;
        let now = now(&exchange);
        let found =
            result.map_err(|source| self.error(Request::List, &prefix, exchange, source))?;
        let entry = |meta: &object_store::ObjectMeta| {
            // What consoles make to show an empty folder has no name below it.
            let name = meta.location.as_ref().strip_prefix(&prefix)?.to_owned();
            Some(Entry { name, meta: object_meta(meta, now) })
        };
        let mut entries: Vec<_> = found.iter().filter_map(entry).collect();
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    async fn signed_url(&self, key: &ObjectKey, link: &Link) -> Result<Url, StorageError> {
        let path = path(key)?;
        let mut options = SignedUrlOptions::new();
        if let Some(name) = &link.file_name {
            let disposition = content_disposition(name);
            options = options.with_query([("response-content-disposition", disposition)]);
        }
        self.signer
            .signed_url_opts(Method::GET, &path, link.lifetime.as_duration(), &options)
            .await
            .map_err(|source| {
                let (place, source) = (key.to_string(), source.into());
                StorageError::Other { operation: "sign a link to", place, source }
            })
    }

    fn description(&self) -> String {
        self.description.clone()
    }
}
