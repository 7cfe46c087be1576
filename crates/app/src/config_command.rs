//! `f5tts config`: every setting, its value and where it comes from.

use std::path::PathBuf;

use crate::{cli::ConfigArguments, config, failure::Failure, output::answer, table::table};

/// Does what was asked for.
pub(crate) fn run(arguments: &ConfigArguments, file: Option<PathBuf>) -> Result<(), Failure> {
    let settings = config::effective(file)?;
    answer(arguments.json, &settings, || {
        let head = ["SETTING", "VALUE", "FROM", ""].map(str::to_owned).to_vec();
        let lines = settings.iter().map(|setting| {
            let value = setting.value.clone().unwrap_or_else(|| "-".to_owned());
            let problem = setting.problem.clone().unwrap_or_default();
            vec![
                setting.setting.clone(),
                value,
                setting.origin.to_string(),
                problem,
            ]
        });
        table(&[head].into_iter().chain(lines).collect::<Vec<_>>())
    })?;
    match settings
        .iter()
        .filter(|setting| setting.problem.is_some())
        .count()
    {
        0 => Ok(()),
        problems => Err(Failure::bad_input(format!("{problems} settings cannot be used"))),
    }
}
