use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{
    KnownFile, KnownModel, Role,
    cache::Caches,
    catalogue::{DEMO, KNOWN},
    digest, download,
    error::ModelsError,
    hub::Hub,
    progress::DownloadObserver,
    resolve,
    settings::HubSettings,
};

/// A line of the list of models.
#[derive(Debug, Serialize)]
pub(crate) struct ListedModel {
    pub(crate) name: String,
    pub(crate) about: &'static str,
    pub(crate) licence: &'static str,
    /// The repository on the hub; none for what is in the program.
    pub(crate) repository: Option<&'static str>,
    /// The size of all files, where known, without the vocoder.
    pub(crate) bytes: Option<u64>,
    /// Whether it can be used right away, vocoder included.
    pub(crate) is_here: bool,
    /// Where its weights lie.
    pub(crate) path: Option<PathBuf>,
}

/// Where the files of a model lie.
#[derive(Debug, Serialize)]
pub(crate) struct ModelPaths {
    pub(crate) name: &'static str,
    pub(crate) files: Vec<LocatedFile>,
}

impl ModelPaths {
    /// Where the file of a role lies.
    pub(crate) fn of(&self, role: Role) -> Option<&Path> {
        let file = self.files.iter().find(|file| file.role == role);
        file.map(|file| file.path.as_path())
    }
}

/// Where one file lies.
#[derive(Debug, Serialize)]
pub(crate) struct LocatedFile {
    pub(crate) model: &'static str,
    pub(crate) role: Role,
    pub(crate) path: PathBuf,
}

/// A file that `get` saw to.
#[derive(Debug, Serialize)]
pub(crate) struct FetchedFile {
    pub(crate) model: &'static str,
    pub(crate) file: &'static str,
    pub(crate) path: PathBuf,
    /// Whether it was there before.
    pub(crate) was_here: bool,
}

/// What is known of a file after a check.
#[derive(Debug, Serialize)]
pub(crate) struct FileCheck {
    pub(crate) model: &'static str,
    pub(crate) file: &'static str,
    /// The file itself, behind all links. If it is damaged, remove it and `get` the model again.
    pub(crate) path: Option<PathBuf>,
    pub(crate) sha256: Option<String>,
    pub(crate) state: FileState,
}

/// How a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FileState {
    /// The digest is the known one.
    Intact,
    /// It can be read, but nothing is known to compare it with.
    Unverified,
    /// The digest is another one.
    Damaged,
    /// It is not there.
    Missing,
}

/// All models that can be named: the one in the program, the known ones, the user's own.
pub(crate) fn list(settings: &HubSettings) -> Vec<ListedModel> {
    let caches = Caches::new(settings);
    let demo = ListedModel {
        name: DEMO.to_owned(),
        about: "a small model in this program, to try it with",
        licence: "MIT OR Apache-2.0",
        repository: None,
        bytes: None,
        is_here: true,
        path: None,
    };
    let known = KNOWN.iter().map(|model| listed(model, &caches));
    let own = resolve::own_models(settings)
        .into_iter()
        .map(|(name, path)| ListedModel {
            name,
            about: "a model in `--models-dir`",
            licence: "unknown",
            repository: None,
            bytes: None,
            is_here: true,
            path: Some(path),
        });
    std::iter::once(demo).chain(known).chain(own).collect()
}

/// Fetches a model and its vocoder; what is there already stays as it is.
pub(crate) fn get(
    name: &str,
    settings: &HubSettings,
    observer: &mut dyn DownloadObserver,
) -> Result<Vec<FetchedFile>, ModelsError> {
    let model = known(name)?;
    let missing: usize = model
        .with_vocoder()
        .map(|part| Caches::new(settings).missing(part).len())
        .sum();
    if missing > 0 && settings.hf_hub_offline {
        let advice = resolve::how_to_place(model, settings);
        return Err(ModelsError::Offline { name: name.to_owned(), advice });
    }
    let mut fetched = Vec::new();
    for part in model.with_vocoder() {
        let files = fetch_missing(part, settings, observer);
        fetched.extend(files.map_err(|error| with_advice(error, model, settings))?);
    }
    Ok(fetched)
}

/// Whether a model is known by name, and is on the hub rather than here.
pub(crate) fn is_to_be_fetched(name: &str, settings: &HubSettings) -> bool {
    let caches = Caches::new(settings);
    let is_here = |model: &'static KnownModel| {
        model
            .with_vocoder()
            .all(|part| caches.missing(part).is_empty())
    };
    !settings.hf_hub_offline && KnownModel::find(name).is_some_and(|model| !is_here(model))
}

