//! What can go wrong with a store, by what can be done about it.

use std::{error::Error, fmt};

/// The cause below an error.
pub type Cause = Box<dyn Error + Send + Sync>;

/// An operation on a store failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// There is no such object.
    #[error("`{key}` is not in the store")]
    Missing {
        /// What was asked for.
        key: String,
    },
    /// There is no such object, or it may not be read: without the permission to list, S3 does not tell.
    #[error("`{key}` is not in the store, or the credentials lack the permission s3:GetObject")]
    MissingOrDenied {
        /// What was asked for.
        key: String,
        /// What the store said.
        source: Cause,
    },
    /// The credentials are right, and do not suffice.
    #[error("the credentials lack the permission {permission} for `{place}`")]
    Denied {
        /// Key or prefix.
        place: String,
        /// What would be needed.
        permission: Permission,
        /// What the store said.
        source: Cause,
    },
    /// The store does not know the credentials, or they have expired.
    #[error("{store} refuses the credentials ({reason})")]
    BadCredentials {
        /// The store.
        store: String,
        /// Its own word for it, such as `SignatureDoesNotMatch`.
        reason: String,
        /// What the store said.
        source: Cause,
    },
    /// The store has no such bucket.
    #[error("{store} does not exist")]
    NoSuchBucket {
        /// The store.
        store: String,
        /// The bucket that was asked for.
        bucket: String,
        /// What the store said.
        source: Cause,
    },
    /// The bucket lies in another region.
    #[error("the bucket `{bucket}` is not in the region `{region}`{}", hint(expected.as_deref()))]
    WrongRegion {
        /// The bucket.
        bucket: String,
        /// The region that was asked.
        region: String,
        /// The right one, if the store tells.
        expected: Option<String>,
        /// What the store said.
        source: Cause,
    },
    /// The store did not answer, or was busy. It may have done what it was asked for.
    #[error("{store} does not answer")]
    Unreachable {
        /// The store.
        store: String,
        /// How that showed.
        source: Cause,
    },
    /// The clock of this machine is so wrong that the store refuses its signatures.
    #[error("the clock of this machine is not that of {store}, which refuses its requests")]
    WrongClock {
        /// The store.
        store: String,
        /// What the store said.
        source: Cause,
    },
    /// The object is larger than the caller can take.
    #[error("`{key}` has {size_bytes} bytes, more than the {limit_bytes} that are allowed")]
    TooLarge {
        /// Which object.
        key: String,
        /// Its size; at least this.
        size_bytes: u64,
        /// What the caller can take.
        limit_bytes: u64,
    },
    /// The object is no longer the one that was begun to be read.
    #[error("`{key}` was changed while it was read")]
    Changed {
        /// Which object.
        key: String,
    },
    /// There is no room left.
    #[error("there is no space left for `{place}`")]
    Full {
        /// Key or directory.
        place: String,
        /// What the system said.
        source: Cause,
    },
    /// The directory cannot be written to.
    #[error("`{place}` cannot be written to")]
    ReadOnly {
        /// Key or directory.
        place: String,
        /// What the system said.
        source: Cause,
    },
    /// The store lacks an operation.
    #[error("{store} does not support {operation}")]
    Unsupported {
        /// The store.
        store: String,
        /// What was asked for.
        operation: &'static str,
        /// What the store said.
        source: Option<Cause>,
    },
    /// The file system takes no such name.
    #[error("`{key}` is no name that the file system takes")]
    InvalidName {
        /// What was to be stored.
        key: String,
        /// What the system said.
        source: Cause,
    },
    /// Anything else.
    #[error("could not {operation} `{place}`")]
    Other {
        /// What was tried.
        operation: &'static str,
        /// Key, prefix or directory.
        place: String,
        /// What the store or the system said.
        source: Cause,
    },
}

fn hint(expected: Option<&str>) -> String {
    expected.map_or_else(String::new, |region| format!(", but in `{region}`"))
}

