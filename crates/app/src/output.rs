//! Where results go: files that are replaced in one step, and standard output.

use std::{
    fs,
    io::{self, ErrorKind, IsTerminal, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow, ensure};
use serde::Serialize;
use tempfile::{Builder, NamedTempFile};

use crate::failure::{Failure, OrBadInput};

/// A place that was found writable before the work begins.
#[derive(Debug)]
pub(crate) enum Output {
    /// A regular file, there or not: replaced at once, so that nobody ever sees half of it.
    File(PathBuf),
    /// A device, a pipe or the like.
    Special(PathBuf),
    /// Standard output.
    Standard,
}

impl Output {
    /// Takes a path, or `-` for standard output, and checks that it can be written.
    pub(crate) fn new(path: &Path) -> Result<Self, Failure> {
        if path == Path::new("-") {
            return Self::standard();
        }
        Self::at(path).or_bad_input_in(format!("cannot write `{}`", path.display()))
    }

    fn standard() -> Result<Self, Failure> {
        if io::stdout().is_terminal() {
            let message =
                "standard output is a terminal: pipe it into a program or a file, or name a file";
            return Err(Failure::bad_input(message));
        }
        Ok(Self::Standard)
    }

    fn at(path: &Path) -> anyhow::Result<Self> {
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => Err(anyhow!("it is a directory")),
            Ok(found) if !found.is_file() => Ok(Self::Special(path.to_owned())),
            Ok(found) if found.permissions().readonly() => Err(anyhow!("it is write-protected")),
            Ok(_) => {
                // The file that a link points to is replaced, not the link.
                let path = fs::canonicalize(path)?;
                temporary_beside(&path)?.close()?;
                Ok(Self::File(path))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                ensure!(path.file_name().is_some(), "it names no file");
                temporary_beside(path)?.close()?;
                Ok(Self::File(path.to_owned()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Writes all of it, or nothing.
    pub(crate) fn write(&self, bytes: &[u8]) -> anyhow::Result<()> {
        match self {
            Self::File(path) => replace(path, bytes)
                .with_context(|| format!("could not write `{}`", path.display())),
            Self::Special(path) => fs::write(path, bytes)
                .with_context(|| format!("could not write `{}`", path.display())),
            Self::Standard => write_to_standard_output(bytes),
        }
    }

    /// What people call it.
    pub(crate) fn is_standard(&self) -> bool {
        matches!(self, Self::Standard)
    }
}

/// Prints results. A reader that has seen enough, as in `| head`, is no error.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut output = io::stdout().lock();
    match output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
    {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.context("could not write to standard output"),
    }
}

/// JSON for programs, else a text for people.
pub(crate) fn answer<T: Serialize>(
    json: bool,
    value: &T,
    for_people: impl FnOnce() -> String,
) -> Result<(), Failure> {
    let text = if json {
        serde_json::to_string_pretty(value).context("could not write JSON")? + "\n"
    } else {
        for_people()
    };
    Ok(print(&text)?)
}

fn write_to_standard_output(bytes: &[u8]) -> anyhow::Result<()> {
    let mut output = io::stdout().lock();
    output
        .write_all(bytes)
        .and_then(|()| output.flush())
        .context("could not write to standard output")
}

fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut file = temporary_beside(path)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    if let Ok(before) = fs::metadata(path) {
        file.as_file().set_permissions(before.permissions())?;
    }
    file.persist(path)?;
    Ok(())
}

/// In the same directory, since only within a file system a file can be renamed.
fn temporary_beside(path: &Path) -> anyhow::Result<NamedTempFile> {
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    ensure!(directory.is_dir(), "there is no directory `{}`", directory.display());
    let mut builder = Builder::new();
    builder.prefix(".f5tts-").suffix(".tmp");
    with_usual_permissions(&mut builder);
    builder.tempfile_in(directory).map_err(|error| {
        // The error names the temporary file, of which nobody has heard.
        let cause = io::Error::from(error.kind());
        anyhow!(cause).context(format!("no file can be created in `{}`", directory.display()))
    })
}

#[cfg(unix)]
fn with_usual_permissions(builder: &mut Builder<'_, '_>) {
    use std::os::unix::fs::PermissionsExt;
    // Less the umask, as for every new file; temporary files are private otherwise.
    builder.permissions(fs::Permissions::from_mode(0o666));
}

#[cfg(not(unix))]
fn with_usual_permissions(_: &mut Builder<'_, '_>) {}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn checking_leaves_everything_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.wav");
        Output::new(&path).unwrap();
        assert_eq!(names(directory.path()), [""; 0]);
        fs::write(&path, "before").unwrap();
        Output::new(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"before");
    }

    #[test]
    fn writing_replaces_and_leaves_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.wav");
        fs::write(&path, "before").unwrap();
        Output::new(&path).unwrap().write(b"after").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"after");
        assert_eq!(names(directory.path()), ["a.wav"]);
    }

    #[test]
    fn places_that_cannot_be_written_say_why() {
        let directory = tempfile::tempdir().unwrap();
        let cases = [
            (directory.path().to_owned(), "it is a directory"),
            (directory.path().join("none/a.wav"), "there is no directory"),
        ];
        for (path, expected) in cases {
            let Err(Failure::BadInput(error)) = Output::new(&path) else {
                panic!("{path:?}")
            };
            let error = format!("{error:#}");
            assert!(error.contains(expected) && error.contains("cannot write"), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_links_and_modes_stay_modes() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let directory = tempfile::tempdir().unwrap();
        let (target, link) = (directory.path().join("target"), directory.path().join("link"));
        fs::write(&target, "before").unwrap();
        fs::set_permissions(&target, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&target, &link).unwrap();
        Output::new(&link).unwrap().write(b"after").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"after");
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn devices_are_written_and_full_ones_say_so() {
        Output::new(Path::new("/dev/null"))
            .unwrap()
            .write(b"x")
            .unwrap();
        let error = Output::new(Path::new("/dev/full"))
            .unwrap()
            .write(b"x")
            .unwrap_err();
        assert!(format!("{error:#}").contains("No space left"), "{error:#}");
    }
}
