//! Where models are: in the program, in the caches of the Hugging Face tools, in directories.
//!
//! The functions here answer with data and leave tables, JSON and messages to the caller. Only
//! [`get`] and [`fetch_from_bucket`] ask the network.

mod bucket;
mod cache;
mod catalogue;
mod commands;
mod digest;
mod directory;
mod download;
mod error;
mod hub;
mod progress;
mod resolve;
mod settings;

#[cfg(test)]
mod fake_hub;
#[cfg(test)]
mod tests;

#[cfg(test)]
use self::progress::DownloadObserver;

pub(crate) use self::{
    bucket::{fetch_from_bucket, fetch_whisper_from_bucket},
    catalogue::{DEMO, Kind, KnownFile, KnownModel, Role},
    commands::{
        FetchedFile, FileCheck, FileState, ListedModel, ModelPaths, get, is_repository,
        is_to_be_fetched, list, path, verify,
    },
    error::ModelsError,
    progress::TerminalProgress,
    resolve::{ConfigSource, FileSource, ModelFiles, Overrides, resolve},
    settings::HubSettings,
};
