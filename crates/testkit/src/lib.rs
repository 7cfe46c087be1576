//! What the tests of several crates share: goldens and tolerances.

mod golden;
mod tolerance;

pub use golden::Golden;
pub use tolerance::{Tolerance, assert_close};
