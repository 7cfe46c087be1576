use std::{io, path::PathBuf};

/// Why a model cannot be found, fetched or checked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ModelsError {
    /// Neither a known name nor a path.
    #[error("there is no model `{name}`; known are {known}, and paths of directories and files")]
    UnknownModel { name: String, known: String },
    /// A vocoder where a model that speaks is needed.
    #[error("`{name}` is a vocoder and does not speak alone; give it with `--vocoder`")]
    NotAModel { name: String },
    /// A known model that nobody fetched.
    #[error("the model `{name}` is not on this machine; {advice}")]
    NotFetched { name: String, advice: String },
    /// The network must not be asked.
    #[error("`{name}` cannot be fetched because HF_HUB_OFFLINE is set; {advice}")]
    Offline { name: String, advice: String },
    /// The hub cannot be reached.
    #[error("could not reach {endpoint} for `{file}`; {advice}")]
    Unreachable {
        endpoint: String,
        file: String,
        advice: String,
        source: Box<ureq::Error>,
    },
    /// The hub refuses.
    #[error("{endpoint} answered {status} for `{file}`; {advice}")]
    Refused {
        endpoint: String,
        file: String,
        status: u16,
        advice: &'static str,
    },
    /// The hub answers what cannot be understood.
    #[error("{endpoint} sent {problem} for `{file}`; is it a Hugging Face hub?")]
    NoHub {
        endpoint: String,
        file: String,
        problem: &'static str,
    },
    /// The connection breaks again and again.
    #[error(
        "the download of `{file}` broke off at {at} of {bytes} bytes; run the same command again to go on"
    )]
    Interrupted {
        file: String,
        at: u64,
        bytes: u64,
        source: Option<io::Error>,
    },
    /// The hub has another file than we know.
    #[error(
        "the hub has another `{file}` than the known one; it was replaced, or the mirror is wrong"
    )]
    Changed { file: String },
    /// What came is not what should have come.
    #[error(
        "`{file}` arrived damaged and was removed: its SHA-256 is {found} instead of {expected}"
    )]
    Damaged {
        file: String,
        found: String,
        expected: String,
    },
    /// The caller wants no more.
    #[error("the download of `{file}` was stopped; run the same command again to go on")]
    Stopped { file: String },
    /// Another process fetches the same file.
    #[error(
        "another process is downloading `{file}`; wait for it, or remove `{lock}` if there is none"
    )]
    Locked { file: String, lock: PathBuf },
    /// There is nowhere to put files.
    #[error("there is no directory for models; give one with `--models-dir` or HF_HOME")]
    NoCache,
    /// A directory or file cannot be read or written.
    #[error("could not {action} `{path}`")]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// A directory lacks a file of a model.
    #[error("`{directory}` has no {what}; {advice}")]
    Incomplete {
        directory: PathBuf,
        what: &'static str,
        advice: String,
    },
    /// A directory has several files of one kind.
    #[error("`{directory}` has several {what}: {found}; {advice}")]
    Ambiguous {
        directory: PathBuf,
        what: &'static str,
        found: String,
        advice: &'static str,
    },
    /// A path that was given explicitly leads nowhere.
    #[error("the {what} `{path}` does not exist")]
    NoSuchFile { what: &'static str, path: PathBuf },
}

impl ModelsError {
    /// Whether the same call may succeed a moment later.
    pub(super) const fn is_transient(&self) -> bool {
        if let Self::Refused { status, .. } = self {
            return *status >= 500 || *status == 429;
        }
        matches!(self, Self::Unreachable { .. } | Self::Interrupted { .. })
    }

    /// Whether another request or setting of the caller would help, as opposed to another state of the world.
    pub(crate) const fn is_bad_input(&self) -> bool {
        matches!(
            self,
            Self::UnknownModel { .. }
                | Self::NotAModel { .. }
                | Self::NotFetched { .. }
                | Self::Offline { .. }
                | Self::NoCache
                | Self::Incomplete { .. }
                | Self::Ambiguous { .. }
                | Self::NoSuchFile { .. }
        )
    }
}
