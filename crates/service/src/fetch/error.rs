//! Why something could not be fetched, in words that give nothing away.

use url::Url;

/// A URL that could not be fetched.
///
/// It names the host and a class: never the path, query or credentials of the URL, nor an address
/// or any byte of an answer. It has no `source` for the same reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not fetch {place}: {reason}{}", if *.redirected { " (after a redirect)" } else { "" })]
pub struct FetchError {
    place: String,
    reason: Reason,
    redirected: bool,
}

/// The class of a [`FetchError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// It cannot be read as a URL, or is too long for one.
    #[error("it is not a valid URL")]
    NotAUrl,
    /// Another scheme.
    #[error("its scheme is not allowed, only {} is", if *.http_allowed { "https or http" } else { "https" })]
    Scheme {
        /// Whether `http` would have been allowed.
        http_allowed: bool,
    },
    /// A user name or password is in the URL.
    #[error("user names and passwords in URLs are not allowed")]
    Credentials,
    /// A port that is not open to users.
    #[error("port {port} is not allowed, only 80 and 443 are")]
    Port {
        /// The port of the URL.
        port: u16,
    },
    /// The host does not exist, or one of its addresses is internal: which of the two is not told.
    #[error("its host has no public address")]
    NoPublicAddress,
    /// More redirects than allowed.
    #[error("it redirects more than {limit} times")]
    TooManyRedirects {
        /// How many are allowed.
        limit: usize,
    },
    /// A redirect without a usable target.
    #[error("it redirects to something that is no URL")]
    BadRedirect,
    /// A redirect that gives up encryption.
    #[error("it redirects from https to http")]
    Downgrade,
    /// Another status than 200.
    #[error("the server answered with status {status}, expected 200")]
    Status {
        /// The status.
        status: u16,
    },
    /// More bytes than allowed, said or sent.
    #[error("it is larger than {limit} bytes")]
    TooLarge {
        /// How many are allowed.
        limit: usize,
    },
    /// A compressed answer, though none was asked for.
    #[error("the server sent it compressed, which it was asked not to do")]
    Compressed,
    /// No recording and no text by its first bytes.
    #[error("it is {found}, not a recording or plain text")]
    Content {
        /// What it seems to be.
        found: &'static str,
    },
    /// Connecting, one read or all of it took too long.
    #[error("the server took too long to answer")]
    Timeout,
    /// The certificate of the server is not valid, or it does not speak TLS.
    #[error("no secure connection to the server could be made")]
    Tls,
    /// The server cannot be reached, or does not speak HTTP.
    #[error("the connection to the server failed")]
    Connection,
    /// The connection ended before the answer did.
    #[error("the server broke off in the middle")]
    Interrupted,
}

impl FetchError {
    pub(super) fn new(url: Option<&Url>, reason: Reason, redirected: bool) -> Self {
        /// A domain name is no longer than this.
        const LONGEST_HOST: usize = 253;
        let host = url.and_then(Url::host_str).unwrap_or_default();
        let host: String = host.chars().take(LONGEST_HOST).collect();
        let place = match url {
            Some(url) if !host.is_empty() => format!("`{}://{host}/…`", url.scheme()),
            _ => "the URL".to_owned(),
        };
        Self { place, reason, redirected }
    }

    /// What went wrong.
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// Whether the same URL may work a little later.
    pub const fn is_transient(&self) -> bool {
        let is_broken =
            matches!(self.reason, Reason::Timeout | Reason::Connection | Reason::Interrupted);
        let is_refused = matches!(self.reason, Reason::Status { status: 408 | 425 | 429 | 500.. });
        is_broken || is_refused
    }
}

impl Reason {
    /// Classes what reqwest reports about a request.
    pub(super) fn of(error: &reqwest::Error) -> Self {
        if error.is_timeout() {
            Self::Timeout
        } else if has_tls_error(error) {
            Self::Tls
        } else if error.is_body() || error.is_decode() {
            Self::Interrupted
        } else {
            Self::Connection
        }
    }
}

fn has_tls_error(error: &reqwest::Error) -> bool {
    let first: &(dyn std::error::Error + 'static) = error;
    std::iter::successors(Some(first), |error| cause(*error))
        .any(|error| error.is::<rustls::Error>())
}

/// The next error of a chain; an `io::Error` hides the one that it wraps from `source`.
fn cause<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a (dyn std::error::Error + 'static)> {
    let wrapper = error.downcast_ref::<std::io::Error>();
    match wrapper.and_then(std::io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}
