//! From an answer of S3 to an error of ours.

use super::witness::Exchange;
use crate::storage::{Permission, StorageError};

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    Read,
    ReadRange,
    Write,
    Create,
    Delete,
    List,
}

impl Request {
    const fn permission(self) -> Permission {
        match self {
            Self::Read | Self::ReadRange => Permission::GetObject,
            Self::Write | Self::Create => Permission::PutObject,
            Self::Delete => Permission::DeleteObject,
            Self::List => Permission::ListBucket,
        }
    }

    const fn verb(self) -> &'static str {
        match self {
            Self::Read | Self::ReadRange => "read",
            Self::Write | Self::Create => "write",
            Self::Delete => "delete",
            Self::List => "list",
        }
    }
}

/// Which store and which of its objects a request was about.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    pub(super) store: &'a str,
    pub(super) bucket: &'a str,
    pub(super) region: &'a str,
    pub(super) place: &'a str,
}

/// What an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    NoSuchBucket,
    Missing,
    BadCredentials,
    WrongClock,
    WrongRegion,
    Full,
    Unsupported,
    Denied,
    Changed,
    Away,
    Other,
}

fn meaning(request: Request, exchange: &Exchange, region: &str) -> Meaning {
    let is_elsewhere = exchange
        .region
        .as_deref()
        .is_some_and(|found| found != region);
    let reads = matches!(request, Request::Read | Request::ReadRange);
    match (exchange.status.unwrap_or(0), exchange.code.as_deref().unwrap_or("")) {
        _ if exchange.is_lost => Meaning::Away,
        (_, "NoSuchBucket") => Meaning::NoSuchBucket,
        (_, "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken" | "ExpiredToken") => {
            Meaning::BadCredentials
        }
        (_, "TokenRefreshRequired" | "InvalidSecurity" | "NotSignedUp") => Meaning::BadCredentials,
        (_, "RequestTimeTooSkewed" | "RequestExpired") => Meaning::WrongClock,
        (_, "PermanentRedirect" | "TemporaryRedirect" | "IllegalLocationConstraintException") => {
            Meaning::WrongRegion
        }
        (301 | 307 | 308, _) => Meaning::WrongRegion,
        (400, _) if is_elsewhere => Meaning::WrongRegion,
        (401, _) | (_, "AuthorizationHeaderMalformed") => Meaning::BadCredentials,
        (507, _) | (_, "QuotaExceeded" | "XMinioStorageFull") => Meaning::Full,
        (501, _) | (_, "NotImplemented") => Meaning::Unsupported,
        (404, _) if reads || request == Request::Delete => Meaning::Missing,
        // A write or a list finds nothing missing but the bucket.
        (404, _) => Meaning::NoSuchBucket,
        (403, _) => Meaning::Denied,
        (412, _) if reads => Meaning::Changed,
        (408 | 409 | 429 | 500..=599, _) | (_, "RequestTimeout" | "SlowDown") => Meaning::Away,
        // The whole object where a part was asked for.
        (200, _) if request == Request::ReadRange => Meaning::Unsupported,
        _ => Meaning::Other,
    }
}

/// The error for a request that failed.
pub(super) fn storage_error(
    request: Request,
    subject: &Subject<'_>,
    exchange: Exchange,
    source: object_store::Error,
) -> StorageError {
    let meaning = meaning(request, &exchange, subject.region);
    let (store, bucket) = (subject.store.to_owned(), subject.bucket.to_owned());
    let (place, source) = (subject.place.to_owned(), Box::new(source));
    match meaning {
        Meaning::NoSuchBucket => StorageError::NoSuchBucket { store, bucket, source },
        Meaning::Missing => StorageError::Missing { key: place },
        Meaning::BadCredentials => {
            let reason = exchange.code.unwrap_or_else(|| "Unauthorized".to_owned());
            StorageError::BadCredentials { store, reason, source }
        }
        Meaning::WrongClock => StorageError::WrongClock { store, source },
        Meaning::WrongRegion => StorageError::WrongRegion {
            bucket,
            region: subject.region.to_owned(),
            expected: exchange.region,
            source,
        },
        Meaning::Full => StorageError::Full { place, source },
        Meaning::Unsupported => {
            let operation = match request {
                Request::Create => "create-only writes",
                Request::ReadRange => "reading a part of an object",
                Request::Read | Request::Write | Request::Delete | Request::List => "the request",
            };
            StorageError::Unsupported { store, operation, source: Some(source) }
        }
        Meaning::Denied if request.permission() == Permission::GetObject => {
            StorageError::MissingOrDenied { key: place, source }
        }
        Meaning::Denied => StorageError::Denied { place, permission: request.permission(), source },
        Meaning::Changed => StorageError::Changed { key: place },
        Meaning::Away => StorageError::Unreachable { store, source },
        Meaning::Other => StorageError::Other { operation: request.verb(), place, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, code: &str, region: Option<&str>) -> Exchange {
        Exchange {
            status: Some(status),
            code: Some(code.to_owned()).filter(|code| !code.is_empty()),
            region: region.map(str::to_owned),
            ..Exchange::default()
        }
    }

    #[test]
    fn every_answer_means_something() {
        for (request, status, code, region, expected) in [
            (Request::Write, 404, "NoSuchBucket", None, Meaning::NoSuchBucket),
            (Request::Read, 404, "NoSuchKey", None, Meaning::Missing),
            (Request::Read, 404, "", None, Meaning::Missing),
            (Request::Write, 403, "InvalidAccessKeyId", None, Meaning::BadCredentials),
            (Request::Read, 403, "SignatureDoesNotMatch", None, Meaning::BadCredentials),
            (Request::Read, 401, "Unauthorized", None, Meaning::BadCredentials),
            (Request::Read, 403, "AccessDenied", None, Meaning::Denied),
            (Request::Write, 403, "RequestTimeTooSkewed", None, Meaning::WrongClock),
            (
                Request::Write,
                301,
                "PermanentRedirect",
                Some("eu-west-1"),
                Meaning::WrongRegion,
            ),
            (
                Request::Write,
                400,
                "AuthorizationHeaderMalformed",
                Some("eu-west-1"),
                Meaning::WrongRegion,
            ),
            (
                Request::Write,
                400,
                "AuthorizationHeaderMalformed",
                None,
                Meaning::BadCredentials,
            ),
            (
                Request::Write,
                400,
                "IllegalLocationConstraintException",
                None,
                Meaning::WrongRegion,
            ),
            (Request::Create, 501, "NotImplemented", None, Meaning::Unsupported),
            (Request::Create, 409, "ConditionalRequestConflict", None, Meaning::Away),
            (Request::Write, 403, "QuotaExceeded", None, Meaning::Full),
            (Request::Write, 507, "XMinioStorageFull", None, Meaning::Full),
            (Request::Read, 412, "PreconditionFailed", None, Meaning::Changed),
            (Request::Read, 503, "SlowDown", None, Meaning::Away),
            (Request::Write, 500, "InternalError", None, Meaning::Away),
            (Request::Write, 400, "EntityTooLarge", Some("us-east-1"), Meaning::Other),
            (Request::ReadRange, 200, "", None, Meaning::Unsupported),
        ] {
            let exchange = answer(status, code, region);
            assert_eq!(meaning(request, &exchange, "us-east-1"), expected, "{exchange:?}");
        }
        let lost = Exchange { is_lost: true, ..Exchange::default() };
        assert_eq!(meaning(Request::Write, &lost, "us-east-1"), Meaning::Away);
    }
}
