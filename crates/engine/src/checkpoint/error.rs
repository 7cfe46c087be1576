use std::io;

use super::{Dtype, pickle::PickleError};

/// Why a checkpoint could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The file could not be opened or mapped.
    #[error("could not open `{origin}`")]
    Open {
        /// The path.
        origin: String,
        /// Why.
        source: io::Error,
    },
    /// The file is no checkpoint that we can read.
    #[error("could not read the checkpoint `{origin}`")]
    Format {
        /// The path, or what else the bytes are called.
        origin: String,
        /// Why.
        source: FormatError,
    },
}

/// What is wrong with the content of a checkpoint.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// Neither of the known formats.
    #[error("it is neither a safetensors file nor a torch checkpoint")]
    Unknown,
    /// Nothing at all.
    #[error("it is empty")]
    Empty,
    /// A pointer that `git lfs` left in place of the file.
    #[error("it is a Git LFS pointer and not the file itself; download the file")]
    LfsPointer,
    /// A pickle without a zip around it.
    #[error(
        "it has the torch format from before version 1.6; load and save it once with a current torch: \
         `torch.save(torch.load(path), path)`"
    )]
    LegacyTorch,
    /// The header of a safetensors file is too long.
    #[error("its header of {bytes} bytes is over the limit of {limit}")]
    HeaderTooLarge {
        /// The length that the file states.
        bytes: u64,
        /// The longest that is read.
        limit: usize,
    },
    /// The header or the offsets of a safetensors file are wrong.
    #[error("its safetensors header is damaged")]
    Safetensors(#[source] safetensors::SafeTensorError),
    /// The header of a safetensors file is not JSON.
    #[error("its safetensors header is damaged")]
    Json(#[source] serde_json::Error),
    /// Two tensors have one name.
    #[error("it has two tensors called `{name}`")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// A type of elements that nothing here can use.
    #[error("tensor `{name}` has elements of the unsupported type {dtype}")]
    UnsupportedDtype {
        /// The tensor.
        name: String,
        /// The type as the file calls it.
        dtype: String,
    },
    /// The zip archive around a torch checkpoint is damaged.
    #[error("its zip archive is damaged")]
    Zip(#[source] rawzip::Error),
    /// The zip archive holds several checkpoints.
    #[error("its zip archive has a `data.pkl` in two folders, `{}` and `{}`", .roots[0], .roots[1])]
    TwoCheckpoints {
        /// Two of the folders.
        roots: [String; 2],
    },
    /// The zip archive has more entries than any model needs.
    #[error("its zip archive has over {limit} entries")]
    TooManyEntries {
        /// The most that are read.
        limit: usize,
    },
    /// An entry is compressed or encrypted; torch stores all as they are.
    #[error(
        "the zip entry `{entry}` is compressed or encrypted; a torch checkpoint stores its entries plainly"
    )]
    Compressed {
        /// The entry.
        entry: String,
    },
    /// A zip archive that is no torch checkpoint.
    #[error("its zip archive has no entry `{entry}`")]
    MissingEntry {
        /// The entry that was looked for.
        entry: String,
    },
    /// Written on a machine with the other order of bytes.
    #[error("its byte order is `{order}`; only `little` is supported")]
    ByteOrder {
        /// What the file says.
        order: String,
    },
    /// The pickle in a torch checkpoint is damaged or unwelcome.
    #[error("its pickle is refused")]
    Pickle(#[source] PickleError),
    /// The pickle holds no weights.
    #[error(
        "it holds no weights: expected `ema_model_state_dict`, `model_state_dict` or tensors, found {found}"
    )]
    NoWeights {
        /// What is there instead.
        found: String,
    },
    /// A tensor of a torch checkpoint does not fit its storage.
    #[error("tensor `{name}` does not fit its storage: {problem}")]
    Storage {
        /// The tensor.
        name: String,
        /// What does not fit.
        problem: &'static str,
    },
}

/// Why a model could not be loaded from a checkpoint.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// A tensor that the model needs is not there.
    #[error("`{origin}` has no tensor `{name}`; does the configuration belong to this checkpoint?")]
    Missing {
        /// The checkpoint.
        origin: String,
        /// The tensor.
        name: String,
    },
    /// A tensor has another shape than the model needs.
    #[error(
        "tensor `{name}` of `{origin}` has the shape {found:?}, the configuration needs {expected:?}"
    )]
    Shape {
        /// The checkpoint.
        origin: String,
        /// The tensor.
        name: String,
        /// What the model needs.
        expected: Vec<usize>,
        /// What the checkpoint has.
        found: Vec<usize>,
    },
    /// A tensor is not made of floating-point numbers.
    #[error(
        "tensor `{name}` of `{origin}` has elements of type {found}; weights are F32, F16 or BF16"
    )]
    Dtype {
        /// The checkpoint.
        origin: String,
        /// The tensor.
        name: String,
        /// What the checkpoint has.
        found: Dtype,
    },
    /// Two tensors are the same weight.
    #[error("`{origin}` has `{name}` twice: as `{first}` and as `{second}`")]
    Ambiguous {
        /// The checkpoint.
        origin: String,
        /// The weight.
        name: String,
        /// One tensor.
        first: String,
        /// The other.
        second: String,
    },
    /// The model did not ask for all tensors.
    #[error(
        "`{origin}` has {count} tensors that the model does not use: {names}; \
         does the configuration belong to this checkpoint?"
    )]
    Surplus {
        /// The checkpoint.
        origin: String,
        /// How many.
        count: usize,
        /// A few of their names.
        names: String,
    },
}
