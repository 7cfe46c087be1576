//! Links to objects of a directory, which the service itself serves: signed, as those of S3 are.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;
use url::Url;

use crate::storage::{Link, ObjectKey, Secret};

/// Longest text after the `?` of a link that is looked at.
const MAX_QUERY_BYTES: usize = 4096;

/// Makes links and knows its own again.
///
/// A link is `BASE/v1/files/KEY?expires=SECONDS&signature=…`, with `&name=FILE` where a browser is to save the
/// object under that name. The signature is HMAC-SHA256 over all of these.
#[derive(Debug)]
pub struct SignedLinks {
    base: Url,
    secret: Secret,
}

/// What a link that was given by us leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedLink {
    /// The object.
    pub key: ObjectKey,
    /// The text for `Content-Disposition`, if a browser is to save the object.
    pub content_disposition: Option<String>,
}

/// A link that is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// It was not made by us, or was altered.
    #[error("the signature of the link is wrong")]
    Forged,
    /// Its time is over.
    #[error("the link has expired")]
    Expired,
}

impl SignedLinks {
    /// The path of the server below which links lie.
    pub const PATH: &str = "/v1/files/";

    /// Links to a server that clients reach as `base`, signed with `secret`.
    pub const fn new(base: Url, secret: Secret) -> Self {
        Self { base, secret }
    }

    /// A link to an object, from `now` on.
    pub fn link(&self, key: &ObjectKey, link: &Link, now: Timestamp) -> Url {
        let lifetime_s = link.lifetime.as_duration().as_secs();
        let expires = now
            .as_second()
            .saturating_add_unsigned(lifetime_s)
            .to_string();
        let key = key.to_string();
        let name = link.file_name.as_deref();
        let signature =
            URL_SAFE_NO_PAD.encode(self.mac(&key, &expires, name).finalize().into_bytes());
        let mut url = self.base.clone();
        let base = self.base.path().trim_end_matches('/');
        // A key may look like an escape; as a part of a path it stands for itself.
        let key = key.replace('%', "%25");
        url.set_path(&format!("{base}{}{key}", Self::PATH));
        let mut query = url.query_pairs_mut();
        query.append_pair("expires", &expires);
        if let Some(name) = name {
            query.append_pair("name", name);
        }
        query.append_pair("signature", &signature);
        drop(query);
        url
    }

    /// What the link to `key` with this query leads to.
    ///
    /// `key` is what comes after [`SignedLinks::PATH`], decoded; `query` is what comes after `?`, as it came.
    pub fn verify(
        &self,
        key: &str,
        query: &str,
        now: Timestamp,
    ) -> Result<VerifiedLink, LinkError> {
        if query.len() > MAX_QUERY_BYTES {
            return Err(LinkError::Forged);
        }
        let field = |name: &str| {
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            pairs
                .find(|(found, _)| found == name)
                .map(|(_, value)| value.into_owned())
        };
        let (expires, name) = (field("expires").unwrap_or_default(), field("name"));
        let signature = field("signature").and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let signature = signature.ok_or(LinkError::Forged)?;
        self.mac(key, &expires, name.as_deref())
            .verify_slice(&signature)
            .map_err(|_| LinkError::Forged)?;
        let expires: i64 = expires.parse().map_err(|_| LinkError::Forged)?;
        if now.as_second() >= expires {
            return Err(LinkError::Expired);
        }
        let key = ObjectKey::of_link(key).ok_or(LinkError::Forged)?;
        let content_disposition = name.as_deref().map(crate::storage::content_disposition);
        Ok(VerifiedLink { key, content_disposition })
    }

    fn mac(&self, key: &str, expires: &str, name: Option<&str>) -> Hmac<Sha256> {
        let secret = self.secret.reveal().as_bytes();
        let mut mac =
            Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
        for part in ["GET", key, expires, name.unwrap_or_default()] {
            // With its length before it, no part can pass for the end of another.
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part.as_bytes());
        }
        mac
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::storage::LinkLifetime;

    fn links() -> SignedLinks {
        let base = Url::parse("https://speech.example/tts/").unwrap();
        SignedLinks::new(base, Secret::new("secret"))
    }

    fn link(name: Option<&str>) -> Link {
        let lifetime = LinkLifetime::try_from(Duration::from_secs(60)).unwrap();
        Link { lifetime, file_name: name.map(str::to_owned) }
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    /// What a server makes of the path of a link: the key, decoded.
    fn key_of(url: &Url) -> String {
        let path = url
            .path()
            .strip_prefix("/tts/v1/files/")
            .unwrap()
            .replace('+', "%2B")
            .replace('&', "%26");
        let pair = format!("k={path}");
        url::form_urlencoded::parse(pair.as_bytes())
            .next()
            .unwrap()
            .1
            .into_owned()
    }

    #[test]
    fn a_link_is_known_again_until_it_expires() {
        let (links, key) = (links(), ObjectKey::of_link("voices/anna ü+%41?#&.wav").unwrap());
        for name in [None, Some("Größe \"1\".wav")] {
            let url = links.link(&key, &link(name), now());
            let query = url.query().unwrap();
            let verify = |at| links.verify(&key_of(&url), query, at);
            assert_eq!(verify(now()).unwrap().key, key);
            let disposition = verify(now()).unwrap().content_disposition;
            let expected = name.map(|_| {
                "attachment; filename=\"Gr__e _1_.wav\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%221%22.wav"
            });
            assert_eq!(disposition.as_deref(), expected);
            let second = jiff::SignedDuration::from_secs(1);
            assert!(verify(now() + 59 * second).is_ok());
            assert_eq!(verify(now() + 60 * second), Err(LinkError::Expired));
        }
    }

    #[test]
    fn an_altered_link_is_refused() {
        let (links, key) = (links(), ObjectKey::of_link("output/a.wav").unwrap());
        let url = links.link(&key, &link(Some("a.wav")), now());
        let query = url.query().unwrap();
        let other_secret = SignedLinks::new(url.clone(), Secret::new("Secret"));
        assert!(links.verify("output/a.wav", query, now()).is_ok());
        for (key, query) in [
            ("output/b.wav", query.to_owned()),
            ("jobs/a/0000.json", query.to_owned()),
            ("output/a.wav", query.replace("expires=1", "expires=2")),
            ("output/a.wav", query.replace("name=a", "name=b")),
            ("output/a.wav", query.replace("name=a.wav&", "")),
            ("output/a.wav", query.replace("signature=", "signature=A")),
            ("output/a.wav", String::new()),
            ("output/a.wav", "signature=".to_owned()),
        ] {
            assert_eq!(links.verify(key, &query, now()), Err(LinkError::Forged), "{key} {query}");
        }
        assert_eq!(other_secret.verify("output/a.wav", query, now()), Err(LinkError::Forged));
    }

    #[test]
    fn a_link_of_ours_serves_no_other_kind_of_object() {
        let (links, key) = (links(), ObjectKey::Probe("x".try_into().unwrap()));
        let url = links.link(&key, &link(None), now());
        let verified = links.verify("probe/x", url.query().unwrap(), now());
        assert_eq!(verified, Err(LinkError::Forged));
    }

    proptest! {
        #[test]
        fn nothing_from_outside_is_taken(key in ".{0,40}", query in ".{0,200}") {
            prop_assert_eq!(links().verify(&key, &query, now()), Err(LinkError::Forged));
        }
    }
}
