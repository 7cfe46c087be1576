//! Models of the bucket: brought into the cache before the model is looked for.

use std::sync::{Arc, Mutex, PoisonError};

use f5tts_service::{
    mirror::{Mirror, MirrorError, MirrorEvent, MirrorOptions, Mirrored, WantedFile},
    storage::{FilePath, Repository, Storage},
};
use indicatif::ProgressBar;

use super::{
    cache::{BUCKET, Caches},
    catalogue::{KnownModel, OFFICIAL},
    progress::download_bar,
    settings::HubSettings,
};

/// Brings what is missing of a model from the bucket; what the bucket lacks, too, stays missing.
///
/// `auto` prefers the official model. Names that are not known are paths, and nothing is done.
pub(crate) async fn fetch_from_bucket(
    model: &str,
    settings: &HubSettings,
    storage: &Arc<dyn Storage>,
) -> Result<(), MirrorError> {
    let name = if model == "auto" { OFFICIAL } else { model };
    match KnownModel::find(name) {
        Some(known) => fetch(known.with_vocoder(), settings, storage).await,
        None => Ok(()),
    }
}

/// Brings what is missing of a Whisper model from the bucket.
pub(crate) async fn fetch_whisper_from_bucket(
    repository: &str,
    settings: &HubSettings,
    storage: &Arc<dyn Storage>,
) -> Result<(), MirrorError> {
    match KnownModel::whisper(repository) {
        Some(model) => fetch(std::iter::once(model), settings, storage).await,
        None => Ok(()),
    }
}

async fn fetch(
    parts: impl Iterator<Item = &'static KnownModel>,
    settings: &HubSettings,
    storage: &Arc<dyn Storage>,
) -> Result<(), MirrorError> {
    let caches = Caches::new(settings);
    let Some(target) = caches.target() else {
        return Ok(());
    };
    let options = MirrorOptions::default();
    let mirror = Mirror::new(Arc::clone(storage), target.join(BUCKET), options);
    for part in parts {
        if caches.missing(part).is_empty() {
            continue;
        }
        // Those that not every model has come last: without one of the others they are of no use.
        let mut files: Vec<_> = part.files.iter().collect();
        files.sort_by_key(|file| file.role.is_optional());
        let absent = files
            .into_iter()
            .filter(|file| caches.find(part, file).is_none());
        let wanted: Vec<_> = absent.filter_map(wanted).collect();
        let Ok(repository) = Repository::try_from(part.repository) else {
            continue;
        };
        if wanted.is_empty() {
            continue;
        }
        let bar = Bar::default();
        let mirrored = mirror
            .mirror(&repository, &wanted, &|event| bar.show(event))
            .await?;
        for (file, state) in wanted.iter().zip(&mirrored) {
            let path = file.path.as_str();
            match state {
                Mirrored::Fetched(_) => tracing::info!(path, "fetched from the bucket"),
                Mirrored::Missing => tracing::info!(path, "not in the bucket"),
                Mirrored::Present(_) => {}
            }
        }
        if mirrored.contains(&Mirrored::Missing) {
            break; // Without one file the others are of no use.
        }
    }
    Ok(())
}

fn wanted(file: &super::KnownFile) -> Option<WantedFile> {
    let path = FilePath::try_from(file.path).ok()?;
    Some(WantedFile { path, sha256: file.sha256.map(str::to_owned) })
}

/// A bar on standard error for each file, where that is a terminal.
struct Bar(Mutex<ProgressBar>);

impl Default for Bar {
    fn default() -> Self {
        Self(Mutex::new(ProgressBar::hidden()))
    }
}

impl Bar {
    fn show(&self, event: MirrorEvent<'_>) {
        let mut bar = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            MirrorEvent::Waiting => tracing::info!("another process fetches the same model"),
            MirrorEvent::Started { path, bytes, arrived } => {
                *bar = download_bar(path.as_str(), bytes).with_position(arrived);
            }
            MirrorEvent::Advanced(bytes) => bar.inc(bytes),
            MirrorEvent::Finished(_) => bar.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use f5tts_service::storage::{MemoryStorage, ObjectKey};

    use super::{
        super::catalogue::{Kind, KnownFile, Role},
        *,
    };

    static SMALL: KnownModel = KnownModel {
        name: "small",
        kind: Kind::Speech,
        repository: "somebody/small",
        licence: "MIT",
        terms: "",
        about: "",
        preset: None,
        files: &[
            KnownFile {
                path: "a/model.safetensors",
                role: Role::Checkpoint,
                bytes: Some(5),
                sha256: None,
            },
            KnownFile {
                path: "a/vocab.txt",
                role: Role::Vocab,
                bytes: None,
                sha256: None,
            },
        ],
    };

    async fn store(files: &[(&str, &'static str)]) -> Arc<dyn Storage> {
        let storage = MemoryStorage::new();
        for (path, content) in files {
            let key = ObjectKey::ModelFile {
                repository: Repository::try_from(SMALL.repository).unwrap(),
                path: FilePath::try_from(*path).unwrap(),
            };
            storage.put(&key, (*content).into()).await.unwrap();
        }
        Arc::new(storage)
    }

    #[tokio::test]
    async fn a_model_of_the_bucket_is_found_in_the_cache() {
        let place = tempfile::tempdir().unwrap();
        let settings = HubSettings {
            models_dir: Some(place.path().to_owned()),
            ..HubSettings::default()
        };
        let storage = store(&[("a/model.safetensors", "12345"), ("a/vocab.txt", "a\n")]).await;
        fetch([&SMALL].into_iter(), &settings, &storage)
            .await
            .unwrap();
        let caches = Caches::new(&settings);
        assert!(caches.missing(&SMALL).is_empty());
        let checkpoint = caches.find(&SMALL, &SMALL.files[0]).unwrap();
        assert!(checkpoint.ends_with("f5tts-bucket/somebody--small/a/model.safetensors"));
        assert_eq!(std::fs::read_to_string(checkpoint).unwrap(), "12345");
    }

    #[tokio::test]
    async fn what_the_bucket_lacks_stays_missing() {
        let place = tempfile::tempdir().unwrap();
        let settings = HubSettings {
            models_dir: Some(place.path().to_owned()),
            ..HubSettings::default()
        };
        let storage = store(&[("a/model.safetensors", "12345")]).await;
        fetch([&SMALL].into_iter(), &settings, &storage)
            .await
            .unwrap();
        let missing = Caches::new(&settings).missing(&SMALL);
        assert_eq!(missing.iter().map(|file| file.path).collect::<Vec<_>>(), ["a/vocab.txt"]);
    }
}
