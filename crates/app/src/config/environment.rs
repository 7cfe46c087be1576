use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::{Arg, Command};

use super::{Defaults, settings};
use crate::failure::{Failure, OrBadInput};

/// What our own variables begin with.
const PREFIX: &str = "F5TTS_";
/// Other names of variables: those of RunPod's Python package, and of AWS's older tools.
pub(crate) const OTHER_NAMES: [(&str, &str); 4] = [
    ("AWS_ENDPOINT_URL", "BUCKET_ENDPOINT_URL"),
    ("AWS_ACCESS_KEY_ID", "BUCKET_ACCESS_KEY_ID"),
    ("AWS_SECRET_ACCESS_KEY", "BUCKET_SECRET_ACCESS_KEY"),
    ("AWS_REGION", "AWS_DEFAULT_REGION"),
];
/// No secret is longer.
const MAX_SECRET_BYTES: u64 = 64 << 10;

/// The environment variables of the process.
#[derive(Debug, Default)]
pub(super) struct Environment {
    variables: HashMap<OsString, OsString>,
}

impl Environment {
    pub(super) fn of_this_process() -> Self {
        Self { variables: std::env::vars_os().collect() }
    }

    #[cfg(test)]
    pub(super) fn with(variables: &[(&str, &str)]) -> Self {
        let variables = variables
            .iter()
            .map(|&(name, value)| (name.into(), value.into()));
        Self { variables: variables.collect() }
    }

    pub(super) fn is_empty(&self, name: &OsStr) -> bool {
        self.variables
            .get(name)
            .is_some_and(|value| value.is_empty())
    }

    /// Gives settings what stands in variables that clap does not know: `F5TTS_NAME` for a `NAME`
    /// that other tools have, too, and for secrets `NAME_FILE`, the path of a file with the value.
    pub(super) fn fill(&self, command: &Command, defaults: &mut Defaults) -> Result<(), Failure> {
        for setting in settings(command) {
            let name = setting
                .get_env()
                .and_then(OsStr::to_str)
                .unwrap_or_default();
            if !name.starts_with(PREFIX)
                && let Some(value) = self.get(&format!("{PREFIX}{name}"))
            {
                defaults.give(setting, vec![value.to_owned()]);
            }
            if is_secret(setting)
                && let Some(path) = self.get(&format!("{name}_FILE"))
            {
                let secret =
                    read_secret(Path::new(path)).or_bad_input_in(format!("`{name}_FILE`"))?;
                defaults.give(setting, vec![secret.into()]);
            }
            for (_, other) in OTHER_NAMES.iter().filter(|(known, _)| *known == name) {
                if let Some(value) = self.get(other) {
                    defaults.give(setting, vec![value.to_owned()]);
                }
            }
        }
        Ok(())
    }

    /// The configuration file that is read if none is named.
    pub(super) fn default_config(&self) -> Option<PathBuf> {
        let directory = match self.get("XDG_CONFIG_HOME") {
            Some(directory) => PathBuf::from(directory),
            None => Path::new(self.get("HOME")?).join(".config"),
        };
        Some(directory.join("f5tts/config.toml"))
    }

    /// A variable that is set and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&OsStr> {
        let value = self.variables.get(OsStr::new(name))?;
        (!value.is_empty()).then_some(value)
    }
}

/// Whether the value must not be shown.
pub(crate) fn is_secret(setting: &Arg) -> bool {
    setting.is_hide_env_values_set()
}

fn read_secret(path: &Path) -> anyhow::Result<String> {
    let in_path = || format!("could not read `{}`", path.display());
    let bytes = std::fs::metadata(path).with_context(in_path)?.len();
    anyhow::ensure!(
        bytes <= MAX_SECRET_BYTES,
        "`{}` has {bytes} bytes, at most {MAX_SECRET_BYTES} are allowed for a secret",
        path.display()
    );
    let secret = std::fs::read_to_string(path).with_context(in_path)?;
    Ok(secret.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    fn token(variables: &[(&str, &str)]) -> Option<OsString> {
        let mut defaults = Defaults::default();
        Environment::with(variables)
            .fill(&Cli::command(), &mut defaults)
            .unwrap();
        defaults
            .values
            .get("hf_token")
            .map(|values| values[0].clone())
    }

    #[test]
    fn a_secret_may_stand_in_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hf_abc\n").unwrap();
        let path = file.path().to_str().unwrap();
        assert_eq!(token(&[("HF_TOKEN_FILE", path)]), Some("hf_abc".into()));
        assert_eq!(
            token(&[("F5TTS_HF_TOKEN", "hf_x"), ("HF_TOKEN_FILE", path)]),
            Some("hf_x".into())
        );
        assert_eq!(token(&[("HF_TOKEN_FILE", "")]), None);
    }

    #[test]
    fn other_names_count_after_the_usual_ones() {
        let region = |variables: &[(&str, &str)]| {
            let mut defaults = Defaults::default();
            let environment = Environment::with(variables);
            environment.fill(&Cli::command(), &mut defaults).unwrap();
            defaults
                .values
                .get("aws_region")
                .map(|values| values[0].clone())
        };
        let other = ("AWS_DEFAULT_REGION", "eu-west-1");
        assert_eq!(region(&[other]), Some("eu-west-1".into()));
        assert_eq!(region(&[("F5TTS_AWS_REGION", "us-west-2"), other]), Some("us-west-2".into()));
    }

    #[test]
    fn the_default_file_follows_xdg() {
        let config = |variables| Environment::with(variables).default_config();
        assert_eq!(config(&[]), None);
        assert_eq!(config(&[("HOME", "/h")]), Some("/h/.config/f5tts/config.toml".into()));
        let both = [("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")];
        assert_eq!(config(&both), Some("/x/f5tts/config.toml".into()));
    }
}
