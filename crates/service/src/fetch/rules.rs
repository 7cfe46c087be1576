//! Which URLs may be fetched.

use std::{net::IpAddr, str::FromStr};

use ipnet::IpNet;
use url::{Host, Url};

use super::{
    address::{Reach, classify},
    error::Reason,
};

const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;
/// Longer URLs are no links to a recording.
const LONGEST_URL: usize = 8192;

/// What a user's URL may lead to.
///
/// By default: `https` to public addresses on ports 80 and 443.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Whether `http` is allowed beside `https`.
    pub allow_http: bool,
    /// Stores of the operator, which may be internal or on other ports.
    pub allowed: Vec<Allowed>,
}

/// An entry of the operator's list: a host or a network, and a port unless it is 80 or 443.
///
/// Written `minio.corp`, `minio.corp:9000`, `10.1.0.0/16`, `10.1.0.7:9000`, `[fd12::/64]:9000`.
/// A host's name opens whatever internal addresses it has. Metadata services, link-local and
/// multicast addresses stay closed whatever the list says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    place: Place,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Network(IpNet),
    /// In lower case, without a final dot.
    Host(String),
}

/// An entry that is neither a host nor a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{entry}` is no host or network, such as `minio.corp:9000` or `10.1.0.0/16`")]
pub struct InvalidAllowed {
    entry: String,
}

impl FromStr for Allowed {
    type Err = InvalidAllowed;

    fn from_str(entry: &str) -> Result<Self, Self::Err> {
        Self::read(entry.trim()).ok_or_else(|| InvalidAllowed { entry: entry.to_owned() })
    }
}

impl Allowed {
    fn read(entry: &str) -> Option<Self> {
        // An IPv6 address has colons of its own, unless it is in brackets.
        if let Some(network) = network(entry) {
            return Some(Self { place: Place::Network(network), port: None });
        }
        let (place, port) = match entry.rsplit_once(':') {
            Some((place, port)) if !entry.ends_with(']') => {
                (place, Some(port.parse().ok().filter(|&port| port > 0)?))
            }
            _ => (entry, None),
        };
        let unbracketed = place
            .strip_prefix('[')
            .and_then(|place| place.strip_suffix(']'));
        let place = match network(unbracketed.unwrap_or(place)) {
            Some(network) => Place::Network(network),
            None => Place::Host(host_name(place)?),
        };
        Some(Self { place, port })
    }

    fn covers(&self, host: &Host<&str>, address: IpAddr, port: u16) -> bool {
        self.covers_port(port)
            && match &self.place {
                Place::Network(network) => network.contains(&address),
                Place::Host(name) => {
                    matches!(host, Host::Domain(domain) if without_final_dot(domain) == name)
                }
            }
    }

    fn covers_port(&self, port: u16) -> bool {
        match self.port {
            Some(own) => own == port,
            None => is_web_port(port),
        }
    }
}

fn network(text: &str) -> Option<IpNet> {
    let network = text.parse().or_else(|_| text.parse().map(IpAddr::into));
    network.ok()
}

/// A domain name as URLs have it.
fn host_name(text: &str) -> Option<String> {
    match Host::parse(text).ok()? {
        Host::Domain(name) => Some(without_final_dot(&name).to_owned()),
        Host::Ipv4(_) | Host::Ipv6(_) => None,
    }
}

fn without_final_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

fn is_web_port(port: u16) -> bool {
    matches!(port, HTTP_PORT | HTTPS_PORT)
}

/// Where a URL leads, as far as it can be said without asking for addresses.
#[derive(Clone, Debug)]
pub(super) struct Target<'a> {
    pub(super) host: Host<&'a str>,
    pub(super) port: u16,
}

impl Target<'_> {
    /// The address in the URL itself, whatever its spelling.
    pub(super) fn literal(&self) -> Option<IpAddr> {
        match self.host {
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
            Host::Domain(_) => None,
        }
    }
}

impl Rules {
    /// Reads a URL and checks all of it but the addresses of its host.
    pub(super) fn read(&self, url: &str) -> Result<Url, Reason> {
        if url.len() > LONGEST_URL {
            return Err(Reason::NotAUrl);
        }
        let url = Url::parse(url).map_err(|_| Reason::NotAUrl)?;
        self.target(&url)?;
        Ok(url)
    }

    /// The URL of a redirect, checked in the same way.
    pub(super) fn follow(&self, from: &Url, location: &str) -> Result<Url, Reason> {
        if location.len() > LONGEST_URL {
            return Err(Reason::BadRedirect);
        }
        let url = from.join(location).map_err(|_| Reason::BadRedirect)?;
        if from.scheme() == "https" && url.scheme() == "http" {
            return Err(Reason::Downgrade);
        }
        self.target(&url)?;
        Ok(url)
    }

    /// Checks scheme, credentials and port.
    pub(super) fn target<'a>(&self, url: &'a Url) -> Result<Target<'a>, Reason> {
        match url.scheme() {
            "https" => {}
            "http" if self.allow_http => {}
            _ => return Err(Reason::Scheme { http_allowed: self.allow_http }),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Reason::Credentials);
        }
        let host = url.host().ok_or(Reason::NotAUrl)?;
        let port = url.port_or_known_default().ok_or(Reason::NotAUrl)?;
        let mut entries = self.allowed.iter();
        if !is_web_port(port) && !entries.any(|entry| entry.covers_port(port)) {
            return Err(Reason::Port { port });
        }
        Ok(Target { host, port })
    }

    /// Whether a target may be fetched from one of its addresses.
    pub(super) fn permit(&self, target: &Target<'_>, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let is_listed = || {
            let mut entries = self.allowed.iter();
            entries.any(|entry| entry.covers(&target.host, address, target.port))
        };
        match classify(address) {
            Reach::Public => is_web_port(target.port) || is_listed(),
            Reach::Internal => is_listed(),
            Reach::Never => false,
        }
    }
}
