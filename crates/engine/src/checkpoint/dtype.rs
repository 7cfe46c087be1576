use std::{borrow::Cow, fmt};

use half::{bf16, f16, slice::HalfBitsSliceExt, slice::HalfFloatSliceExt};
use rayon::prelude::*;
use zerocopy::FromBytes;

/// Elements that one task converts: large enough that the pool costs nothing beside it.
const CHUNK: usize = 1 << 16;

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// IEEE single precision
    F32,
    /// IEEE half precision
    F16,
    /// The upper half of an [`F32`](Self::F32)
    BF16,
    /// IEEE double precision
    F64,
    /// Signed, 64 bits
    I64,
    /// Signed, 32 bits
    I32,
    /// Signed, 16 bits
    I16,
    /// Signed, 8 bits
    I8,
    /// Unsigned, 8 bits
    U8,
    /// One byte, 0 or 1
    Bool,
}

impl Dtype {
    /// Bytes of one element.
    pub const fn bytes(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::BF16 | Self::I16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    /// Whether a network can have weights of this type.
    pub const fn is_weight(self) -> bool {
        matches!(self, Self::F32 | Self::F16 | Self::BF16)
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::BF16 => "BF16",
            Self::F64 => "F64",
            Self::I64 => "I64",
            Self::I32 => "I32",
            Self::I16 => "I16",
            Self::I8 => "I8",
            Self::U8 => "U8",
            Self::Bool => "BOOL",
        })
    }
}

/// Little-endian elements as `f32`: borrowed where they are just that, `None` where they are no weights.
pub(super) fn to_f32(dtype: Dtype, data: &[u8]) -> Option<Cow<'_, [f32]>> {
    match dtype {
        Dtype::F32 => Some(borrow_f32(data)),
        Dtype::F16 => Some(Cow::Owned(widen(data, |bits, out| {
            bits.reinterpret_cast::<f16>().convert_to_f32_slice(out);
        }))),
        Dtype::BF16 => Some(Cow::Owned(widen(data, |bits, out| {
            bits.reinterpret_cast::<bf16>().convert_to_f32_slice(out);
        }))),
        Dtype::F64 | Dtype::I64 | Dtype::I32 | Dtype::I16 | Dtype::I8 | Dtype::U8 | Dtype::Bool => {
            None
        }
    }
}

fn borrow_f32(data: &[u8]) -> Cow<'_, [f32]> {
    // Files are little-endian, and nothing in them promises alignment.
    if cfg!(target_endian = "little")
        && let Ok(values) = <[f32]>::ref_from_bytes(data)
    {
        return Cow::Borrowed(values);
    }
    let values = data.par_chunks_exact(4).with_min_len(CHUNK);
    Cow::Owned(
        values
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect(),
    )
}

fn widen(data: &[u8], convert: impl Fn(&[u16], &mut [f32]) + Sync) -> Vec<f32> {
    let mut values = vec![0.0; data.len() / 2];
    let chunks = values.par_chunks_mut(CHUNK).zip(data.par_chunks(CHUNK * 2));
    chunks.for_each(|(out, bytes)| {
        if cfg!(target_endian = "little")
            && let Ok(bits) = <[u16]>::ref_from_bytes(bytes)
        {
            convert(bits, out);
        } else {
            let pairs = bytes.chunks_exact(2);
            let bits: Vec<u16> = pairs.map(|b| u16::from_le_bytes([b[0], b[1]])).collect();
            convert(&bits, out);
        }
    });
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<const N: usize>(values: &[[u8; N]]) -> Vec<u8> {
        values.concat()
    }

    #[test]
    fn aligned_f32_is_borrowed_and_unaligned_is_copied() {
        let values = [1.5_f32, -0.0, f32::INFINITY, 3.0e-39];
        let mut padded = vec![0_u8; 3];
        padded.extend(bytes(&values.map(f32::to_le_bytes)));
        let mut kinds = (0, 0);
        // Of four neighbouring starts exactly one is aligned, wherever the buffer lies.
        for shift in 0..4 {
            let mut shifted = vec![0_u8; shift];
            shifted.extend(bytes(&values.map(f32::to_le_bytes)));
            let read = to_f32(Dtype::F32, &shifted[shift..]).unwrap();
            let same = read
                .iter()
                .zip(values)
                .all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same && read.len() == values.len());
            match read {
                Cow::Borrowed(_) => kinds.0 += 1,
                Cow::Owned(_) => kinds.1 += 1,
            }
        }
        assert!(kinds.0 >= 1 && kinds.1 >= 1, "{kinds:?}");
    }

    #[test]
    fn all_half_precision_values_widen_exactly() {
        let all: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
        let halves = to_f32(Dtype::F16, &all).unwrap();
        let brains = to_f32(Dtype::BF16, &all).unwrap();
        for bits in 0..=u16::MAX {
            let (half, brain) = (halves[usize::from(bits)], brains[usize::from(bits)]);
            let expected = f32::from_bits(u32::from(bits) << 16);
            assert!(brain.to_bits() == expected.to_bits() || (brain.is_nan() && expected.is_nan()));
            let expected = naive_f16(bits);
            assert!(half.to_bits() == expected.to_bits() || (half.is_nan() && expected.is_nan()));
        }
    }

    /// The definition of IEEE binary16, by powers of two.
    fn naive_f16(bits: u16) -> f32 {
        let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
        let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023) / 1024.0);
        match exponent {
            0 => sign * fraction * 2.0_f32.powi(-14),
            31 if fraction > 0.0 => f32::NAN,
            31 => sign * f32::INFINITY,
            _ => sign * (1.0 + fraction) * 2.0_f32.powi(exponent - 15),
        }
    }

    #[test]
    fn chunks_of_a_large_unaligned_tensor_join_in_order() {
        let count = 3 * CHUNK + 7;
        let mut data = vec![0_u8];
        data.extend((0..count).flat_map(|i| f16::from_f32((i % 1000) as f32).to_le_bytes()));
        let read = to_f32(Dtype::F16, &data[1..]).unwrap();
        assert!(
            read.len() == count
                && read
                    .iter()
                    .enumerate()
                    .all(|(i, v)| v.to_bits() == ((i % 1000) as f32).to_bits())
        );
    }

    #[test]
    fn integers_are_no_weights() {
        assert!(to_f32(Dtype::I64, &[0; 8]).is_none());
    }
}
