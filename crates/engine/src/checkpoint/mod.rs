//! Weights from files: safetensors and what `torch.save` writes.
//!
//! [`Checkpoint`] maps a file and knows where its tensors lie; nothing is copied until somebody
//! asks for a tensor. [`Weights`] gives a model its tensors by the names of the official
//! implementation, whatever prefixes the file has, and knows which ones nobody asked for.
//!
//! Files come from anywhere, so every size and offset in them is checked before it is used, and
//! pickles are read by a machine that knows tensors and plain data, and calls nothing.

mod dtype;
mod error;
mod file;
mod pickle;
mod safetensors;
mod state_dict;
mod torch_zip;
mod weights;

pub use self::{
    dtype::Dtype,
    error::{CheckpointError, FormatError, WeightsError},
    file::{Checkpoint, TensorView},
    pickle::PickleError,
    weights::{Scope, Weights},
};
