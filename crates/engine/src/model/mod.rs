//! The networks: the DiT that predicts the flow and the vocoder that makes its mel audible.

pub mod config;
mod convnext;
pub mod dit;
#[cfg(test)]
pub(crate) mod tiny;
pub mod vocos;

use f5tts_kernels::Backend;

use crate::{checkpoint::Scope, error::LoadError};

/// What an operation of the device gives.
pub(crate) type KernelResult<T> = f5tts_kernels::Result<T>;

/// Loads `{scope}.weight` (outputs, inputs) and `{scope}.bias`.
fn load_linear<B: Backend>(
    backend: &B,
    scope: &Scope<'_>,
    outputs: usize,
    inputs: usize,
) -> Result<B::Linear, LoadError> {
    let weight = scope.tensor("weight", &[outputs, inputs])?;
    let bias = scope.tensor("bias", &[outputs])?;
    Ok(backend.load_linear(&weight, Some(&bias), inputs)?)
}

/// Loads `{scope}.weight` and `{scope}.bias` of a norm.
fn load_norm<B: Backend>(
    backend: &B,
    scope: &Scope<'_>,
    dim: usize,
) -> Result<(B::Tensor, B::Tensor), LoadError> {
    let weight = backend.upload(&scope.tensor("weight", &[dim])?, dim)?;
    let bias = backend.upload(&scope.tensor("bias", &[dim])?, dim)?;
    Ok((weight, bias))
}
