//! How a command ends without its result, and what the process says then.

use std::{fmt::Display, process::ExitCode};

use f5tts_engine::{SampleError, SpeakError};

/// The exit codes, for `--help`.
pub(crate) const EXIT_CODES: &str = "Exit codes:
  0    done
  1    the model, the device or the system failed
  2    bad input or usage
  130  interrupted by Ctrl-C";

/// Why a command ended without its result.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Whoever called must change something.
    BadInput(anyhow::Error),
    /// The model, the device or the system failed.
    Failed(anyhow::Error),
    /// Ctrl-C.
    Interrupted,
    /// The arguments; also how `--help` and `--version` end.
    Arguments(clap::Error),
}

impl Failure {
    /// Something that the caller must change.
    pub(crate) fn bad_input(message: impl Into<String>) -> Self {
        Self::BadInput(anyhow::Error::msg(message.into()))
    }

    /// Why, in a line.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::BadInput(error) | Self::Failed(error) => format!("{error:#}"),
            Self::Interrupted => "interrupted".to_owned(),
            Self::Arguments(error) => error.to_string(),
        }
    }

    /// Tells why on standard error and returns the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        match self {
            Self::BadInput(error) => {
                say(format_args!("error: {error:#}"));
                ExitCode::from(2)
            }
            Self::Failed(error) => {
                say(format_args!("error: {error:#}"));
                ExitCode::FAILURE
            }
            Self::Interrupted => {
                say("interrupted");
                ExitCode::from(130)
            }
            Self::Arguments(error) => {
                // Only fails if the terminal is gone, and then nobody reads this.
                error.print().ok();
                ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
            }
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<clap::Error> for Failure {
    fn from(error: clap::Error) -> Self {
        Self::Arguments(error)
    }
}

impl From<SampleError> for Failure {
    fn from(error: SampleError) -> Self {
        if matches!(error, SampleError::Stopped(_)) {
            Self::Interrupted
        } else {
            Self::Failed(error.into())
        }
    }
}

impl From<SpeakError> for Failure {
    fn from(error: SpeakError) -> Self {
        if let SpeakError::Sample(error) = error {
            return error.into();
        }
        Self::BadInput(error.into())
    }
}

/// Marks errors as the caller's.
pub(crate) trait OrBadInput<T> {
    /// The caller must change something.
    fn or_bad_input(self) -> Result<T, Failure>;
    /// The caller must change something; `context` says where.
    fn or_bad_input_in(self, context: impl Display + Send + Sync + 'static) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrBadInput<T> for Result<T, E> {
    fn or_bad_input(self) -> Result<T, Failure> {
        self.map_err(|error| Failure::BadInput(error.into()))
    }

    fn or_bad_input_in(self, context: impl Display + Send + Sync + 'static) -> Result<T, Failure> {
        self.map_err(|error| Failure::BadInput(error.into().context(context)))
    }
}

/// A line on standard error.
#[expect(clippy::print_stderr, reason = "the one place that writes messages")]
pub(crate) fn say(line: impl Display) {
    eprintln!("{line}");
}
