//! `f5tts models`: the models on this machine and on the hub.

use crate::{
    cli::{ModelsAction, ModelsArguments, NamedModelArguments},
    failure::{Failure, say},
    interrupt::stop_on_ctrl_c,
    models::{
        self, FetchedFile, FileCheck, FileState, ListedModel, ModelPaths, ModelsError,
        TerminalProgress,
    },
    output::answer,
    table::table,
};

/// Does what was asked for.
pub(crate) fn run(arguments: &ModelsArguments) -> Result<(), Failure> {
    match &arguments.action {
        ModelsAction::List(arguments) => {
            let models = models::list(&arguments.hub.for_models());
            answer(arguments.json, &models, || list_table(&models))
        }
        ModelsAction::Get(arguments) => on_hub(arguments).and_then(get),
        ModelsAction::Path(arguments) => on_hub(arguments).and_then(path),
        ModelsAction::Verify(arguments) => on_hub(arguments).and_then(verify),
    }
}

/// Refuses the model that is no file.
fn on_hub(arguments: &NamedModelArguments) -> Result<&NamedModelArguments, Failure> {
    if arguments.name == models::DEMO {
        let message =
            format!("the model {} is part of this program and has no files", models::DEMO);
        return Err(Failure::bad_input(message));
    }
    Ok(arguments)
}

fn get(arguments: &NamedModelArguments) -> Result<(), Failure> {
    let stop = stop_on_ctrl_c()?;
    let mut progress = TerminalProgress::new(move || stop.is_stopped());
    let fetched = models::get(&arguments.name, &arguments.hub.for_models(), &mut progress);
    if let Err(stopped @ ModelsError::Stopped { .. }) = &fetched {
        say(stopped);
        return Err(Failure::Interrupted);
    }
    let fetched = fetched?;
    answer(arguments.json, &fetched, || fetched_lines(&fetched))
}

fn path(arguments: &NamedModelArguments) -> Result<(), Failure> {
    let paths = models::path(&arguments.name, &arguments.hub.for_models())?;
    answer(arguments.json, &paths, || path_lines(&paths))
}

fn verify(arguments: &NamedModelArguments) -> Result<(), Failure> {
    let checks = models::verify(&arguments.name, &arguments.hub.for_models())?;
    answer(arguments.json, &checks, || check_table(&checks))?;
    let is_bad =
        |check: &&FileCheck| matches!(check.state, FileState::Damaged | FileState::Missing);
    match checks.iter().filter(is_bad).count() {
        0 => Ok(()),
        bad => Err(Failure::Failed(anyhow::anyhow!(
            "{bad} of {} files of {} are damaged or missing",
            checks.len(),
            arguments.name
        ))),
    }
}

fn list_table(models: &[ListedModel]) -> String {
    let header = ["NAME", "HERE", "SIZE", "LICENCE", ""].map(str::to_owned);
    let rows = models.iter().map(|model| {
        [
            model.name.clone(),
            if model.is_here { "yes" } else { "no" }.to_owned(),
            model.bytes.map(size).unwrap_or_default(),
            model.licence.to_owned(),
            model.about.to_owned(),
        ]
    });
    let mut table = table(&std::iter::once(header).chain(rows).collect::<Vec<_>>());
    if models.iter().any(|model| !model.is_here) {
        table.push_str("\n`f5tts models get NAME` fetches one.\n");
    }
    table
}

fn path_lines(paths: &ModelPaths) -> String {
    let paths = paths.files.iter().map(|file| file.path.display());
    lines(paths)
}

fn fetched_lines(files: &[FetchedFile]) -> String {
    lines(files.iter().map(|file| {
        let was_here = if file.was_here { " (was here)" } else { "" };
        format!("{}{was_here}", file.path.display())
    }))
}

fn check_table(checks: &[FileCheck]) -> String {
    let rows = checks.iter().map(|check| {
        let state = match check.state {
            FileState::Intact => "intact",
            FileState::Unverified => "readable, checksum unknown",
            FileState::Damaged => "DAMAGED: remove it and get the model again",
            FileState::Missing => "MISSING",
        };
        let path = check.path.as_ref().map(|path| path.display().to_string());
        [
            check.model.to_owned(),
            check.file.to_owned(),
            state.to_owned(),
            path.unwrap_or_default(),
        ]
    });
    table(&rows.collect::<Vec<_>>())
}

fn lines(items: impl Iterator<Item = impl std::fmt::Display>) -> String {
    items.map(|item| format!("{item}\n")).collect()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "files are smaller than 2^53 bytes"
)]
fn size(bytes: u64) -> String {
    match bytes as f64 {
        bytes if bytes < 1e6 => format!("{:.0} kB", bytes / 1e3),
        bytes if bytes < 1e9 => format!("{:.0} MB", bytes / 1e6),
        bytes => format!("{:.2} GB", bytes / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_readable() {
        assert_eq!(size(13_800), "14 kB");
        assert_eq!(size(1_348_435_761), "1.35 GB");
    }
}
