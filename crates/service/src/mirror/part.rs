//! A file on its way here.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    ops::Range,
    path::Path,
    sync::Arc,
};

use bytes::Bytes;
use futures::{StreamExt, stream};
use sha2::{Digest, Sha256};

use super::{
    MirrorError, MirrorEvent, MirrorOptions, Observer, Place, WantedFile, blocking,
    create_directory, hexadecimal, io_error,
    record::{Journal, Plan, Record},
    sync_directory,
};
use crate::storage::{ObjectKey, ObjectMeta, Storage, StorageError};

/// Bytes that are hashed at a time.
const HASH_BYTES: usize = 1 << 20;

/// One version of a file in the store, and where it is to go.
pub(super) struct Part<'a> {
    pub(super) storage: &'a Arc<dyn Storage>,
    pub(super) options: MirrorOptions,
    pub(super) key: &'a ObjectKey,
    pub(super) file: &'a WantedFile,
    pub(super) meta: ObjectMeta,
    pub(super) place: &'a Place,
}

impl Part<'_> {
    /// Fetches what is missing, checks it and gives the file its name.
    pub(super) async fn fetch(&self, observer: Observer<'_>) -> Result<(), MirrorError> {
        let plan = self.plan();
        let mut journal = self.open(&plan).await?;
        let arrived = journal
            .arrived
            .iter()
            .map(|part| length(&range(&plan, *part)))
            .sum();
        let path = &self.file.path;
        observer(MirrorEvent::Started { path, bytes: plan.size, arrived });
        let missing: Vec<_> = (0..plan.parts())
            .filter(|part| !journal.arrived.contains(part))
            .collect();
        let mut fetches = stream::iter(missing)
            .map(|part| self.fetch_part(part, range(&plan, part)))
            .buffer_unordered(self.options.parallel);
        while let Some(fetched) = fetches.next().await {
            let part = fetched?;
            journal.note(part, &self.place.journal)?;
            observer(MirrorEvent::Advanced(length(&range(&plan, part))));
        }
        drop(fetches);
        self.finish().await?;
        observer(MirrorEvent::Finished(path));
        Ok(())
    }

    fn plan(&self) -> Plan {
        Plan {
            version: self
                .meta
                .version
                .as_ref()
                .map(|version| version.as_str().to_owned()),
            size: self.meta.size,
            part_bytes: self.options.part_bytes,
        }
    }

    /// Makes room for the file, or finds what an earlier run left.
    async fn open(&self, plan: &Plan) -> Result<Journal, MirrorError> {
        let (place, plan) = (self.place.clone(), plan.clone());
        blocking(move || {
            create_directory(place.part.parent().unwrap_or(&place.part))?;
            let here = fs::metadata(&place.part).map(|part| part.len()).ok();
            if here != Some(plan.size) {
                // A journal without its file tells nothing.
                remove(&place.journal)?;
            }
            let journal = Journal::open(&place.journal, &plan)?;
            let mut options = OpenOptions::new();
            options.create(true).truncate(false).write(true);
            options
                .open(&place.part)
                .and_then(|part| part.set_len(plan.size))
                .map_err(io_error("write", &place.part))?;
            Ok(journal)
        })
        .await
    }

    async fn fetch_part(&self, part: u64, range: Range<u64>) -> Result<u64, MirrorError> {
        let error =
            |source| MirrorError::Storage { path: self.file.path.as_str().to_owned(), source };
        let version = self.meta.version.as_ref();
        let read = self
            .storage
            .get_range(self.key, range.clone(), version)
            .await;
        let bytes = read.map_err(error)?.bytes;
        if bytes.len() as u64 != length(&range) {
            return Err(error(StorageError::Changed { key: self.key.to_string() }));
        }
        let path = self.place.part.clone();
        blocking(move || write(&path, range.start, &bytes).map_err(io_error("write", &path)))
            .await?;
        Ok(part)
    }

    /// Checks the file and gives it its name.
    async fn finish(&self) -> Result<(), MirrorError> {
        let (place, meta) = (self.place.clone(), self.meta.clone());
        let (path, wanted) = (self.file.path.as_str().to_owned(), self.file.sha256.clone());
        blocking(move || {
            let found = sha256(&place.part).map_err(io_error("read", &place.part))?;
            if let Some(expected) = wanted.filter(|wanted| *wanted != found) {
                remove(&place.journal)?;
                remove(&place.part)?;
                return Err(MirrorError::Damaged { path, found, expected });
            }
            let parent = place.file.parent().unwrap_or(&place.file);
            create_directory(parent)?;
            File::open(&place.part)
                .and_then(|part| part.sync_all())
                .map_err(io_error("write", &place.part))?;
            fs::rename(&place.part, &place.file).map_err(io_error("write", &place.file))?;
            sync_directory(parent)?;
            Record::new(&meta, found).write(&place.record)?;
            remove(&place.journal)
        })
        .await
    }
}

fn range(plan: &Plan, part: u64) -> Range<u64> {
    let start = part * plan.part_bytes;
    start..(start + plan.part_bytes).min(plan.size)
}

const fn length(range: &Range<u64>) -> u64 {
    range.end - range.start
}

/// Writes bytes into the middle of a file, and on the disk.
fn write(path: &Path, start: u64, bytes: &Bytes) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.seek(SeekFrom::Start(start))?;
    file.write_all(bytes)?;
    file.sync_data()
}

fn remove(path: &Path) -> Result<(), MirrorError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(io_error("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// The SHA-256 of a file in hexadecimal digits.
pub(super) fn sha256(path: &Path) -> io::Result<String> {
    let (mut file, mut buffer) = (File::open(path)?, vec![0; HASH_BYTES]);
    let mut hasher = Sha256::new();
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hexadecimal(&hasher.finalize())),
            count => hasher.update(&buffer[..count]),
        }
    }
}
