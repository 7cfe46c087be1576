//! The sizes and switches of the networks, from the files that come with their weights.

mod dit;
mod document;
mod vocos;

#[cfg(test)]
mod tests;

pub use self::{
    dit::{DitConfig, ModelConfig, ModelDefaults, QkNorm},
    document::ConfigError,
    vocos::{Padding, VocosConfig},
};
