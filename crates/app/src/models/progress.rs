use std::{fmt, io::Write};

use indicatif::{ProgressBar, ProgressStyle};

use super::{KnownFile, KnownModel};

/// What is told of a download while it runs. Whoever does not care passes `&mut ()`.
pub(crate) trait DownloadObserver {
    /// Files of this model are about to be fetched: the time to show its licence.
    fn model(&mut self, _model: &KnownModel) {}
    /// A file of so many bytes is being fetched.
    fn start(&mut self, _file: &KnownFile, _bytes: u64) {}
    /// So many bytes more are there.
    fn advance(&mut self, _bytes: u64) {}
    /// All bytes of the file are lost and come again.
    fn restart(&mut self) {}
    /// The file is complete and undamaged.
    fn finish(&mut self, _file: &KnownFile) {}
    /// Whether to stop; what is there is kept.
    fn is_stopped(&self) -> bool {
        false
    }
}

impl DownloadObserver for () {}

/// Licences as lines and downloads as bars on standard error. Bars need a terminal, lines do not.
pub(crate) struct TerminalProgress {
    bar: ProgressBar,
    is_stopped: Box<dyn Fn() -> bool>,
}

impl TerminalProgress {
    /// Ends a download when `is_stopped` says so, as after Ctrl-C.
    pub(crate) fn new(is_stopped: impl Fn() -> bool + 'static) -> Self {
        Self { bar: ProgressBar::hidden(), is_stopped: Box::new(is_stopped) }
    }
}

impl fmt::Debug for TerminalProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TerminalProgress")
            .field("bar", &self.bar)
            .finish_non_exhaustive()
    }
}

/// A bar for a file of so many bytes.
pub(super) fn download_bar(name: &str, bytes: u64) -> ProgressBar {
    let template = "{msg} [{wide_bar}] {bytes}/{total_bytes} {bytes_per_sec} {eta}";
    let style = ProgressStyle::with_template(template).expect("the template is valid");
    ProgressBar::new(bytes)
        .with_style(style)
        .with_message(name.to_owned())
}

impl DownloadObserver for TerminalProgress {
    fn model(&mut self, model: &KnownModel) {
        let KnownModel { name, licence, terms, repository, .. } = model;
        let line = format!("{name} from {repository}, licence {licence}: {terms}");
        // Nobody is there to be told if this cannot be written.
        writeln!(std::io::stderr(), "{line}").ok();
    }

    fn start(&mut self, file: &KnownFile, bytes: u64) {
        self.bar = download_bar(file.name(), bytes);
    }

    fn advance(&mut self, bytes: u64) {
        self.bar.inc(bytes);
    }

    fn restart(&mut self) {
        self.bar.set_position(0);
    }

    fn finish(&mut self, _file: &KnownFile) {
        self.bar.finish();
    }

    fn is_stopped(&self) -> bool {
        (self.is_stopped)()
    }
}
