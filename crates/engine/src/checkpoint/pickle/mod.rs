//! What a pickle written by `torch.save` says, without running any of it.
//!
//! A pickle is a program for a stack machine that may import and call anything. The machine here
//! builds plain data and descriptions of tensors; every other name it refuses, by that name.

mod machine;
mod reader;
mod value;

pub(super) use self::{
    machine::load,
    value::{Pickle, TensorSpec, Value},
};

/// Why a pickle is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PickleError {
    /// Longer than that of any model.
    #[error("it has {bytes} bytes, the limit is {limit}")]
    TooLarge {
        /// The length.
        bytes: usize,
        /// The longest that is read.
        limit: usize,
    },
    /// More steps than any model needs.
    #[error("it has more than {limit} operations")]
    TooLong {
        /// The most that are done.
        limit: usize,
    },
    /// It ends in the middle of an operation.
    #[error("it ends too early")]
    Truncated,
    /// A protocol that torch does not write.
    #[error("it has protocol {version}; 2 to 4 are supported")]
    Protocol {
        /// The number in the file.
        version: u8,
    },
    /// An operation that torch does not write.
    #[error("operation {opcode:#04x} at byte {at} is not supported")]
    Opcode {
        /// The operation.
        opcode: u8,
        /// Where it is.
        at: usize,
    },
    /// It names something that is neither a tensor nor plain data.
    #[error("it wants to use `{name}`; only tensors and plain data are read")]
    Forbidden {
        /// Module and name.
        name: String,
    },
    /// An operation finds something else than it needs.
    #[error("{problem} at byte {at}")]
    Malformed {
        /// What is wrong.
        problem: &'static str,
        /// Where.
        at: usize,
    },
}
