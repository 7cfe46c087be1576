use std::sync::{Arc, Mutex, PoisonError};

use f5tts_kernels::Backend;

use crate::{checkpoint::Weights, error::LoadError, model::config::DitConfig};

/// Width of the sinusoidal embedding of time.
const TIME_FEATURES: usize = 256;
/// Tables kept: one for each of the few settings that a server sees.
const KEPT_TABLES: usize = 4;

/// The AdaLN modulations of all layers, a row an evaluation.
#[derive(Debug)]
pub struct ModulationTable<B: Backend> {
    /// (evaluations, columns): the parts of every block, then those of the output norm.
    pub rows: B::Tensor,
    /// `τ`, the time embedding of each evaluation: (evaluations, dim).
    #[cfg(test)]
    pub(crate) time_embedding: Vec<f32>,
}

/// Where the modulations of a layer lie in a row of [`ModulationTable`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns {
    dim: usize,
    depth: usize,
}

/// One block's columns; pairs are (scale, shift).
#[derive(Clone, Copy, Debug)]
pub(super) struct BlockColumns {
    pub(super) attention: (usize, usize),
    pub(super) attention_gate: usize,
    pub(super) feed_forward: (usize, usize),
    pub(super) feed_forward_gate: usize,
}

impl Columns {
    pub(super) fn new(config: &DitConfig) -> Self {
        Self { dim: config.dim, depth: config.depth }
    }

    /// A block's six parts lie as shift, scale, gate for attention, then for the feed-forward.
    pub(super) fn block(self, index: usize) -> BlockColumns {
        let part = |part: usize| (6 * index + part) * self.dim;
        BlockColumns {
            attention: (part(1), part(0)),
            attention_gate: part(2),
            feed_forward: (part(4), part(3)),
            feed_forward_gate: part(5),
        }
    }

    /// The output norm's (scale, shift); here, other than in the blocks, the scale comes first.
    pub(super) fn output(self) -> (usize, usize) {
        (6 * self.depth * self.dim, (6 * self.depth + 1) * self.dim)
    }

    fn total(self) -> usize {
        (6 * self.depth + 2) * self.dim
    }
}

/// Makes [`ModulationTable`]s from the mapped file.
///
/// The modulations depend on time alone. So their weights, 41 % of all, never become resident:
/// a table of a few megabytes is made for each list of times.
#[derive(Debug)]
pub(super) struct Modulations<B: Backend> {
    columns: Columns,
    weights: Arc<Weights>,
    /// The last few, the latest used at the end.
    kept: Mutex<Vec<Kept<B>>>,
    backend: Arc<B>,
}

#[derive(Debug)]
struct Kept<B: Backend> {
    /// The times, bit for bit.
    times: Vec<u32>,
    table: Arc<ModulationTable<B>>,
}

impl<B: Backend> Modulations<B> {
    pub(super) fn load(
        backend: &Arc<B>,
        weights: &Arc<Weights>,
        config: &DitConfig,
    ) -> Result<Self, LoadError> {
        let modulations = Self {
            columns: Columns::new(config),
            weights: Arc::clone(weights),
            kept: Mutex::default(),
            backend: Arc::clone(backend),
        };
        modulations.check()?;
        Ok(modulations)
    }

    pub(super) fn columns(&self) -> Columns {
        self.columns
    }

    /// The table for evaluations at `times`.
    pub(super) fn at(&self, times: &[f32]) -> Result<Arc<ModulationTable<B>>, LoadError> {
        let key: Vec<u32> = times.iter().map(|time| time.to_bits()).collect();
        if let Some(table) = self.kept(&key) {
            return Ok(table);
        }
        // Not under the lock: the device's threads may come here again for another request.
        let table = Arc::new(self.compute(times)?);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT_TABLES {
            kept.remove(0);
        }
        kept.push(Kept { times: key, table: Arc::clone(&table) });
        Ok(table)
    }

