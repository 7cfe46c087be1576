//! Jobs, voices and storage: everything between a wire format and the engine.

pub mod fetch;
pub mod storage;
pub mod voices;
