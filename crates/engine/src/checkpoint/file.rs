use std::{borrow::Cow, collections::BTreeMap, fmt, fs::File, ops::Range, path::Path};

use memmap2::Mmap;

use super::{CheckpointError, Dtype, FormatError, dtype, safetensors, torch_zip};

/// The tensors of a file, by name.
pub struct Checkpoint {
    origin: String,
    source: Source,
    tensors: BTreeMap<String, Tensor>,
}

/// One tensor of a [`Checkpoint`]: row-major, little-endian.
#[derive(Clone, Copy, Debug)]
pub struct TensorView<'a> {
    /// The type of the elements.
    pub dtype: Dtype,
    /// The sizes of the dimensions.
    pub shape: &'a [usize],
    /// The elements.
    pub data: &'a [u8],
}

/// A tensor as the readers of the formats find it.
#[derive(Debug)]
pub(super) struct Tensor {
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    pub(super) place: Place,
}

/// Where the elements of a tensor lie.
#[derive(Debug)]
pub(super) enum Place {
    /// In the file. Invariant: within it.
    File(Range<usize>),
    /// In memory, because the file has them in another order.
    Copied(Vec<u8>),
}

enum Source {
    Map(Mmap),
    Static(&'static [u8]),
    Owned(Vec<u8>),
}

impl Checkpoint {
    /// Maps a safetensors file or a torch checkpoint (`.pt`, `.bin`); the content decides, not the name.
    ///
    /// The file must not be changed while it is open: a shortened file ends the process.
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        let origin = path.display().to_string();
        match map(path) {
            Ok(None) => Self::read(origin, Source::Static(&[])),
            Ok(Some(map)) => Self::read(origin, Source::Map(map)),
            Err(source) => Err(CheckpointError::Open { origin, source }),
        }
    }

    /// Reads a checkpoint that is part of the program; `origin` is what errors call it.
    pub fn from_static(origin: &str, bytes: &'static [u8]) -> Result<Self, CheckpointError> {
        Self::read(origin.to_owned(), Source::Static(bytes))
    }

    /// Reads a checkpoint from memory; `origin` is what errors call it.
    pub fn from_bytes(origin: &str, bytes: Vec<u8>) -> Result<Self, CheckpointError> {
        Self::read(origin.to_owned(), Source::Owned(bytes))
    }

    /// The path of the file, or what else it was called.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The names of all tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// A tensor by the name that it has in the file.
    pub fn tensor(&self, name: &str) -> Option<TensorView<'_>> {
        let Tensor { dtype, shape, place } = self.tensors.get(name)?;
        let data = match place {
            Place::File(range) => &self.source.bytes()[range.clone()],
            Place::Copied(data) => data,
        };
        Some(TensorView { dtype: *dtype, shape, data })
    }

    fn read(origin: String, source: Source) -> Result<Self, CheckpointError> {
        match read_tensors(source.bytes()) {
            Ok(tensors) => Ok(Self { origin, source, tensors }),
            Err(source) => Err(CheckpointError::Format { origin, source }),
        }
    }
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpoint")
            .field("origin", &self.origin)
            .field("tensors", &self.tensors.len())
            .finish_non_exhaustive()
    }
}

impl<'a> TensorView<'a> {
    /// The elements as `f32`, without a copy where the file has them so.
    ///
    /// `None` where the elements are not of a type that weights have.
    pub fn to_f32(&self) -> Option<Cow<'a, [f32]>> {
        dtype::to_f32(self.dtype, self.data)
    }
}

impl Source {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Map(map) => map,
            Self::Static(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }
}

/// Maps a file; `None` if it is empty, which cannot be mapped everywhere.
#[expect(unsafe_code, reason = "a model of gigabytes is mapped, not read")]
fn map(path: &Path) -> std::io::Result<Option<Mmap>> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(std::io::ErrorKind::IsADirectory.into());
    }
    if file.metadata()?.len() == 0 {
        return Ok(None);
    }
    // SAFETY: the map is read-only and private to us. That nobody changes a file of weights while
    // it is in use is demanded by `Checkpoint::open`; the bytes are never relied on to be valid.
    unsafe { Mmap::map(&file) }.map(Some)
}

fn read_tensors(bytes: &[u8]) -> Result<BTreeMap<String, Tensor>, FormatError> {
    // The header of a safetensors file begins after its length of eight bytes. No other format
    // has a brace there, while its length can look like the beginning of any of them.
    if bytes.get(8) == Some(&b'{') {
        safetensors::read(bytes)
    } else if bytes.starts_with(b"PK\x03\x04") {
        torch_zip::read(bytes)
    } else if bytes.starts_with(b"\x80\x02") {
        Err(FormatError::LegacyTorch)
    } else if bytes.starts_with(b"version https://git-lfs") {
        Err(FormatError::LfsPointer)
    } else if bytes.is_empty() {
        Err(FormatError::Empty)
    } else {
        Err(FormatError::Unknown)
    }
}
