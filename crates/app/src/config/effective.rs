//! What every setting is, and why.

use std::{ffi::OsString, fmt, path::PathBuf};

use clap::{Arg, ArgAction, Command, CommandFactory};
use serde::Serialize;

use super::{Defaults, environment::Environment, file, is_secret, key, settings};
use crate::{cli::Cli, failure::Failure};

/// A setting as it stands.
#[derive(Debug, Serialize)]
pub(crate) struct Effective {
    /// Its name in the configuration file.
    pub(crate) setting: String,
    /// Its environment variable.
    pub(crate) variable: String,
    /// Its value; of a secret, just that there is one.
    pub(crate) value: Option<String>,
    /// Where the value comes from.
    pub(crate) origin: Origin,
    /// Why the value cannot be used.
    pub(crate) problem: Option<String>,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Origin {
    Environment,
    File,
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Environment => "environment",
            Self::File => "file",
            Self::Default => "default",
        })
    }
}

/// All settings, in the order of the documentation.
pub(crate) fn effective(named: Option<PathBuf>) -> Result<Vec<Effective>, Failure> {
    effective_with(named, &Environment::of_this_process())
}

fn effective_with(
    named: Option<PathBuf>,
    environment: &Environment,
) -> Result<Vec<Effective>, Failure> {
    let command = Cli::command();
    let (mut from_environment, mut from_file) = (Defaults::default(), Defaults::default());
    environment.fill(&command, &mut from_environment)?;
    if let Some(file) = file::read(named, environment)? {
        file.fill(&command, &mut from_file)?;
    }
    let effective = settings(&command).into_iter().map(|setting| {
        let variable = setting
            .get_env()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let own = environment
            .get(variable)
            .map(|value| vec![value.to_owned()]);
        let id = setting.get_id().as_str();
        let (values, origin) = if let Some(values) = own {
            (values, Origin::Environment)
        } else if let Some(values) = from_environment.values.get(id) {
            (values.clone(), Origin::Environment)
        } else if let Some(values) = from_file.values.get(id) {
            (values.clone(), Origin::File)
        } else {
            let defaults = setting.get_default_values().iter();
            (defaults.map(|value| value.into()).collect(), Origin::Default)
        };
        Effective {
            setting: key(setting),
            variable: variable.to_owned(),
            problem: problem(setting, &values),
            value: shown(setting, &values),
            origin,
        }
    });
    Ok(effective.collect())
}

fn shown(setting: &Arg, values: &[OsString]) -> Option<String> {
    if values.is_empty() {
        return None;
    }
    if is_secret(setting) {
        return Some("set".to_owned());
    }
    let words: Vec<_> = values.iter().map(|value| value.to_string_lossy()).collect();
    Some(words.join(","))
}

/// Why the values cannot be used, by the very check that they would meet.
fn problem(setting: &Arg, values: &[OsString]) -> Option<String> {
    let flag = format!("--{}", setting.get_long()?);
    // A switch has no value on the command line, but one in its variable.
    let action = match setting.get_action() {
        action if action.takes_values() => action.clone(),
        _ => ArgAction::Set,
    };
    let alone = setting.clone().action(action).env(None);
    let alone = Command::new("f5tts").arg(alone.default_values(&[] as &[&str]));
    let arguments = values.iter().map(|value| {
        let mut argument = OsString::from(&flag);
        argument.push("=");
        argument.push(value);
        argument
    });
    let words = [OsString::from("f5tts")].into_iter().chain(arguments);
    let error = alone.try_get_matches_from(words).err()?;
    let message = error.render().to_string();
    let first = message.lines().next().unwrap_or_default();
    Some(first.trim_start_matches("error: ").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(variables: &[(&str, &str)], name: &str) -> Effective {
        let environment = Environment::with(variables);
        let all = effective_with(None, &environment).unwrap();
        all.into_iter()
            .find(|setting| setting.setting == name)
            .unwrap()
    }

    #[test]
    fn secrets_are_told_but_not_shown() {
        let secret = setting(&[("AWS_SECRET_ACCESS_KEY", "hush")], "aws_secret_access_key");
        assert_eq!((secret.value.as_deref(), secret.origin), (Some("set"), Origin::Environment));
        let none = setting(&[], "aws_secret_access_key");
        assert_eq!((none.value, none.origin), (None, Origin::Default));
    }

    #[test]
    fn a_value_that_cannot_be_used_is_told() {
        let speed = setting(&[("F5TTS_SPEED", "9")], "speed");
        let problem = speed.problem.unwrap();
        assert!(problem.contains("speed is 9, allowed is 0.5 to 2"), "{problem}");
        assert_eq!(setting(&[("F5TTS_SPEED", "1.5")], "speed").problem, None);
        let switch = setting(&[("F5TTS_ALLOW_HTTP_URLS", "maybe")], "allow_http_urls");
        assert!(switch.problem.unwrap().contains("maybe"));
        for value in ["1", "yes", "off"] {
            let switch = setting(&[("F5TTS_ALLOW_HTTP_URLS", value)], "allow_http_urls");
            assert_eq!(switch.problem, None, "{value}");
        }
    }
}
