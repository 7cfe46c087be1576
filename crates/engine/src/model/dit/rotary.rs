use std::sync::{Arc, Mutex, PoisonError};

use f5tts_kernels::Backend;

use crate::{checkpoint::Scope, error::LoadError, model::KernelResult};

/// The angles of the rotary position embedding, one table for all layers, grown on demand.
///
/// The frequencies are the checkpoint's own buffer, as in the official code: a file in half precision
/// carries rounded ones, and its network was evaluated with them.
#[derive(Debug)]
pub(super) struct Rotary<B: Backend> {
    frequencies: Vec<f32>,
    table: Mutex<Option<(usize, Arc<B::Tensor>)>>,
    backend: Arc<B>,
}

impl<B: Backend> Rotary<B> {
    pub(super) fn load(
        backend: &Arc<B>,
        weights: &Scope<'_>,
        head_dim: usize,
    ) -> Result<Self, LoadError> {
        let frequencies = weights.tensor("inv_freq", &[head_dim / 2])?.into_owned();
        Ok(Self {
            frequencies,
            table: Mutex::default(),
            backend: Arc::clone(backend),
        })
    }

    /// `cos θ, sin θ` of every pair: (at least `positions`, head width).
    pub(super) fn table(&self, positions: usize) -> KernelResult<Arc<B::Tensor>> {
        let mut kept = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((rows, table)) = kept.as_ref()
            && *rows >= positions
        {
            return Ok(Arc::clone(table));
        }
        let rows = positions.next_power_of_two();
        let values: Vec<f32> = (0..rows)
            .flat_map(|position| self.angles(position))
            .collect();
        let table = Arc::new(self.backend.upload(&values, 2 * self.frequencies.len())?);
        *kept = Some((rows, Arc::clone(&table)));
        Ok(table)
    }

    fn angles(&self, position: usize) -> impl Iterator<Item = f32> + '_ {
        self.frequencies.iter().flat_map(move |frequency| {
            let angle = position as f32 * frequency;
            [angle.cos(), angle.sin()]
        })
    }
}
