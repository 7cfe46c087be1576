//! How much memory the tables in a Vorbis header take, read before a decoder makes them.

use symphonia::core::codecs::audio::{AudioCodecParameters, well_known::CODEC_ID_VORBIS};

/// The values in all codebooks together; libvorbis and ffmpeg write less than 100 000.
const MOST_VALUES: u64 = 1 << 21;
/// What the header with the codebooks begins with.
const SETUP: &[u8] = b"\x05vorbis";
const SYNC: u64 = 0x56_4342;

/// Whether the codebooks of a stream are larger than any encoder makes them: each may take 16 MB, from
/// 21 bytes of the file.
pub(super) fn is_too_large(params: &AudioCodecParameters) -> bool {
    let header = params
        .extra_data
        .as_deref()
        .filter(|_| params.codec == CODEC_ID_VORBIS);
    let setup = header.and_then(|header| {
        let start = header
            .windows(SETUP.len())
            .position(|window| window == SETUP)?;
        header.get(start + SETUP.len()..)
    });
    setup.is_some_and(|setup| has_too_many_values(Bits { bytes: setup, at: 0 }))
}

/// A header that ends early, or is wrong, is left to the decoder.
fn has_too_many_values(mut bits: Bits<'_>) -> bool {
    let mut values = 0;
    let mut codebooks = bits.read(8).map_or(0, |count| count + 1);
    while codebooks > 0 && values <= MOST_VALUES {
        let Some(more) = codebook(&mut bits) else {
            break;
        };
        values += more;
        codebooks -= 1;
    }
    values > MOST_VALUES
}

/// Reads over a codebook (Vorbis I specification, 3.2.1), and returns how many values it has.
fn codebook(bits: &mut Bits<'_>) -> Option<u64> {
    if bits.read(24)? != SYNC {
        return None;
    }
    let (dimensions, entries) = (bits.read(16)?, bits.read(24)?);
    let values = entries * (dimensions + 1);
    if values > MOST_VALUES {
        return Some(values);
    }
    lengths(bits, entries)?;
    let multiplicands = match bits.read(4)? {
        0 => return Some(values),
        1 => root(entries, dimensions),
        2 => entries * dimensions,
        _ => return None,
    };
    bits.skip(64)?;
    let width = bits.read(4)? + 1;
    bits.skip(1 + multiplicands * width)?;
    Some(values)
}

fn lengths(bits: &mut Bits<'_>, entries: u64) -> Option<()> {
    let is_ordered = bits.read(1)? == 1;
    if is_ordered {
        bits.skip(5)?;
        let mut entry = 0;
        while entry < entries {
            entry += bits.read(u64::BITS - (entries - entry).leading_zeros())?;
        }
        return Some(());
    }
    let is_sparse = bits.read(1)? == 1;
    for _ in 0..entries {
        if !is_sparse || bits.read(1)? == 1 {
            bits.skip(5)?;
        }
    }
    Some(())
}

/// The greatest number whose power is not above `entries`.
fn root(entries: u64, dimensions: u64) -> u64 {
    let power = |number: u64| {
        let dimensions = u32::try_from(dimensions).unwrap_or(u32::MAX);
        number.checked_pow(dimensions)
    };
    (1..=entries)
        .take_while(|&number| power(number).is_some_and(|power| power <= entries))
        .last()
        .unwrap_or_default()
}

/// Bits from the lowest of each byte upwards.
struct Bits<'a> {
    bytes: &'a [u8],
    at: u64,
}

impl Bits<'_> {
    fn read(&mut self, count: u32) -> Option<u64> {
        let start = self.at;
        self.skip(count.into())?;
        let bit = |at: u64| {
            let byte = self.bytes[usize::try_from(at / 8).ok()?];
            Some(u64::from(byte >> (at % 8) & 1))
        };
        (start..self.at)
            .rev()
            .try_fold(0, |value, at| Some(value << 1 | bit(at)?))
    }

    fn skip(&mut self, count: u64) -> Option<()> {
        let end = self.at.checked_add(count)?;
        (end.div_ceil(8) <= self.bytes.len() as u64).then(|| self.at = end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Bytes of fields of (bits, value).
    fn packed(fields: &[(u32, u64)]) -> Vec<u8> {
        let bits: Vec<bool> = fields
            .iter()
            .flat_map(|&(count, value)| (0..count).map(move |bit| value >> bit & 1 == 1))
            .collect();
        bits.chunks(8)
            .map(|byte| {
                byte.iter()
                    .rev()
                    .fold(0, |value, &bit| value << 1 | u8::from(bit))
            })
            .collect()
    }

    fn is_refused(setup: &[u8]) -> bool {
        has_too_many_values(Bits { bytes: setup, at: 0 })
    }

    /// A codebook of 2^17 codewords of 17 bits, with one multiplicand for all dimensions.
    fn large(dimensions: u64) -> Vec<(u32, u64)> {
        let entries = 1 << 17;
        let head = [(24, SYNC), (16, dimensions), (24, entries)];
        let lengths = [(1, 1), (5, 16), (18, entries)];
        let multiplicand_bits = u32::try_from(root(entries, dimensions)).unwrap();
        let lookup = [
            (4, 1),
            (32, 0),
            (32, 0),
            (4, 0),
            (1, 0),
            (multiplicand_bits, 0),
        ];
        [&head[..], &lengths, &lookup].concat()
    }

    #[test]
    fn many_large_codebooks_are_refused_and_one_is_not() {
        let setup = |count: usize| {
            let count_field = (8, u64::try_from(count - 1).unwrap());
            packed(&[vec![count_field], large(8).repeat(count)].concat())
        };
        assert!(!is_refused(&setup(1)));
        assert!(is_refused(&setup(2)));
        assert!(is_refused(&setup(256)));
        assert!(is_refused(&packed(&[vec![(8, 0)], large(32)].concat())));
    }

    #[test]
    fn lengths_of_all_kinds_are_read_over() {
        let dense = [
            (24, SYNC),
            (16, 1),
            (24, 2),
            (1, 0),
            (1, 0),
            (5, 0),
            (5, 0),
            (4, 0),
        ];
        let sparse = [
            (24, SYNC),
            (16, 1),
            (24, 2),
            (1, 0),
            (1, 1),
            (1, 0),
            (1, 1),
            (5, 0),
            (4, 0),
        ];
        let table = [(24, SYNC), (16, 2), (24, 4), (1, 1), (5, 1), (3, 4), (4, 2)];
        let values = [(32, 0), (32, 0), (4, 3), (1, 0), (32, 0)];
        let small = [&dense[..], &sparse, &table, &values].concat();
        let mut setup = vec![(8, 5)];
        setup.extend(small);
        setup.extend(large(8).repeat(3));
        assert!(is_refused(&packed(&setup)));
    }

    proptest! {
        #[test]
        fn any_header_is_read_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let with_codebook = [&packed(&[(8, 3), (24, SYNC)])[..], &bytes].concat();
            is_refused(&with_codebook);
            is_refused(&bytes);
        }
    }
}
