use std::fmt::Debug;

use super::{arguments::Finish, launch::Launch};
use crate::{Error, Result};

/// A place in device memory.
pub(super) type Address = u64;

/// What a GPU does for us. All but the first three and [`Device::free`] happen in the order of the calls; only
/// [`Device::download`] and [`Device::synchronize`] wait for them.
pub(super) trait Device: Debug + Send + Sync {
    /// The device, for people.
    fn describe(&self) -> String;

    /// How many blocks run at the same time, about.
    fn multiprocessors(&self) -> usize;

    /// Bytes of undefined content; an address that is a multiple of 16. `None` if there are not so many.
    fn allocate(&self, bytes: usize) -> Result<Option<Address>>;

    /// Gives memory back, when all that was asked for is done with it.
    fn free(&self, address: Address) -> Result<()>;

    /// Whether blocks may be larger than asked for, to be of use to more.
    fn rounds(&self) -> bool;

    /// How much memory there is and who has it, for the message that it does not suffice.
    fn shortage(&self) -> String;

    /// Copies from the host.
    fn upload(&self, bytes: &[u8], to: Address) -> Result<()>;

    /// Copies to the host, and waits for it.
    fn download(&self, from: Address, bytes: &mut [u8]) -> Result<()>;

    /// Sets every byte.
    fn fill(&self, to: Address, byte: u8, bytes: usize) -> Result<()>;

    /// Copies within the device.
    fn copy(&self, from: Address, to: Address, bytes: usize) -> Result<()>;

    /// Starts a kernel.
    fn launch(&self, launch: &Launch<'_>) -> Result<()>;

    /// Whether there is another library that multiplies matrices.
    fn multiplies(&self) -> bool;

    /// Multiplies matrices with another library; `false` if there is none, or it cannot.
    fn multiply(&self, product: &Product) -> Result<bool>;

    /// Waits until all that was asked for is done.
    fn synchronize(&self) -> Result<()>;

    /// From now on what is asked for is only noted down.
    fn begin_recording(&self) -> Result<()>;

    /// Ends that; what was noted down can be done again and again.
    fn end_recording(&self) -> Result<Box<dyn Graph>>;
}

/// Operations that were noted down.
pub(super) trait Graph: Debug + Send + Sync {
    /// Does them.
    fn replay(&self) -> Result<()>;
}

/// `out = finish(a·wᵀ)` of `a` (rows, depth) and `w` (columns, depth), both in half precision.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    not(feature = "cuda"),
    expect(dead_code, reason = "the emulation has no library")
)]
pub(super) struct Product {
    pub(super) a: Address,
    /// Halves from row to row.
    pub(super) a_stride: usize,
    pub(super) weight: Address,
    /// The bias in half precision.
    pub(super) half_bias: Option<Address>,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) depth: usize,
    pub(super) finish: Finish,
}

/// A size as kernels take it.
pub(super) fn int(value: usize) -> Result<i32> {
    i32::try_from(value).map_err(|_| Error::Shape {
        operation: "launch",
        expected: format!("sizes of at most {}", i32::MAX),
        actual: value.to_string(),
    })
}
