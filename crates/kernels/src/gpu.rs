//! The GPU of builds that know one, under one name for those that do not.

use std::num::NonZeroUsize;

use crate::Result;

/// What [`open_gpu`] opens.
#[cfg(feature = "cuda")]
pub type Gpu = crate::Cuda;
/// What [`open_gpu`] would open: a name for code that is the same in all builds.
#[cfg(not(feature = "cuda"))]
pub type Gpu = crate::Cpu;

/// Opens the first NVIDIA GPU that can be seen; `threads` of the processor help it, one a core by default.
///
/// # Errors
/// There is none, it cannot be used, or this build has not the feature `cuda`.
#[cfg(feature = "cuda")]
pub fn open_gpu(threads: Option<NonZeroUsize>) -> Result<Gpu> {
    crate::Cuda::new(crate::CudaOptions { threads, ..Default::default() })
}

/// Opens nothing, as this build has not the feature `cuda`.
///
/// # Errors
/// Always.
#[cfg(not(feature = "cuda"))]
pub fn open_gpu(_threads: Option<NonZeroUsize>) -> Result<Gpu> {
    Err(crate::Error::NoDevice {
        reason: "this program was built without the feature `cuda`".to_owned(),
    })
}
