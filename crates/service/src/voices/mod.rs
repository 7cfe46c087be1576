//! Voices: recordings with their transcripts, checked before they are kept.

pub mod check;