impl StorageError {
    /// Who can do something about it.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Missing { .. }
            | Self::MissingOrDenied { .. }
            | Self::TooLarge { .. }
            | Self::InvalidName { .. } => Fault::Caller,
            Self::Unreachable { .. } | Self::Changed { .. } => Fault::Transient,
            Self::Denied { .. }
            | Self::BadCredentials { .. }
            | Self::NoSuchBucket { .. }
            | Self::WrongRegion { .. }
            | Self::WrongClock { .. }
            | Self::Full { .. }
            | Self::ReadOnly { .. }
            | Self::Unsupported { .. }
            | Self::Other { .. } => Fault::Operator,
        }
    }

    /// The whole of it in one line: its message and, where that says more, the innermost cause.
    ///
    /// Whole chains repeat themselves. What a server answers is left out: it may repeat what was signed, and where
    /// a job names the server, it may be any page of any server.
    pub fn line(&self) -> String {
        let says_all = !matches!(
            self,
            Self::Unreachable { .. }
                | Self::Full { .. }
                | Self::ReadOnly { .. }
                | Self::InvalidName { .. }
                | Self::Other { .. }
        );
        let mut innermost: Option<&dyn Error> = None;
        let mut cause = self.source();
        while let Some(error) = cause {
            innermost = Some(error);
            cause = error.source();
        }
        match innermost {
            Some(error) if !says_all => format!("{self}: {}", without_body(&error.to_string())),
            _ => self.to_string(),
        }
    }

    /// Whether the object is not there, as far as the store tells.
    pub const fn is_missing(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::MissingOrDenied { .. })
    }

    /// Whether the same may succeed a little later.
    pub const fn is_transient(&self) -> bool {
        matches!(self.fault(), Fault::Transient)
    }

    /// What the operator can do about it, for people; `None` where the message says all.
    pub const fn advice(&self) -> Option<&'static str> {
        Some(match self {
            Self::Denied { .. } | Self::MissingOrDenied { .. } => {
                "grant the permission to the credentials in the bucket's or the user's policy"
            }
            Self::BadCredentials { .. } => {
                "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_SESSION_TOKEN if these are temporary"
            }
            Self::NoSuchBucket { .. } => "check S3_BUCKET, or create the bucket",
            Self::WrongRegion { .. } => "set AWS_REGION to the region of the bucket",
            Self::Unreachable { .. } => {
                "check AWS_ENDPOINT_URL, the network and whether the store is up"
            }
            Self::WrongClock { .. } => "set the clock of this machine",
            Self::Full { .. } => "make room, or choose another place",
            Self::ReadOnly { .. } => {
                "make the directory writable for the user of this process, or choose another one"
            }
            Self::Missing { .. }
            | Self::TooLarge { .. }
            | Self::Changed { .. }
            | Self::Unsupported { .. }
            | Self::InvalidName { .. }
            | Self::Other { .. } => return None,
        })
    }
}

/// What `object_store` says of a request, up to the body of the answer.
fn without_body(text: &str) -> &str {
    const STATUS: &str = "Server returned non-2xx status code: ";
    const BODY: &str = "Server returned error response";
    if let Some((_, answer)) = text.split_once(STATUS) {
        let status = answer.split_once(": ").map_or(answer, |(status, _)| status);
        return &text[..text.len() - answer.len() + status.len()];
    }
    text.find(BODY)
        .map_or(text, |start| &text[..start + BODY.len()])
}

/// Who can do something about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Whoever asked: it has to be asked otherwise.
    Caller,
    /// Nobody: it may pass by itself.
    Transient,
    /// Whoever runs the service.
    Operator,
}

/// A permission of S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// To read an object.
    GetObject,
    /// To write an object.
    PutObject,
    /// To remove an object.
    DeleteObject,
    /// To see what there is.
    ListBucket,
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GetObject => "s3:GetObject",
            Self::PutObject => "s3:PutObject",
            Self::DeleteObject => "s3:DeleteObject",
            Self::ListBucket => "s3:ListBucket",
        })
    }
}