    /// The table of these times, if it is kept; it then is the latest used.
    fn kept(&self, key: &[u32]) -> Option<Arc<ModulationTable<B>>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|entry| entry.times == key)?;
        let entry = kept.remove(at);
        let table = Arc::clone(&entry.table);
        kept.push(entry);
        Some(table)
    }

    fn compute(&self, times: &[f32]) -> Result<ModulationTable<B>, LoadError> {
        let (dim, columns) = (self.columns.dim, self.columns.total());
        let time_embedding = self.time_embedding(times)?;
        let activated: Vec<f32> = time_embedding.iter().map(|&x| silu(x)).collect();
        let mut rows = vec![0.0; times.len() * columns];
        let mut at = 0;
        for (name, parts) in self.layers() {
            let width = parts * dim;
            let mut projected = vec![0.0; times.len() * width];
            self.project(&name, &activated, dim, &mut projected)?;
            for (row, values) in rows
                .chunks_exact_mut(columns)
                .zip(projected.chunks_exact(width))
            {
                row[at..at + width].copy_from_slice(values);
            }
            at += width;
        }
        Ok(ModulationTable {
            rows: self.backend.upload(&rows, columns)?,
            #[cfg(test)]
            time_embedding,
        })
    }

    /// `τ = W₂·SiLU(W₁·v + b₁) + b₂` of the sinusoids `v` of 1000·t.
    fn time_embedding(&self, times: &[f32]) -> Result<Vec<f32>, LoadError> {
        let dim = self.columns.dim;
        let features: Vec<f32> = times.iter().flat_map(|&time| time_features(time)).collect();
        let mut widened = vec![0.0; times.len() * dim];
        self.project("time_embed.time_mlp.0", &features, TIME_FEATURES, &mut widened)?;
        widened.iter_mut().for_each(|x| *x = silu(*x));
        let mut embedding = vec![0.0; times.len() * dim];
        self.project("time_embed.time_mlp.2", &widened, dim, &mut embedding)?;
        Ok(embedding)
    }

    fn project(
        &self,
        layer: &str,
        inputs: &[f32],
        width: usize,
        out: &mut [f32],
    ) -> Result<(), LoadError> {
        let outputs = out.len() / (inputs.len() / width);
        let root = self.weights.root();
        let scope = root.scope(layer);
        let weight = scope.tensor("weight", &[outputs, width])?;
        let bias = scope.tensor("bias", &[outputs])?;
        Ok(self.backend.project(&weight, &bias, inputs, out)?)
    }

    /// The layers in the order of [`Columns`], with the number of parts that each has.
    fn layers(&self) -> impl Iterator<Item = (String, usize)> + use<B> {
        let blocks = (0..self.columns.depth)
            .map(|index| (format!("transformer_blocks.{index}.attn_norm.linear"), 6));
        blocks.chain([("norm_out.linear".to_owned(), 2)])
    }

    /// Asks for every tensor once, so that a missing one is found at load.
    fn check(&self) -> Result<(), LoadError> {
        let dim = self.columns.dim;
        let root = self.weights.root();
        let mlp = [
            ("time_embed.time_mlp.0".to_owned(), dim, TIME_FEATURES),
            ("time_embed.time_mlp.2".to_owned(), dim, dim),
        ];
        let norms = self.layers().map(|(name, parts)| (name, parts * dim, dim));
        for (name, outputs, inputs) in mlp.into_iter().chain(norms) {
            let scope = root.scope(&name);
            scope.check("weight", &[outputs, inputs])?;
            scope.check("bias", &[outputs])?;
        }
        Ok(())
    }
}

/// Sines, then cosines, of 1000·t at 128 frequencies from 1 down to 1/10 000.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the official code computes in f32"
)]
fn time_features(time: f32) -> [f32; TIME_FEATURES] {
    const HALF: usize = TIME_FEATURES / 2;
    let decay = (-(10_000_f64.ln()) / (HALF - 1) as f64) as f32;
    let mut features = [0.0; TIME_FEATURES];
    for index in 0..HALF {
        let frequency = (index as f32 * decay).exp();
        let angle = 1000.0 * time * frequency;
        features[index] = angle.sin();
        features[HALF + index] = angle.cos();
    }
    features
}

fn silu(x: f32) -> f32 {
    x / (1.0 + (-x).exp())
}