/// Fetches what is missing of one model.
pub(super) fn fetch_missing(
    model: &'static KnownModel,
    settings: &HubSettings,
    observer: &mut dyn DownloadObserver,
) -> Result<Vec<FetchedFile>, ModelsError> {
    let (hub, caches) = (Hub::new(settings), Caches::new(settings));
    let root = caches.target().ok_or(ModelsError::NoCache)?;
    let is_whole = caches.missing(model).is_empty();
    if !is_whole {
        observer.model(model);
    }
    let mut files = Vec::new();
    for file in model.files {
        let here = caches.find(model, file);
        if here.is_none() && is_whole {
            continue;
        }
        let was_here = here.is_some();
        match here.map_or_else(|| download::fetch(&hub, root, model, file, observer), Ok) {
            Ok(path) => {
                files.push(FetchedFile { model: model.name, file: file.path, path, was_here });
            }
            Err(ModelsError::Refused { status: 404, .. }) if file.role.is_optional() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(files)
}

/// Where the files of a model and its vocoder lie.
pub(crate) fn path(name: &str, settings: &HubSettings) -> Result<ModelPaths, ModelsError> {
    let model = known(name)?;
    let caches = Caches::new(settings);
    let mut files = Vec::new();
    for part in model.with_vocoder() {
        for file in part.files {
            let path = caches.find(part, file);
            if path.is_none() && file.role.is_optional() {
                continue;
            }
            let path = path.ok_or_else(|| resolve::not_fetched(model, settings))?;
            files.push(LocatedFile { model: part.name, role: file.role, path });
        }
    }
    Ok(ModelPaths { name: model.name, files })
}

/// Compares the files of a model and its vocoder with the digests that are known of them.
pub(crate) fn verify(name: &str, settings: &HubSettings) -> Result<Vec<FileCheck>, ModelsError> {
    let model = known(name)?;
    let caches = Caches::new(settings);
    let parts = model
        .with_vocoder()
        .flat_map(|part| part.files.iter().map(move |file| (part, file)));
    let checks = parts.map(|(part, file)| {
        let found = caches.find(part, file);
        check(part, file, found.as_deref())
    });
    checks.collect()
}

/// Whether a name is that of a repository, `ORG/NAME`.
pub(crate) fn is_repository(name: &str) -> bool {
    KnownModel::whisper(name).is_some()
}

fn known(name: &str) -> Result<&'static KnownModel, ModelsError> {
    KnownModel::find(name)
        .or_else(|| KnownModel::whisper(name))
        .ok_or_else(|| resolve::unknown(name))
}

fn listed(model: &'static KnownModel, caches: &Caches) -> ListedModel {
    let sizes: Option<Vec<u64>> = model.files.iter().map(|file| file.bytes).collect();
    let checkpoint = model.file(Role::Checkpoint);
    ListedModel {
        name: model.name.to_owned(),
        about: model.about,
        licence: model.licence,
        repository: Some(model.repository),
        bytes: sizes.map(|sizes| sizes.iter().sum()),
        is_here: model
            .with_vocoder()
            .all(|part| caches.missing(part).is_empty()),
        path: checkpoint.and_then(|file| caches.find(model, file)),
    }
}

/// Compares a file with the digest that is known of it, or that the cache names it by.
pub(super) fn check(
    model: &KnownModel,
    file: &KnownFile,
    found: Option<&Path>,
) -> Result<FileCheck, ModelsError> {
    let (model, name) = (model.name, file.path);
    let Some(found) = found else {
        let state = FileState::Missing;
        return Ok(FileCheck { model, file: name, path: None, sha256: None, state });
    };
    let failed = |source| ModelsError::Io { action: "read", path: found.to_owned(), source };
    // The blob, which is what must be removed if it is damaged, not the link to it.
    let path = found.canonicalize().map_err(failed)?;
    let sha256 = digest::of_file(&path).map_err(failed)?;
    let blob = path.file_name().and_then(|name| name.to_str());
    let state = match file.sha256.or(blob.filter(|name| digest::is_sha256(name))) {
        None => FileState::Unverified,
        Some(expected) if expected == sha256 => FileState::Intact,
        Some(_) => FileState::Damaged,
    };
    Ok(FileCheck {
        model,
        file: name,
        path: Some(path),
        sha256: Some(sha256),
        state,
    })
}

/// Where there is no network, tells how to do without.
fn with_advice(
    error: ModelsError,
    model: &'static KnownModel,
    settings: &HubSettings,
) -> ModelsError {
    if let ModelsError::Unreachable { endpoint, file, source, .. } = error {
        let advice = resolve::how_to_place(model, settings);
        return ModelsError::Unreachable { endpoint, file, source, advice };
    }
    error
}
