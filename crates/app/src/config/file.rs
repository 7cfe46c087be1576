use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::{Arg, ArgAction, Command};
use toml::{Table, Value};

use super::{Defaults, environment::Environment, key, settings};
use crate::failure::{Failure, OrBadInput};

/// No configuration file is larger.
const MAX_BYTES: u64 = 1 << 20;

/// A configuration file.
#[derive(Debug)]
pub(super) struct ConfigFile {
    path: PathBuf,
    table: Table,
}

/// Reads the file that was `named`, or else the default one if it exists.
pub(super) fn read(
    named: Option<PathBuf>,
    environment: &Environment,
) -> Result<Option<ConfigFile>, Failure> {
    let default = || environment.default_config().filter(|path| path.is_file());
    let Some(path) = named.or_else(default) else {
        return Ok(None);
    };
    let table = parse(&path).or_bad_input_in(context(&path))?;
    Ok(Some(ConfigFile { path, table }))
}

impl ConfigFile {
    /// Gives settings what stands in the file.
    pub(super) fn fill(&self, command: &Command, defaults: &mut Defaults) -> Result<(), Failure> {
        self.try_fill(command, defaults)
            .or_bad_input_in(context(&self.path))
    }

    fn try_fill(&self, command: &Command, defaults: &mut Defaults) -> anyhow::Result<()> {
        let settings = settings(command);
        // The file cannot name itself.
        let settings: Vec<_> = settings
            .into_iter()
            .filter(|setting| key(setting) != "config")
            .collect();
        for (name, value) in &self.table {
            let Some(setting) = settings.iter().find(|setting| key(setting) == *name) else {
                let mut known: Vec<_> = settings.iter().map(|setting| key(setting)).collect();
                known.sort();
                bail!("unknown setting `{name}`, known are {}", known.join(", "));
            };
            let values = values(setting, value).with_context(|| format!("`{name}`"))?;
            defaults.give(setting, values);
        }
        Ok(())
    }
}

fn context(path: &Path) -> String {
    format!("the configuration file `{}`", path.display())
}

fn parse(path: &Path) -> anyhow::Result<Table> {
    let bytes = std::fs::metadata(path).context("could not read it")?.len();
    anyhow::ensure!(bytes <= MAX_BYTES, "it has {bytes} bytes, at most {MAX_BYTES} are allowed");
    let text = std::fs::read_to_string(path).context("could not read it")?;
    Ok(text.parse()?)
}

/// The words that would stand on the command line, once they are found to be right.
fn values(setting: &Arg, value: &Value) -> anyhow::Result<Vec<OsString>> {
    let many = matches!(setting.get_action(), ArgAction::Append);
    let words = if let (Value::Array(values), true) = (value, many) {
        values.iter().map(word).collect::<anyhow::Result<_>>()?
    } else {
        vec![word(value)?]
    };
    check(setting, &words)?;
    Ok(words.into_iter().map(Into::into).collect())
}

fn word(value: &Value) -> anyhow::Result<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        Value::Boolean(truth) => Ok(truth.to_string()),
        Value::Array(_) => bail!("it takes one value, not a list"),
        Value::Table(_) => bail!("it takes a value, not a table"),
        Value::Datetime(_) => bail!("it takes no date; put text in quotes"),
    }
}

/// Lets the argument itself judge, alone, so that the message is not lost among others.
fn check(setting: &Arg, words: &[String]) -> anyhow::Result<()> {
    let alone = setting.clone().default_values(words.to_vec()).env(None);
    let command = Command::new("f5tts").no_binary_name(true).arg(alone);
    let Err(error) = command.try_get_matches_from::<_, &str>([]) else {
        return Ok(());
    };
    match std::error::Error::source(&error) {
        Some(source) => bail!("{source}"),
        None => bail!("{}", first_line(&error.to_string())),
    }
}

fn first_line(message: &str) -> &str {
    message
        .lines()
        .next()
        .unwrap_or_default()
        .trim_start_matches("error: ")
}
