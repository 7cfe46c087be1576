//! Where the tensors of a safetensors file lie.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
};

use ::safetensors::{Dtype as FileDtype, SafeTensorError, SafeTensors};
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::{
    Dtype, FormatError,
    file::{Place, Tensor},
};

/// The longest header that is read. That of the official model has 46 kB.
const HEADER_BYTES: usize = 16 << 20;

/// Finds the tensors of a safetensors file.
///
/// The crate checks that the tensors fill the file without gap or overlap, and that each has the
/// bytes that its shape needs. It lets the last of two tensors of one name win, and reads
/// headers of 100 MB; both is refused here.
pub(super) fn read(bytes: &[u8]) -> Result<BTreeMap<String, Tensor>, FormatError> {
    let Some((length, rest)) = bytes.split_first_chunk() else {
        return Err(FormatError::Safetensors(SafeTensorError::HeaderTooSmall));
    };
    let length = u64::from_le_bytes(*length);
    let header = match usize::try_from(length) {
        Ok(length) if length <= HEADER_BYTES => rest.get(..length),
        _ => return Err(FormatError::HeaderTooLarge { bytes: length, limit: HEADER_BYTES }),
    };
    let header = header.ok_or(FormatError::Safetensors(SafeTensorError::InvalidHeaderLength))?;
    refuse_duplicates(header)?;
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(FormatError::Safetensors)?;
    let data_start = 8 + header.len();
    let tensors = metadata.tensors().into_iter().map(|(name, info)| {
        let Some(dtype) = dtype(info.dtype) else {
            return Err(FormatError::UnsupportedDtype { name, dtype: format!("{:?}", info.dtype) });
        };
        let (start, end) = info.data_offsets;
        let place = Place::File(data_start + start..data_start + end);
        Ok((name, Tensor { dtype, shape: info.shape.clone(), place }))
    });
    tensors.collect()
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the types of the format grow"
)]
const fn dtype(dtype: FileDtype) -> Option<Dtype> {
    Some(match dtype {
        FileDtype::F32 => Dtype::F32,
        FileDtype::F16 => Dtype::F16,
        FileDtype::BF16 => Dtype::BF16,
        FileDtype::F64 => Dtype::F64,
        FileDtype::I64 => Dtype::I64,
        FileDtype::I32 => Dtype::I32,
        FileDtype::I16 => Dtype::I16,
        FileDtype::I8 => Dtype::I8,
        FileDtype::U8 => Dtype::U8,
        FileDtype::BOOL => Dtype::Bool,
        _ => return None,
    })
}

fn refuse_duplicates(header: &[u8]) -> Result<(), FormatError> {
    let mut json = serde_json::Deserializer::from_slice(header);
    match json
        .deserialize_map(FirstDuplicate)
        .map_err(FormatError::Json)?
    {
        None => Ok(()),
        Some(name) => Err(FormatError::Duplicate { name }),
    }
}

/// Reads a JSON object for the first key that it has twice.
struct FirstDuplicate;

impl<'de> Visitor<'de> for FirstDuplicate {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut seen, mut duplicate) = (HashSet::new(), None);
        while let Some((name, IgnoredAny)) = map.next_entry::<String, _>()? {
            if duplicate.is_none() && seen.contains(&name) {
                duplicate = Some(name);
            } else {
                seen.insert(name);
            }
        }
        Ok(duplicate)
    }
}
