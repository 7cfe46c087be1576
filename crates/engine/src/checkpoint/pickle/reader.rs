use super::PickleError;

/// The bytes of a pickle, read from front to back.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The offset of the next byte.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], PickleError> {
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..count).ok_or(PickleError::Truncated)?;
        self.at += count;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], PickleError> {
        let rest = &self.bytes[self.at..];
        let taken = rest.first_chunk().ok_or(PickleError::Truncated)?;
        self.at += N;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, PickleError> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, PickleError> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, PickleError> {
        self.array().map(u32::from_le_bytes)
    }

    /// A length of one byte, then so many bytes.
    pub(super) fn bytes8(&mut self) -> Result<&'a [u8], PickleError> {
        let count = self.u8()?;
        self.take(usize::from(count))
    }

    /// A length of four bytes, then so many bytes.
    pub(super) fn bytes32(&mut self) -> Result<&'a [u8], PickleError> {
        let count = self.u32()?;
        self.take(usize::try_from(count).map_err(|_| PickleError::Truncated)?)
    }

    /// A length of eight bytes, then so many bytes.
    pub(super) fn bytes64(&mut self) -> Result<&'a [u8], PickleError> {
        let count = self.array().map(u64::from_le_bytes)?;
        self.take(usize::try_from(count).map_err(|_| PickleError::Truncated)?)
    }

    /// A line without its end.
    pub(super) fn line(&mut self) -> Result<&'a [u8], PickleError> {
        let rest = &self.bytes[self.at..];
        let mut lines = rest.split(|byte| *byte == b'\n');
        let line = lines.next().filter(|line| line.len() < rest.len());
        let line = line.ok_or(PickleError::Truncated)?;
        self.at += line.len() + 1;
        Ok(line)
    }
}
