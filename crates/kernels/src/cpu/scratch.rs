use std::{
    ops::{Deref, DerefMut},
    sync::{Mutex, PoisonError},
};

use super::buffer::Buffer;
use crate::Result;

/// Buffers that tasks borrow for a moment, kept for the next ones.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    free: Mutex<Vec<Buffer>>,
}

impl Scratch {
    /// Lends a buffer of at least `length` values; what they are is left over from others.
    pub(crate) fn lend(&self, length: usize) -> Result<Lease<'_>> {
        let free = self
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let buffer = match free {
            Some(buffer) if buffer.len() >= length => buffer,
            // Dropping a buffer that is too small keeps the number of them at the number of threads.
            _ => Buffer::zeros(length)?,
        };
        Ok(Lease { home: self, buffer: Some(buffer) })
    }
}

/// A borrowed buffer.
#[derive(Debug)]
pub(crate) struct Lease<'a> {
    home: &'a Scratch,
    buffer: Option<Buffer>,
}

const LENT: &str = "only dropping the lease takes the buffer";

impl Deref for Lease<'_> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        self.buffer.as_deref().expect(LENT)
    }
}

impl DerefMut for Lease<'_> {
    fn deref_mut(&mut self) -> &mut [f32] {
        self.buffer.as_deref_mut().expect(LENT)
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut free = self
            .home
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        free.extend(self.buffer.take());
    }
}
