#![expect(unsafe_code, reason = "lines and pages of memory are read as `f32`")]

use std::{
    fmt,
    ops::{Deref, DerefMut},
    slice,
};

use memmap2::MmapMut;

use crate::{Error, Result};

/// A fixed number of `f32`, zero at first, that begins with a cache line.
///
/// Large ones are fresh pages of the system: they cost no time before they are touched, and ask for
/// huge pages, which spare the matrix product a good part of its address translations.
pub(crate) struct Buffer {
    storage: Storage,
    length: usize,
}

enum Storage {
    Lines(Vec<Line>),
    /// `offset` bytes into the mapping lies the first multiple of [`HUGE_PAGE`].
    Pages {
        map: MmapMut,
        offset: usize,
    },
}

/// A cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

/// Values in a cache line.
pub(crate) const LINE: usize = 16;

/// Bytes of a huge page.
const HUGE_PAGE: usize = 2 << 20;

impl Buffer {
    /// Allocates `length` zeros.
    pub(crate) fn zeros(length: usize) -> Result<Self> {
        let too_large = || Error::Memory {
            bytes: usize::MAX,
            source: std::io::ErrorKind::OutOfMemory.into(),
        };
        let bytes = length
            .checked_mul(size_of::<f32>())
            .and_then(|bytes| bytes.checked_add(HUGE_PAGE))
            .ok_or_else(too_large)?
            - HUGE_PAGE;
        let storage = if bytes < HUGE_PAGE {
            Storage::Lines(vec![Line([0.0; LINE]); length.div_ceil(LINE)])
        } else {
            Self::pages(bytes)?
        };
        Ok(Self { storage, length })
    }

    fn pages(bytes: usize) -> Result<Storage> {
        let map = MmapMut::map_anon(bytes + HUGE_PAGE)
            .map_err(|source| Error::Memory { bytes, source })?;
        // Only a matter of speed; not every system can.
        #[cfg(target_os = "linux")]
        map.advise(memmap2::Advice::HugePage).ok();
        let offset = map.as_ptr().align_offset(HUGE_PAGE);
        Ok(Storage::Pages { map, offset })
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        let start: *const f32 = match &self.storage {
            Storage::Lines(lines) => lines.as_ptr().cast(),
            Storage::Pages { map, offset } => map[*offset..].as_ptr().cast(),
        };
        // SAFETY: the storage holds `length` values, aligned, always initialised, as any bits are an
        // `f32`; it is borrowed with `self`.
        unsafe { slice::from_raw_parts(start, self.length) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        let start: *mut f32 = match &mut self.storage {
            Storage::Lines(lines) => lines.as_mut_ptr().cast(),
            Storage::Pages { map, offset } => map[*offset..].as_mut_ptr().cast(),
        };
        // SAFETY: the storage holds `length` values, aligned, always initialised, as any bits are an
        // `f32`; it is borrowed with `self`, exclusively.
        unsafe { slice::from_raw_parts_mut(start, self.length) }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({})", self.length)
    }
}

/// A row's stride, at least `columns`, such that rows do not fall onto each other in the caches.
///
/// An odd number of cache lines: the usual widths are powers of two, whose rows would all compete for
/// the same few places.
pub(crate) const fn row_stride(columns: usize) -> usize {
    (columns.div_ceil(LINE) | 1) * LINE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_large_buffers_are_aligned_zeros() {
        for length in [
            0,
            1,
            17,
            HUGE_PAGE / 4 - 1,
            HUGE_PAGE / 4,
            HUGE_PAGE / 2 + 3,
        ] {
            let mut buffer = Buffer::zeros(length).unwrap();
            assert_eq!(buffer.len(), length);
            assert!(buffer.iter().all(|value| value.to_bits() == 0));
            assert_eq!(buffer.as_ptr().align_offset(64), 0);
            buffer.fill(1.0);
            assert!(
                buffer
                    .iter()
                    .all(|value| value.to_bits() == 1.0_f32.to_bits())
            );
        }
    }

    #[test]
    fn impossible_sizes_are_refused() {
        for length in [usize::MAX, usize::MAX / 4, 1 << 60] {
            assert!(matches!(Buffer::zeros(length), Err(Error::Memory { .. })));
        }
    }

    #[test]
    fn strides_are_an_odd_number_of_lines() {
        assert_eq!([1, 16, 17, 1024].map(row_stride), [16, 16, 48, 1040]);
    }
}
