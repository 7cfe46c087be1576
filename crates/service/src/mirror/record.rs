//! What is remembered of a file that is here, and of one that is on its way.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io::{Read, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::{MirrorError, create_directory, io_error};
use crate::storage::ObjectMeta;

/// Longest record that is read.
const MAX_RECORD_BYTES: u64 = 64 << 10;
/// Longest journal that is read: a terabyte in parts of the usual size.
const MAX_JOURNAL_BYTES: u64 = 1 << 20;

/// Which version a file is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) version: Option<String>,
    pub(super) size: u64,
    pub(super) sha256: String,
}

impl Record {
    pub(super) fn new(meta: &ObjectMeta, sha256: String) -> Self {
        let version = meta
            .version
            .as_ref()
            .map(|version| version.as_str().to_owned());
        Self { version, size: meta.size, sha256 }
    }

    /// A record that cannot be read is none.
    pub(super) fn read(path: &Path) -> Option<Self> {
        serde_json::from_str(&read_text(path, MAX_RECORD_BYTES)?).ok()
    }

    /// Writes the record so that no reader sees half of it.
    pub(super) fn write(&self, path: &Path) -> Result<(), MirrorError> {
        let text = serde_json::to_string(self).expect("numbers and texts are JSON");
        let draft = path.with_extension("draft");
        create_directory(path.parent().unwrap_or(path))?;
        fs::write(&draft, text).map_err(io_error("write", &draft))?;
        fs::rename(&draft, path).map_err(io_error("write", path))
    }
}

/// Which parts of a file have arrived: a line of what the file is, then one for each part.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    pub(super) arrived: BTreeSet<u64>,
}

/// What the parts are parts of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) version: Option<String>,
    pub(super) size: u64,
    pub(super) part_bytes: u64,
}

impl Plan {
    pub(super) const fn parts(&self) -> u64 {
        self.size.div_ceil(self.part_bytes)
    }
}

impl Journal {
    /// Goes on with a journal, if it is of the same plan, and begins a new one otherwise.
    pub(super) fn open(path: &Path, plan: &Plan) -> Result<Self, MirrorError> {
        let known = read_text(path, MAX_JOURNAL_BYTES).and_then(|text| parse(&text, plan));
        let is_new = known.is_none();
        let error = io_error("write", path);
        let mut options = OpenOptions::new();
        let mut file = options
            .create(true)
            .append(true)
            .open(path)
            .map_err(&error)?;
        if is_new {
            let plan = serde_json::to_string(plan).expect("numbers and texts are JSON");
            file.set_len(0)
                .and_then(|()| file.write_all(format!("{plan}\n").as_bytes()))
                .map_err(&error)?;
        }
        Ok(Self { file, arrived: known.unwrap_or_default() })
    }

    /// Notes a part whose bytes are on the disk.
    pub(super) fn note(&mut self, part: u64, path: &Path) -> Result<(), MirrorError> {
        self.arrived.insert(part);
        // The line before may have been cut off by a power failure; an empty line does no harm.
        self.file
            .write_all(format!("\n{part}\n").as_bytes())
            .map_err(io_error("write", path))
    }
}

/// The parts of a journal, if it is one of this plan. A line that is no number was cut off.
fn parse(text: &str, plan: &Plan) -> Option<BTreeSet<u64>> {
    let (first, rest) = text.split_once('\n')?;
    let is_resumable = plan.version.is_some() && serde_json::from_str::<Plan>(first).ok()? == *plan;
    // What follows the last end of a line may be the beginning of a longer number.
    let complete = rest.rsplit_once('\n').map_or("", |(complete, _)| complete);
    let parts = complete.lines().filter_map(|line| line.parse().ok());
    is_resumable.then(|| parts.filter(|part| *part < plan.parts()).collect())
}

fn read_text(path: &Path, limit: u64) -> Option<String> {
    let mut text = String::new();
    let file = File::open(path).ok()?;
    let read = file.take(limit + 1).read_to_string(&mut text).ok()?;
    (read as u64 <= limit).then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plan() -> Plan {
        Plan { version: Some("\"a\"".to_owned()), size: 95, part_bytes: 10 }
    }

    #[test]
    fn a_journal_is_gone_on_with() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        let mut journal = Journal::open(&path, &plan()).unwrap();
        journal.note(3, &path).unwrap();
        journal.note(9, &path).unwrap();
        assert_eq!(Journal::open(&path, &plan()).unwrap().arrived, BTreeSet::from([3, 9]));
        for other in [
            Plan { version: Some("\"b\"".to_owned()), ..plan() },
            Plan { version: None, ..plan() },
            Plan { size: 96, ..plan() },
            Plan { part_bytes: 11, ..plan() },
        ] {
            Journal::open(&path, &plan())
                .unwrap()
                .note(1, &path)
                .unwrap();
            assert_eq!(Journal::open(&path, &other).unwrap().arrived, BTreeSet::new());
        }
    }

    #[test]
    fn a_journal_that_was_cut_off_tells_no_lies() {
        let whole = format!("{}\n\n1\n\n12\n", serde_json::to_string(&plan()).unwrap());
        for end in 0..whole.len() {
            let parts = parse(&whole[..end], &plan()).unwrap_or_default();
            assert!(parts.is_subset(&BTreeSet::from([1])), "{:?}", &whole[..end]);
        }
    }

    proptest! {
        #[test]
        fn any_journal_is_read(text in ".{0,60}", parts in prop::collection::vec(any::<u64>(), 0..9)) {
            let plan = plan();
            let mut journal = serde_json::to_string(&plan).unwrap() + "\n" + &text + "\n";
            journal.extend(parts.iter().map(|part| format!("{part}\n")));
            for text in [&text, &journal] {
                prop_assert!(parse(text, &plan).unwrap_or_default().iter().all(|part| *part < plan.parts()));
            }
        }
    }
}
