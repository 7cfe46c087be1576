//! What the network does on the host, on a row or a few.

/// Layer norm's ε in Whisper, ten times that of the speech model.
const EPSILON: f32 = 1e-5;

/// A norm's weight and bias.
#[derive(Debug)]
pub(crate) struct Norm {
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Vec<f32>,
}

impl Norm {
    /// Layer norm of every row.
    pub(crate) fn apply(&self, rows: &[f32]) -> Vec<f32> {
        let width = self.weight.len();
        let mut out = Vec::with_capacity(rows.len());
        for row in rows.chunks_exact(width) {
            let mean = row.iter().sum::<f32>() / width as f32;
            let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / width as f32;
            let factor = 1.0 / (variance + EPSILON).sqrt();
            let affine = self.weight.iter().zip(&self.bias);
            out.extend(
                row.iter()
                    .zip(affine)
                    .map(|(x, (weight, bias))| (x - mean) * factor * weight + bias),
            );
        }
        out
    }
}

/// GELU by the error function, in place.
pub(crate) fn gelu(values: &mut [f32]) {
    for value in values {
        *value *= 0.5 * (1.0 + libm::erff(*value * std::f32::consts::FRAC_1_SQRT_2));
    }
}

/// `sum += other`
pub(crate) fn add(sum: &mut [f32], other: &[f32]) {
    for (value, other) in sum.iter_mut().zip(other) {
        *value += other;
    }
}

/// The natural logarithms of a softmax.
pub(crate) fn log_softmax(logits: &[f32]) -> Vec<f32> {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits
        .iter()
        .map(|logit| f64::from(logit - most).exp())
        .sum();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a logarithm of a few digits"
    )]
    let log_sum = sum.ln() as f32;
    logits.iter().map(|logit| logit - most - log_sum).collect()
}

/// One query's attention over `keys` and `values` (rows, `heads · query.len() / heads`).
pub(crate) fn attend(query: &[f32], keys: &[f32], values: &[f32], heads: usize) -> Vec<f32> {
    let width = query.len();
    let head_dim = width / heads;
    let scale = 1.0 / (head_dim as f32).sqrt();
    let mut out = vec![0.0; width];
    for head in 0..heads {
        let columns = head * head_dim..(head + 1) * head_dim;
        let query = &query[columns.clone()];
        let score = |key: &[f32]| {
            scale
                * key[columns.clone()]
                    .iter()
                    .zip(query)
                    .map(|(a, b)| a * b)
                    .sum::<f32>()
        };
        let mut weights: Vec<f32> = keys.chunks_exact(width).map(score).collect();
        let most = weights.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut sum = 0.0;
        for weight in &mut weights {
            *weight = (*weight - most).exp();
            sum += *weight;
        }
        let out = &mut out[columns.clone()];
        for (weight, value) in weights.iter().zip(values.chunks_exact(width)) {
            for (out, value) in out.iter_mut().zip(&value[columns.clone()]) {
                *out += weight / sum * value;
            }
        }
    }
    out
}
