//! Fetches what users' URLs point to, without letting them reach anything but the internet.
//!
//! A URL in a request is an order to this server to connect somewhere. So each hop is checked before
//! anything is sent: scheme, credentials, port, and *every* address of the host. The connection is
//! then made to just the addresses that were checked, whatever the name means a moment later, and
//! never through a proxy, which would look the name up again.

mod address;
mod content;
mod error;
mod rules;
#[cfg(test)]
mod tests;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use reqwest::{
    Client, Response,
    dns::{Addrs, Name, Resolve, Resolving},
    header, redirect,
};
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;
use url::Url;

pub use address::{Reach, classify};
pub use error::{FetchError, Reason};
pub use rules::{Allowed, InvalidAllowed, Rules};

use rules::Target;

/// How long and how much is fetched.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Size of the body.
    pub bytes: usize,
    /// Hops after the first.
    pub redirects: usize,
    /// Time to connect, TLS included.
    pub connect: Duration,
    /// Time between two pieces of an answer.
    pub read: Duration,
    /// Time for everything, redirects and the look-up of names included.
    pub total: Duration,
}

impl Default for Limits {
    /// 64 MiB, as much as may be decoded; 3 redirects; 2 s to connect and to read; 30 s in all.
    fn default() -> Self {
        Self {
            bytes: 64 << 20,
            redirects: 3,
            connect: Duration::from_secs(2),
            read: Duration::from_secs(2),
            total: Duration::from_secs(30),
        }
    }
}

/// Fetches users' URLs within rules and limits. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Fetcher {
    rules: Arc<Rules>,
    limits: Limits,
    tls: ClientConfig,
    names: Arc<dyn Names>,
}

/// A machine on which nothing can be fetched: it has no certificates of authorities.
#[derive(Debug, thiserror::Error)]
#[error("could not set up TLS: are the system's CA certificates installed?")]
pub struct NoTls {
    #[from]
    source: rustls::Error,
}

impl Fetcher {
    /// Makes a fetcher that looks names up as the system does and trusts whom the system trusts.
    ///
    /// # Errors
    /// If there are no certificates to trust.
    pub fn new(rules: Rules, limits: Limits) -> Result<Self, NoTls> {
        Self::with_names(rules, limits, Arc::new(SystemNames))
    }

    fn with_names(rules: Rules, limits: Limits, names: Arc<dyn Names>) -> Result<Self, NoTls> {
        // Given by hand, as no provider may be installed for the whole process yet.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_platform_verifier()?
            .with_no_client_auth();
        Ok(Self { rules: Arc::new(rules), limits, tls, names })
    }

    /// Fetches a recording or a text.
    ///
    /// # Errors
    /// If the rules forbid the URL or a redirect of it, a limit is exceeded, the server fails, or it
    /// sends what is neither a recording nor plain text.
    pub async fn fetch(&self, url: &str) -> Result<Bytes, FetchError> {
        let mut at = Position { first: None, redirected: false };
        let fetching = tokio::time::timeout(self.limits.total, self.follow(url, &mut at));
        let fetched = fetching.await.unwrap_or(Err(Reason::Timeout));
        fetched.map_err(|reason| FetchError::new(at.first.as_ref(), reason, at.redirected))
    }

    async fn follow(&self, url: &str, at: &mut Position) -> Result<Bytes, Reason> {
        // For the message, even where the rules refuse it.
        at.first = Url::parse(url).ok();
        let mut url = self.rules.read(url)?;
        for _ in 0..=self.limits.redirects {
            let response = self.send(&url).await?;
            match response.status().as_u16() {
                200 => return self.body(response).await,
                301 | 302 | 303 | 307 | 308 => {
                    at.redirected = true;
                    url = self.rules.follow(&url, location(&response)?)?;
                }
                status => return Err(Reason::Status { status }),
            }
        }
        Err(Reason::TooManyRedirects { limit: self.limits.redirects })
    }

    async fn send(&self, url: &Url) -> Result<Response, Reason> {
        let addresses = self.addresses(&self.rules.target(url)?).await?;
        let client = self.client(Checked(addresses))?;
        let request = client
            .get(url.clone())
            .header(header::ACCEPT_ENCODING, "identity");
        request.send().await.map_err(|error| Reason::of(&error))
    }

    /// The addresses of a target, if all of them may be used: a mixed answer is a trick.
    async fn addresses(&self, target: &Target<'_>) -> Result<Vec<SocketAddr>, Reason> {
        let addresses = match target.literal() {
            Some(address) => vec![SocketAddr::new(address, target.port)],
            None => {
                let name = target.host.to_string();
                let found = self.names.look_up(&name, target.port).await;
                found.map_err(|_| Reason::NoPublicAddress)?
            }
        };
        let mut ips = addresses.iter().map(SocketAddr::ip);
        if addresses.is_empty() || !ips.all(|ip| self.rules.permit(target, ip)) {
            return Err(Reason::NoPublicAddress);
        }
        Ok(addresses)
    }

    /// A client for one hop, so that no connection is ever shared with another request.
    fn client(&self, addresses: Checked) -> Result<Client, Reason> {
        let client = Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
            .dns_resolver(Arc::new(addresses))
            .no_proxy()
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .http1_only()
            .connect_timeout(self.limits.connect)
            .read_timeout(self.limits.read)
            .user_agent(concat!("f5tts/", env!("CARGO_PKG_VERSION")));
        client.build().map_err(|error| Reason::of(&error))
    }

    async fn body(&self, mut response: Response) -> Result<Bytes, Reason> {
        let too_large = Reason::TooLarge { limit: self.limits.bytes };
        if is_encoded(&response) {
            return Err(Reason::Compressed);
        }
        let length = response.content_length();
        if length.is_some_and(|length| length > self.limits.bytes as u64) {
            return Err(too_large);
        }
        let mut body = BytesMut::new();
        let mut is_checked = false;
        while let Some(piece) = response.chunk().await.map_err(|error| Reason::of(&error))? {
            if body.len() + piece.len() > self.limits.bytes {
                return Err(too_large);
            }
            body.extend_from_slice(&piece);
            if !is_checked && body.len() >= content::HEAD_BYTES {
                refuse_foreign(&body)?;
                is_checked = true;
            }
        }
        refuse_foreign(&body)?;
        Ok(body.freeze())
    }
}

/// How far a fetch has come, for its error.
#[derive(Debug)]
struct Position {
    first: Option<Url>,
    redirected: bool,
}

fn location(response: &Response) -> Result<&str, Reason> {
    let location = response.headers().get(header::LOCATION);
    location
        .and_then(|location| location.to_str().ok())
        .ok_or(Reason::BadRedirect)
}

fn is_encoded(response: &Response) -> bool {
    let mut encodings = response.headers().get_all(header::CONTENT_ENCODING).iter();
    !encodings.all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

fn refuse_foreign(body: &[u8]) -> Result<(), Reason> {
    content::foreign(body).map_or(Ok(()), |found| Err(Reason::Content { found }))
}

/// What names mean. Tests have their own.
#[async_trait]
trait Names: std::fmt::Debug + Send + Sync {
    async fn look_up(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

#[derive(Debug)]
struct SystemNames;

#[async_trait]
impl Names for SystemNames {
    async fn look_up(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((name, port)).await?.collect())
    }
}

/// Answers every question for addresses with those that were checked.
struct Checked(Vec<SocketAddr>);

impl Resolve for Checked {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Addrs = Box::new(self.0.clone().into_iter());
        Box::pin(std::future::ready(Ok(addresses)))
    }
}
