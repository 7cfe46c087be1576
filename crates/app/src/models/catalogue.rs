use std::sync::{LazyLock, Mutex, PoisonError};

use f5tts_service::storage::Repository;
use serde::Serialize;

/// The model that `auto` prefers.
pub(crate) const OFFICIAL: &str = "F5TTS_v1_Base";
/// The model in the program.
pub(crate) const DEMO: &str = "demo";
/// The vocoder of all official models.
pub(crate) const VOCODER: &str = "vocos-mel-24khz";

/// A model that can be had by name.
#[derive(Debug, Serialize)]
pub(crate) struct KnownModel {
    /// Its official name.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// The repository on the hub.
    pub(crate) repository: &'static str,
    /// The licence of the weights, as an SPDX identifier.
    pub(crate) licence: &'static str,
    /// What the licence means, in a sentence.
    pub(crate) terms: &'static str,
    pub(crate) about: &'static str,
    /// The built-in configuration; a vocoder brings its own.
    pub(crate) preset: Option<&'static str>,
    pub(crate) files: &'static [KnownFile],
}

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// It speaks.
    Speech,
    /// It makes the sound of what another one speaks.
    Vocoder,
    /// It writes down what is said.
    Transcription,
}

/// A file in a repository on the hub.
#[derive(Debug, Serialize)]
pub(crate) struct KnownFile {
    /// The path in the repository.
    pub(crate) path: &'static str,
    pub(crate) role: Role,
    /// The size, where known.
    pub(crate) bytes: Option<u64>,
    /// The digest, where known.
    pub(crate) sha256: Option<&'static str>,
}

/// What a file is of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    Checkpoint,
    Vocab,
    Config,
    /// Not every model has it.
    Generation,
}

impl Role {
    pub(super) fn is_optional(self) -> bool {
        self == Self::Generation
    }
}

const TERMS_NC: &str =
    "the weights are for non-commercial use only, because their training data (Emilia) is";

const VOCAB: KnownFile = KnownFile {
    path: "F5TTS_v1_Base/vocab.txt",
    role: Role::Vocab,
    bytes: Some(13_800),
    sha256: Some("2a05f992e00af9b0bd3800a8d23e78d520dbd705284ed2eedb5f4bd29398fa3c"),
};

/// All models that are known by name, but the one in the program.
pub(crate) const KNOWN: [KnownModel; 4] = [
    KnownModel {
        name: OFFICIAL,
        kind: Kind::Speech,
        repository: "SWivid/F5-TTS",
        licence: "CC-BY-NC-4.0",
        terms: TERMS_NC,
        about: "the official model, Chinese and English",
        preset: Some("F5TTS_v1_Base"),
        files: &[
            KnownFile {
                path: "F5TTS_v1_Base/model_1250000.safetensors",
                role: Role::Checkpoint,
                bytes: Some(1_348_435_761),
                sha256: Some("670900fd14e6c458b95da6e9ed317cdb20dbaf7a1c02ac06a05475a9d32b6a38"),
            },
            VOCAB,
        ],
    },
    KnownModel {
        name: "F5TTS_v1_Base_no_zero_init",
        kind: Kind::Speech,
        repository: "SWivid/F5-TTS",
        licence: "CC-BY-NC-4.0",
        terms: TERMS_NC,
        about: "the official model, trained without zero initialisation",
        preset: Some("F5TTS_v1_Base"),
        files: &[
            KnownFile {
                path: "F5TTS_v1_Base_no_zero_init/model_1250000.safetensors",
                role: Role::Checkpoint,
                bytes: None,
                sha256: None,
            },
            // It has none of its own; all official models were trained with one vocabulary.
            VOCAB,
        ],
    },
    KnownModel {
        name: "F5TTS_Base",
        kind: Kind::Speech,
        repository: "SWivid/F5-TTS",
        licence: "CC-BY-NC-4.0",
        terms: TERMS_NC,
        about: "the first release of the official model, Chinese and English",
        preset: Some("F5TTS_Base"),
        files: &[
            KnownFile {
                path: "F5TTS_Base/model_1200000.safetensors",
                role: Role::Checkpoint,
                bytes: None,
                sha256: Some("4180310f91d592cee4bc14998cd37c781f779cf105e8ca8744d9bd48ca7046ae"),
            },
            KnownFile {
                path: "F5TTS_Base/vocab.txt",
                role: Role::Vocab,
                bytes: None,
                sha256: None,
            },
        ],
    },
    KnownModel {
        name: VOCODER,
        kind: Kind::Vocoder,
        repository: "charactr/vocos-mel-24khz",
        licence: "MIT",
        terms: "the weights may be used for any purpose",
        about: "the vocoder of the official models",
        preset: None,
        files: &[
            KnownFile {
                path: "config.yaml",
                role: Role::Config,
                bytes: Some(461),
                sha256: Some("da9033922f969a47f0c160010226919e59f27761fd5066f3828d46de6650b0fc"),
            },
            KnownFile {
                path: "pytorch_model.bin",
                role: Role::Checkpoint,
                bytes: Some(54_365_991),
                sha256: Some("97ec976ad1fd67a33ab2682d29c0ac7df85234fae875aefcc5fb215681a91b2a"),
            },
        ],
    },
];

/// The files of a Whisper model, as they lie in its repository. The small ones first: they tell whether it is one.
static WHISPER_FILES: [KnownFile; 4] = [
    whisper_file("config.json", Role::Config),
    whisper_file("generation_config.json", Role::Generation),
    whisper_file("tokenizer.json", Role::Vocab),
    whisper_file("model.safetensors", Role::Checkpoint),
];

const fn whisper_file(path: &'static str, role: Role) -> KnownFile {
    KnownFile { path, role, bytes: None, sha256: None }
}

/// Those that were named: there are few in a process, so they live as long as it does.
static NAMED_WHISPERS: LazyLock<Mutex<Vec<&'static KnownModel>>> = LazyLock::new(Mutex::default);

impl KnownModel {
    /// The Whisper model of a repository on the hub, `ORG/NAME`; nothing if that is no name of one.
    ///
    /// Whether there is such a repository, and a Whisper model in it, is known when it is fetched.
    pub(crate) fn whisper(name: &str) -> Option<&'static Self> {
        Repository::try_from(name).ok()?;
        let mut named = NAMED_WHISPERS
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = named.iter().find(|known| known.name == name) {
            return Some(known);
        }
        let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
        let model: &'static Self = Box::leak(Box::new(Self {
            name,
            kind: Kind::Transcription,
            repository: name,
            licence: "of its repository",
            terms: "Whisper's own models may be used for any purpose",
            about: "writes down what is said",
            preset: None,
            files: &WHISPER_FILES,
        }));
        named.push(model);
        Some(model)
    }

    /// A model by its name.
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        KNOWN.iter().find(|model| model.name == name)
    }

    /// The file of a role.
    pub(crate) fn file(&self, role: Role) -> Option<&'static KnownFile> {
        self.files.iter().find(|file| file.role == role)
    }

    /// This model and the vocoder that it speaks through.
    pub(crate) fn with_vocoder(&'static self) -> impl Iterator<Item = &'static Self> {
        let vocoder = Self::find(VOCODER).filter(|_| self.kind == Kind::Speech);
        std::iter::once(self).chain(vocoder)
    }
}

impl KnownFile {
    /// The last part of the path.
    pub(crate) fn name(&self) -> &'static str {
        self.path.rsplit('/').next().unwrap_or(self.path)
    }
}
