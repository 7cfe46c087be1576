//! Files that tell when each word is spoken.

use std::path::{Path, PathBuf};

use f5tts_engine::{align::WordTiming, subtitles::Format};

use crate::{
    failure::{Failure, OrBadInput},
    output::Output,
};

/// A file of times, found writable before the work begins.
#[derive(Debug)]
pub(crate) struct TimingFile {
    output: Output,
    format: Format,
}

impl TimingFile {
    /// Takes paths whose extensions tell the formats.
    pub(crate) fn all(paths: &[PathBuf]) -> Result<Vec<Self>, Failure> {
        paths.iter().map(|path| Self::new(path)).collect()
    }

    fn new(path: &Path) -> Result<Self, Failure> {
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        let in_name = || format!("the name `{}` of a timing file", path.display());
        let format = extension.parse::<Format>().or_bad_input_in(in_name())?;
        Ok(Self { output: Output::new(path)?, format })
    }

    pub(crate) fn write(&self, words: &[WordTiming]) -> anyhow::Result<()> {
        self.output.write(self.format.write(words).as_bytes())
    }
}
