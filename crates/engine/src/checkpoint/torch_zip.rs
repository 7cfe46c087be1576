//! Where the tensors of a torch checkpoint lie: a zip archive of a pickle and one entry per storage.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
};

use rawzip::{CompressionMethod, ZipArchive};

use super::{
    FormatError,
    file::{Place, Tensor},
    pickle::{self, TensorSpec},
    state_dict,
};

/// The most entries that are read. A training checkpoint of the official model has 1 500.
const MAX_ENTRIES: usize = 100_000;

/// Finds the tensors of what `torch.save` wrote.
///
/// Entries are stored plainly, so that tensors can stay in the file; only those that are not
/// contiguous are put in order, in memory.
pub(super) fn read(bytes: &[u8]) -> Result<BTreeMap<String, Tensor>, FormatError> {
    let archive = Archive::open(bytes)?;
    if let Ok(order) = archive.entry("byteorder")
        && &bytes[order.clone()] != b"little"
    {
        let order = String::from_utf8_lossy(&bytes[order]);
        let order = order.chars().take(20).flat_map(char::escape_default);
        return Err(FormatError::ByteOrder { order: order.collect() });
    }
    let program = archive.entry("data.pkl")?;
    let pickle = pickle::load(&bytes[program]).map_err(FormatError::Pickle)?;
    let mut tensors = BTreeMap::new();
    // Tensors that share a storage could otherwise be copied without end.
    let mut copies_left = bytes.len();
    for (name, spec) in state_dict::find(&pickle)? {
        let storage = archive.entry(&format!("data/{}", spec.storage.key))?;
        let problem = |problem| FormatError::Storage { name: name.to_owned(), problem };
        let layout = Layout::check(spec, storage.len()).map_err(problem)?;
        let place = if layout.contiguous {
            let start = storage.start + spec.offset * spec.storage.dtype.bytes();
            Place::File(start..start + layout.bytes)
        } else {
            copies_left = copies_left
                .checked_sub(layout.bytes)
                .ok_or_else(|| problem("too many copies of one storage"))?;
            Place::Copied(gather(spec, &bytes[storage]))
        };
        let tensor = Tensor { dtype: spec.storage.dtype, shape: spec.shape.clone(), place };
        if tensors.insert(name.to_owned(), tensor).is_some() {
            return Err(FormatError::Duplicate { name: name.to_owned() });
        }
    }
    Ok(tensors)
}

/// Where the entries of a zip archive lie.
struct Archive {
    /// The folder that holds everything, with a slash at its end.
    root: String,
    entries: HashMap<String, Range<usize>>,
}

impl Archive {
    fn open(bytes: &[u8]) -> Result<Self, FormatError> {
        let archive = ZipArchive::from_slice(bytes).map_err(FormatError::Zip)?;
        let mut entries = HashMap::new();
        for record in archive.entries() {
            let record = record.map_err(FormatError::Zip)?;
            let name = String::from_utf8_lossy(record.file_path().as_bytes()).into_owned();
            if record.compression_method() != CompressionMethod::STORE
                || record.flags().is_encrypted()
                || record.compressed_size_hint() != record.uncompressed_size_hint()
            {
                return Err(FormatError::Compressed { entry: printable(&name) });
            }
            let entry = archive.get_entry(record.wayfinder());
            let (start, end) = entry.map_err(FormatError::Zip)?.compressed_data_range();
            let start = usize::try_from(start).ok();
            let range = start
                .zip(usize::try_from(end).ok())
                .map(|(start, end)| start..end);
            let Some(range) = range.filter(|range| bytes.get(range.clone()).is_some()) else {
                return Err(FormatError::MissingEntry { entry: printable(&name) });
            };
            if entries.len() == MAX_ENTRIES {
                return Err(FormatError::TooManyEntries { limit: MAX_ENTRIES });
            }
            if entries.insert(name.clone(), range).is_some() {
                return Err(FormatError::Duplicate { name: printable(&name) });
            }
        }
        let mut roots = entries
            .keys()
            .filter_map(|name| name.strip_suffix("data.pkl"))
            .filter(|root| root.find('/') == root.len().checked_sub(1));
        let root = roots.next().map(str::to_owned);
        if let Some(other) = roots.next() {
            let roots = [root.unwrap_or_default(), other.to_owned()].map(|root| printable(&root));
            return Err(FormatError::TwoCheckpoints { roots });
        }
        let root =
            root.ok_or_else(|| FormatError::MissingEntry { entry: "data.pkl".to_owned() })?;
        Ok(Self { root, entries })
    }

    fn entry(&self, name: &str) -> Result<Range<usize>, FormatError> {
        let range = self.entries.get(&format!("{}{name}", self.root)).cloned();
        range.ok_or_else(|| FormatError::MissingEntry { entry: printable(name) })
    }
}

/// What is known of a tensor that lies within its storage.
struct Layout {
    bytes: usize,
    contiguous: bool,
}

impl Layout {
    fn check(spec: &TensorSpec<'_>, storage_bytes: usize) -> Result<Self, &'static str> {
        let element = spec.storage.dtype.bytes();
        if spec.storage.elements.checked_mul(element) != Some(storage_bytes) {
            return Err("the storage has another size than stated");
        }
        let count = spec
            .shape
            .iter()
            .try_fold(1_usize, |n, size| n.checked_mul(*size));
        let count = count.ok_or("its shape is too large")?;
        let last = if count == 0 {
            Some(spec.offset)
        } else {
            last_element(spec)
        };
        let end = last.and_then(|last| last.checked_add(count.min(1)));
        if end.is_none_or(|end| end > spec.storage.elements) {
            return Err("it reaches beyond the end");
        }
        // Without this, strides of zero would make a huge tensor of a tiny file.
        if count > spec.storage.elements {
            return Err("its elements overlap");
        }
        Ok(Self { bytes: count * element, contiguous: is_contiguous(spec) })
    }
}

/// The index of the last element in the storage.
fn last_element(spec: &TensorSpec<'_>) -> Option<usize> {
    let mut axes = spec.shape.iter().zip(&spec.strides);
    axes.try_fold(spec.offset, |last, (size, stride)| {
        last.checked_add((size - 1).checked_mul(*stride)?)
    })
}

fn is_contiguous(spec: &TensorSpec<'_>) -> bool {
    // Without elements, the sizes bound nothing, and their product may overflow.
    if spec.shape.contains(&0) {
        return true;
    }
    let mut expected = 1;
    spec.shape
        .iter()
        .zip(&spec.strides)
        .rev()
        .all(|(size, stride)| {
            let fits = *size == 1 || *stride == expected;
            expected *= size;
            fits
        })
}

/// Copies elements in the order of the shape. The layout was checked.
fn gather(spec: &TensorSpec<'_>, storage: &[u8]) -> Vec<u8> {
    let element = spec.storage.dtype.bytes();
    let count: usize = spec.shape.iter().product();
    let mut data = Vec::with_capacity(count * element);
    let mut index = vec![0; spec.shape.len()];
    let mut at = spec.offset;
    for _ in 0..count {
        data.extend_from_slice(&storage[at * element..(at + 1) * element]);
        for axis in (0..index.len()).rev() {
            index[axis] += 1;
            at += spec.strides[axis];
            if index[axis] < spec.shape[axis] {
                break;
            }
            at -= index[axis] * spec.strides[axis];
            index[axis] = 0;
        }
    }
    data
}

/// A name from the file as a message may show it.
fn printable(name: &str) -> String {
    name.chars()
        .take(100)
        .flat_map(char::escape_default)
        .collect()
}
