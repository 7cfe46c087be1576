//! Pages that come from the definition of the command line: completions, the manual, the documentation.

use anyhow::Context;
use clap::{Arg, ArgAction, Command, CommandFactory, ValueEnum};
use clap_complete::Shell;

use crate::{
    cli::Cli,
    config::{self, OTHER_NAMES, is_secret},
    failure::Failure,
    output::print,
};

/// A page of the documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Page {
    /// docs/cli.md
    Cli,
    /// docs/configuration.md
    Configuration,
}

/// Prints completions for a shell.
pub(crate) fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "f5tts", &mut script);
    Ok(print(&String::from_utf8_lossy(&script))?)
}

/// Prints the manual page.
pub(crate) fn man() -> Result<(), Failure> {
    let mut page = Vec::new();
    clap_mangen::Man::new(without_values(Cli::command()))
        .render(&mut page)
        .context("could not write the page")?;
    for command in visible_subcommands(&built()) {
        let name = format!("f5tts-{}", command.get_name());
        let manual = clap_mangen::Man::new(command.clone().name(name));
        manual
            .render(&mut page)
            .context("could not write the page")?;
    }
    Ok(print(&String::from_utf8_lossy(&page))?)
}

/// Prints a page of the documentation.
pub(crate) fn markdown(page: Page) -> Result<(), Failure> {
    let text = match page {
        Page::Cli => cli(),
        Page::Configuration => configuration(),
    };
    Ok(print(&text)?)
}

/// The command line with all that clap adds to it.
fn built() -> Command {
    let mut command = without_values(Cli::command().term_width(100));
    command.build();
    command
}

/// The values of the environment are no part of a page.
fn without_values(command: Command) -> Command {
    command
        .mut_args(|argument| argument.hide_env_values(true))
        .mut_subcommands(without_values)
}

fn visible_subcommands(command: &Command) -> impl Iterator<Item = &Command> {
    command
        .get_subcommands()
        .filter(|command| !command.is_hide_set() && command.get_name() != "help")
}

fn cli() -> String {
    let mut page = String::from(
        "# The command line\n\n\
         What `f5tts help` and `f5tts help COMMAND` say. This page is written by `f5tts page cli`.\n",
    );
    add_help(&mut page, &built(), "f5tts");
    page
}

fn add_help(page: &mut String, command: &Command, path: &str) {
    let help = command.clone().render_long_help().to_string();
    let lines: Vec<_> = help.lines().map(str::trim_end).collect();
    page.push_str(&format!("\n## {path}\n\n```text\n{}\n```\n", lines.join("\n").trim_end()));
    for subcommand in visible_subcommands(command) {
        add_help(page, subcommand, &format!("{path} {}", subcommand.get_name()));
    }
}

fn configuration() -> String {
    let command = Cli::command();
    let mut page = String::from(CONFIGURATION_BEGIN);
    for setting in config::settings(&command) {
        page.push_str(&row(setting));
    }
    page.push_str(OTHER_NAMES_BEGIN);
    for (name, other) in OTHER_NAMES {
        page.push_str(&format!("| `{other}` | `{name}` |\n"));
    }
    page.push_str(CONFIGURATION_END);
    page
}

const CONFIGURATION_BEGIN: &str = "# Configuration

A setting may stand in four places. The first that has it counts:

1. a flag: `--nfe-step 16`
2. the environment: `F5TTS_NFE_STEP=16`. An empty variable counts as none. Variables without `F5TTS_` are those of other tools; with it, they are ours alone (`F5TTS_HF_TOKEN`).
3. the configuration file: `nfe_step = 16`. It is TOML and lies at `--config`, else `F5TTS_CONFIG`, else `f5tts/config.toml` in `$XDG_CONFIG_HOME` or `~/.config`. A key that is no setting is an error.
4. the default

A secret may also lie in a file that `NAME_FILE` names (`HF_TOKEN_FILE=/run/secrets/token`); it comes after `NAME` itself. Secrets are never printed.

```toml
# ~/.config/f5tts/config.toml
model = \"F5TTS_v1_Base\"
quality = \"balanced\"
voices_dir = \"/home/anna/voices\"
add_voice = [\"anna=/home/anna/me.wav\"]
remove_silence = true
```

This page is written by `f5tts page configuration`.

| Flag | Variable | Key | Default | Meaning |
|---|---|---|---|---|
";

const OTHER_NAMES_BEGIN: &str = "
These names of other tools count, too, after the variable that they stand for, its `F5TTS_NAME` and its `NAME_FILE`:

| Variable | Stands for |
|---|---|
";

const CONFIGURATION_END: &str = "
Models are looked for in these directories, one after the other, and fetched into the first that is set: `--models-dir`, `HF_HUB_CACHE`, `hub` in `HF_HOME`, `TRANSFORMERS_CACHE`, and `huggingface/hub` in `$XDG_CACHE_HOME` or `~/.cache`.
";

fn row(setting: &Arg) -> String {
    let flag = setting.get_long().unwrap_or_default();
    let variable = setting.get_env().unwrap_or_default().to_string_lossy();
    let value = if takes_value(setting) {
        value_name(setting)
    } else {
        String::new()
    };
    let defaults: Vec<_> = setting
        .get_default_values()
        .iter()
        .map(|value| format!("`{}`", value.to_string_lossy()))
        .collect();
    let secret = if is_secret(setting) {
        "; or `_FILE`"
    } else {
        ""
    };
    let key = match config::key(setting) {
        key if key == "config" => String::new(),
        key => format!("`{key}`"),
    };
    let help = setting
        .get_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    format!(
        "| `--{flag}{value}` | `{variable}`{secret} | {key} | {} | {} |\n",
        defaults.join(", "),
        help.replace('|', "\\|")
    )
}

fn takes_value(setting: &Arg) -> bool {
    matches!(setting.get_action(), ArgAction::Set | ArgAction::Append)
}

fn value_name(setting: &Arg) -> String {
    let names = setting.get_value_names().unwrap_or_default();
    let names: Vec<_> = names
        .iter()
        .map(|name| name.as_str().replace('|', "\\|"))
        .collect();
    format!(" {}", names.join(" "))
}
