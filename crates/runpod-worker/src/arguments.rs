//! The command line of the official SDK.

use std::str::FromStr;

use crate::settings::LogLevel;

/// What the official SDK's flags say. Others are left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments {
    /// `--rp_serve_api`: serve the local API.
    pub serve_api: bool,
    /// `--rp_api_host`
    pub api_host: String,
    /// `--rp_api_port`
    pub api_port: u16,
    /// `--rp_api_concurrency`: how many jobs the local API runs at once.
    pub api_concurrency: usize,
    /// `--rp_log_level`
    pub log_level: Option<LogLevel>,
    /// `--test_input`: a job as JSON, which is run alone.
    pub test_input: Option<String>,
}

/// A flag that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot use {flag} `{value}`: must be {allowed}")]
pub struct ArgumentsError {
    /// The flag.
    pub flag: &'static str,
    /// What follows it.
    pub value: String,
    /// What may follow it.
    pub allowed: &'static str,
}

impl Default for Arguments {
    fn default() -> Self {
        Self {
            serve_api: false,
            api_host: "localhost".to_owned(),
            api_port: 8000,
            api_concurrency: 1,
            log_level: None,
            test_input: None,
        }
    }
}

impl Arguments {
    /// Reads `--flag value` and `--flag=value`.
    ///
    /// # Errors
    /// Names the first flag with a value that it may not have.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, ArgumentsError> {
        let mut parsed = Self::default();
        let mut rest = arguments.into_iter();
        while let Some(argument) = rest.next() {
            let (flag, value) = match argument.split_once('=') {
                Some((flag, value)) => (flag, Some(value.to_owned())),
                None => (argument.as_str(), None),
            };
            let mut value = || value.clone().or_else(|| rest.next()).unwrap_or_default();
            match flag {
                "--rp_serve_api" => parsed.serve_api = true,
                "--rp_api_host" => parsed.api_host = value(),
                "--rp_api_port" => {
                    parsed.api_port = number("--rp_api_port", value(), "a port, 0 to 65535")?;
                }
                "--rp_api_concurrency" => {
                    let allowed = "a number of jobs";
                    parsed.api_concurrency = number("--rp_api_concurrency", value(), allowed)?;
                }
                "--rp_log_level" => {
                    let value = value();
                    let allowed = "TRACE, DEBUG, INFO, WARN or ERROR";
                    let flag = "--rp_log_level";
                    parsed.log_level = Some(LogLevel::parse(&value).ok_or(ArgumentsError {
                        flag,
                        value,
                        allowed,
                    })?);
                }
                "--test_input" => parsed.test_input = Some(value()),
                _ => {}
            }
        }
        Ok(parsed)
    }
}

fn number<T: FromStr>(
    flag: &'static str,
    value: String,
    allowed: &'static str,
) -> Result<T, ArgumentsError> {
    match value.parse() {
        Ok(number) => Ok(number),
        Err(_) => Err(ArgumentsError { flag, value, allowed }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, ArgumentsError> {
        Arguments::parse(line.split(' ').map(str::to_owned))
    }

    #[test]
    fn the_flags_of_the_official_sdk_are_understood() {
        let parsed = parse("worker --mine 3 --rp_serve_api --rp_api_port=9 --rp_api_host 0.0.0.0");
        let expected = Arguments {
            serve_api: true,
            api_port: 9,
            api_host: "0.0.0.0".to_owned(),
            ..Arguments::default()
        };
        assert_eq!(parsed.unwrap(), expected);
        let parsed =
            parse("worker --test_input {\"input\":{\"a\":\"x=y\"}} --rp_log_level debug").unwrap();
        assert_eq!(parsed.test_input.as_deref(), Some("{\"input\":{\"a\":\"x=y\"}}"));
        assert_eq!(parsed.log_level, Some(LogLevel::Debug));
    }

    #[test]
    fn what_cannot_be_understood_is_named() {
        let error = parse("worker --rp_api_port").unwrap_err().to_string();
        assert_eq!(error, "cannot use --rp_api_port ``: must be a port, 0 to 65535");
        assert_eq!(parse("w --rp_log_level loud").unwrap_err().value, "loud");
    }
}
