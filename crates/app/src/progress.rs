//! What is shown while a text is spoken, and what is kept of the stages.

use std::time::Duration;

use f5tts_engine::{Observer, Progress};
use indicatif::{ProgressBar, ProgressStyle};

use crate::stage_dump::StageDump;

const TICK: Duration = Duration::from_millis(200);

/// A line on standard error while there is something to wait for; nothing where that is no terminal.
#[derive(Debug)]
pub(crate) struct ProgressLine {
    bar: ProgressBar,
}

impl ProgressLine {
    /// Begins with a message; a quiet one stays hidden.
    pub(crate) fn start(message: &'static str, quiet: bool) -> Self {
        let bar = if quiet {
            ProgressBar::hidden()
        } else {
            ProgressBar::new_spinner()
        };
        bar.set_message(message);
        bar.enable_steady_tick(TICK);
        Self { bar }
    }

    /// Takes the line away.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }

    fn show(&self, progress: Progress) {
        if self.bar.length() != Some(progress.evaluations as u64) {
            self.bar.set_style(style());
            self.bar.set_length(progress.evaluations as u64);
            // The estimate begins here, not where the model was loaded.
            self.bar.reset_eta();
        }
        self.bar.set_position(progress.evaluations_done as u64);
        self.bar.set_message(if progress.chunks > 1 {
            format!("chunk {} of {}", progress.chunk + 1, progress.chunks)
        } else {
            String::new()
        });
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:30} {pos}/{len} evaluations, {eta} left  {msg}")
        .expect("the template is right")
}

/// Shows progress and keeps the stages.
#[derive(Debug)]
pub(crate) struct Watch<'a> {
    pub(crate) line: &'a ProgressLine,
    pub(crate) stages: Option<StageDump>,
}

impl Observer for Watch<'_> {
    fn progress(&mut self, progress: Progress) {
        self.line.show(progress);
    }

    fn stage(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        if let Some(stages) = &mut self.stages {
            stages.write(name, shape, values);
        }
    }
}
