//! Where settings come from. Nothing else in the program reads the environment.
//!
//! A flag beats the environment, which beats the configuration file, which beats the default. A
//! *setting* is an argument with an environment variable; the configuration file may set just
//! these, under the name of their flag with `_`. What does not stand on the command line becomes the
//! argument's default, so the same checks and messages hold for it wherever it was written.

mod effective;
mod environment;
mod file;
mod service_settings;
mod settings;
mod values;

pub(crate) use effective::{Origin, effective};
pub(crate) use environment::{OTHER_NAMES, is_secret};
pub(crate) use service_settings::{DataDirectory, JobSettings, PlatformSettings, StoreSettings};
pub(crate) use settings::{
    DefaultVoice, HubSettings, ModelSettings, NetworkSettings, OutputSettings, SpeechSettings,
    TranscriptionSettings, VoiceSettings,
};
pub(crate) use values::{SampleRate, Seed};

use std::{collections::HashMap, ffi::OsString, path::PathBuf};

use clap::{Arg, Command, CommandFactory, FromArgMatches};

use crate::{cli::Cli, failure::Failure};
use environment::Environment;

/// Reads the command line, the environment and the configuration file.
pub(crate) fn load(arguments: impl Iterator<Item = OsString>) -> Result<Cli, Failure> {
    load_with(&arguments.collect::<Vec<_>>(), &Environment::of_this_process())
}

fn load_with(arguments: &[OsString], environment: &Environment) -> Result<Cli, Failure> {
    let mut defaults = Defaults::default();
    environment.fill(&Cli::command(), &mut defaults)?;
    let matches = defaults
        .apply(Cli::command(), environment)
        .try_get_matches_from(arguments)?;
    let named = matches.get_one::<PathBuf>("config").cloned();
    let Some(file) = file::read(named, environment)? else {
        return Ok(Cli::from_arg_matches(&matches)?);
    };
    file.fill(&Cli::command(), &mut defaults)?;
    let matches = defaults
        .apply(Cli::command(), environment)
        .try_get_matches_from(arguments)?;
    Ok(Cli::from_arg_matches(&matches)?)
}

/// What the platform sets for a worker.
pub(crate) fn runpod() -> Result<runpod_worker::Settings, runpod_worker::SettingsError> {
    runpod_worker::Settings::from_env()
}

/// Values for settings, by the identity of their arguments; the first one that is given stays.
#[derive(Debug, Default)]
struct Defaults {
    values: HashMap<String, Vec<OsString>>,
}

impl Defaults {
    fn give(&mut self, setting: &Arg, values: Vec<OsString>) {
        self.values
            .entry(setting.get_id().to_string())
            .or_insert(values);
    }

    fn apply(&self, command: Command, environment: &Environment) -> Command {
        let subcommands = |command: Command| self.apply(command, environment);
        command
            .mut_args(|argument| self.apply_to(argument, environment))
            .mut_subcommands(subcommands)
    }

    fn apply_to(&self, argument: Arg, environment: &Environment) -> Arg {
        // `docker run -e NAME=` and the like mean "not set".
        let empty = argument
            .get_env()
            .is_some_and(|name| environment.is_empty(name));
        let argument = if empty { argument.env(None) } else { argument };
        match self.values.get(argument.get_id().as_str()) {
            Some(values) => argument.default_values(values.clone()),
            None => argument,
        }
    }
}

/// The settings of a command and its subcommands, each once, in their order.
pub(crate) fn settings(command: &Command) -> Vec<&Arg> {
    let own = command
        .get_arguments()
        .filter(|argument| argument.get_env().is_some());
    let all = own.chain(command.get_subcommands().flat_map(settings));
    let mut distinct: Vec<&Arg> = Vec::new();
    for setting in all {
        if distinct
            .iter()
            .all(|known| known.get_id() != setting.get_id())
        {
            distinct.push(setting);
        }
    }
    distinct
}

/// What a setting is called in the configuration file.
pub(crate) fn key(setting: &Arg) -> String {
    setting.get_long().unwrap_or_default().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::cli::Command as Subcommand;

    const SAY: [&str; 4] = ["say", "Hello.", "-o", "a.wav"];

    fn load(config: &str, flags: &[&str]) -> Result<SpeechSettings, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(config.as_bytes()).unwrap();
        let program = ["f5tts", "--config", file.path().to_str().unwrap()];
        let arguments: Vec<_> = [&program[..], &SAY, flags]
            .concat()
            .iter()
            .map(Into::into)
            .collect();
        match load_with(&arguments, &Environment::default()) {
            Ok(Cli { command: Subcommand::Say(say), .. }) => Ok(say.speech),
            Err(Failure::BadInput(error)) => Err(format!("{error:#}")),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_flag_beats_the_file_and_that_the_default() {
        let config = "seed = 1\nmethod = \"midpoint\"\nremove_silence = true\n";
        let loaded = load(config, &["--seed", "3"]).unwrap();
        assert_eq!(loaded.seed.map(u64::from), Some(3));
        assert_eq!(format!("{:?}", loaded.method), "Midpoint");
        assert!(loaded.remove_silence);
        assert_eq!(loaded.nfe_step, None);
    }

    #[test]
    fn an_unknown_key_is_named_with_the_known_ones() {
        let error = load("sped = 0.5\n", &[]).unwrap_err();
        assert!(error.contains("unknown setting `sped`"), "{error}");
        assert!(error.contains(" speed,"), "{error}");
    }

    #[test]
    fn a_bad_value_is_an_error_that_names_its_key() {
        let error = load("speed = 9\n", &[]).unwrap_err();
        assert!(error.contains("`speed`: speed is 9, allowed is 0.5 to 2"), "{error}");
        let error = load("speed = {}\n", &[]).unwrap_err();
        assert!(error.contains("`speed`: it takes a value, not a table"), "{error}");
        let error = load("speed = 1.0\nspeed", &[]).unwrap_err();
        assert!(error.contains("line 2"), "{error}");
    }

    #[test]
    fn a_file_that_was_named_must_be_there() {
        let arguments = ["f5tts", "--config", "/no/such/file.toml", "models", "list"];
        let arguments: Vec<_> = arguments.iter().map(Into::into).collect();
        let failure = load_with(&arguments, &Environment::default()).unwrap_err();
        assert!(format!("{failure:?}").contains("/no/such/file.toml"), "{failure:?}");
    }

    #[test]
    fn settings_have_names_of_their_own_and_an_explanation() {
        let command = Cli::command();
        let settings = settings(&command);
        for setting in &settings {
            assert!(setting.get_long().is_some(), "{setting:?}");
            assert!(setting.get_help().is_some(), "{setting:?}");
        }
        let mut keys: Vec<_> = settings.iter().map(|setting| key(setting)).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), settings.len());
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
