//! Attention without a matrix of rows by rows.
//!
//! A task takes one head of one item. It packs the keys and values of the head, normalised and rotated,
//! so that they stay in its second-level cache, and then takes a few queries at a time: all their
//! scores, the softmax, and the weighted sum of values.

#![expect(
    unsafe_code,
    reason = "tasks write to disjoint rectangles of the output"
)]

use std::ops::Range;

use super::{
    Cpu,
    buffer::{LINE, row_stride},
    math,
    norm::{self, EPSILON, Power},
    product::Product,
    shared::SharedMatrix,
    simd::{Kernel, MAX_LANES, Vectors},
    tensor::Tensor,
};
use crate::{Attention, Result, operands};

/// [`crate::Backend::attention`]
pub(super) fn attention(
    cpu: &Cpu,
    qkv: &Tensor,
    attention: Attention<'_, Tensor>,
    out: &mut Tensor,
) -> Result<()> {
    operands::attention(qkv, attention, out)?;
    let Attention { items, heads, head_dim, .. } = attention;
    let out = SharedMatrix::new(out.values_mut(), heads * head_dim);
    // Every part packs keys and values anew: only worth it where heads are fewer than threads.
    let parts = (2 * cpu.threads()).div_ceil((items.len() * heads).max(1));
    cpu.for_each_task(items.len() * heads * parts, |task| {
        let (pair, part) = (task / parts, task % parts);
        let item = items.range(pair / heads);
        let share = item.len().div_ceil(parts);
        let queries = item.len().min(part * share)..item.len().min((part + 1) * share);
        if queries.is_empty() {
            return Ok(());
        }
        let sizes = Sizes::new(item.len(), head_dim, cpu.level().panel(), cpu.level().rows());
        let mut room = cpu.scratch().lend(sizes.room())?;
        let room = sizes.divide(&mut room);
        cpu.level().run(Head {
            qkv,
            attention,
            item,
            head: pair % heads,
            queries,
            sizes,
            room,
            out,
        });
        Ok(())
    })
}

/// The sizes of a head's working memory.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    keys: usize,
    head_dim: usize,
    /// Columns of a panel.
    panel: usize,
    /// Queries taken at a time.
    block: usize,
}

/// Working memory of a task.
struct Room<'a> {
    /// Panels of keys, `head_dim` deep.
    keys: &'a mut [f32],
    /// Panels of columns, as deep as there are keys.
    values: &'a mut [f32],
    /// Rows of `head_dim`.
    queries: &'a mut [f32],
    /// Rows of scores, later weights, one for each key.
    scores: &'a mut [f32],
    /// One panel of weighted sums for each query.
    sums: &'a mut [f32],
    /// One over the sum of a query's weights.
    factors: &'a mut [f32],
}

impl Sizes {
    fn new(keys: usize, head_dim: usize, panel: usize, tile_rows: usize) -> Self {
        /// Scores kept at a time, a quarter of a second-level cache of 1 MiB.
        const SCORES: usize = 1 << 16;
        const MOST_QUERIES: usize = 96;

        let block = (SCORES / row_stride(keys)).min(MOST_QUERIES) / tile_rows * tile_rows;
        Self { keys, head_dim, panel, block: block.max(tile_rows) }
    }

    fn score_stride(self) -> usize {
        row_stride(self.keys.next_multiple_of(self.panel))
    }

    /// The lengths of the parts of [`Room`], in order.
    fn lengths(self) -> [usize; 6] {
        [
            self.keys.next_multiple_of(self.panel) * self.head_dim,
            self.head_dim.next_multiple_of(self.panel) * self.keys,
            self.block * self.head_dim,
            self.block * self.score_stride(),
            self.block * self.panel,
            self.block,
        ]
    }

    /// How many values [`Sizes::divide`] needs: each part begins with a cache line.
    fn room(self) -> usize {
        let lengths = self.lengths();
        lengths
            .iter()
            .map(|length| length.next_multiple_of(LINE))
            .sum()
    }

    fn divide(self, mut room: &mut [f32]) -> Room<'_> {
        let [keys, values, queries, scores, sums, factors] = self.lengths().map(|length| {
            let (part, rest) =
                std::mem::take(&mut room).split_at_mut(length.next_multiple_of(LINE));
            room = rest;
            &mut part[..length]
        });
        Room { keys, values, queries, scores, sums, factors }
    }
}

/// One head of one item, for some of its rows as queries.
struct Head<'a> {
    qkv: &'a Tensor,
    attention: Attention<'a, Tensor>,
    item: Range<usize>,
    head: usize,
    /// Counted from the item's first row.
    queries: Range<usize>,
    sizes: Sizes,
    room: Room<'a>,
    out: SharedMatrix<'a>,
}

impl Kernel for Head<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Vectors>(mut self, simd: S) {
        self.pack_keys(simd);
        self.pack_values::<S>();
        for start in self.queries.clone().step_by(self.sizes.block) {
            let block = start..self.queries.end.min(start + self.sizes.block);
            self.pack_queries(simd, block.clone());
            self.score(simd, block.len());
            self.weight(simd, block.len());
            self.weigh(simd, block);
        }
    }
}

/// The parts of a row of `q ‖ k ‖ v`.
#[derive(Clone, Copy)]
enum Part {
    Query,
    Key,
    Value,
}

impl Head<'_> {
    /// This head's part of a row of the item.
    #[inline(always)]
    fn part(&self, row: usize, part: Part) -> &[f32] {
        let Attention { heads, head_dim, .. } = self.attention;
        let column = (part as usize * heads + self.head) * head_dim;
        &self.qkv.row(self.item.start + row)[column..column + head_dim]
    }

    /// Writes a row of queries or keys, normalised, scaled and rotated.
    #[inline(always)]
    fn prepare<S: Vectors>(&self, simd: S, row: usize, part: Part, out: &mut [f32]) {
        let Attention { head_dim, rotary, rotated_heads, query_key_norm, .. } = self.attention;
        let x = self.part(row, part);
        let (scale, weight) = match part {
            Part::Query => (1.0 / (head_dim as f32).sqrt(), query_key_norm.map(|norm| norm.0)),
            Part::Key | Part::Value => (1.0, query_key_norm.map(|norm| norm.1)),
        };
        let angles = (self.head < rotated_heads).then(|| rotary.row(row));
        let factor = match weight {
            Some(_) => {
                scale / (norm::sum(simd, x, 0.0, Power::Two) / head_dim as f32 + EPSILON).sqrt()
            }
            None => scale,
        };
        for (chunk, out) in out.chunks_mut(S::LANES).enumerate() {
            let start = chunk * S::LANES;
            let mut y = simd.mul(simd.load_partial(&x[start..]), simd.splat(factor));
            if let Some(weight) = weight {
                y = simd.mul(y, simd.load_partial(&weight.row(0)[start..]));
            }
            if let Some(angles) = angles {
                y = simd.rotate_pairs(y, simd.load_partial(&angles[start..]));
            }
            simd.store_partial(y, out);
        }
    }
}

// The steps, in order.
impl Head<'_> {
    #[inline(always)]
    fn pack_keys<S: Vectors>(&mut self, simd: S) {
        let head_dim = self.sizes.head_dim;
        let keys = std::mem::take(&mut self.room.keys);
        // The room for queries is not in use yet.
        let row = std::mem::take(&mut self.room.queries);
        for (panel, out) in keys.chunks_exact_mut(S::PANEL * head_dim).enumerate() {
            for column in 0..S::PANEL {
                let key = panel * S::PANEL + column;
                if key < self.sizes.keys {
                    self.prepare(simd, key, Part::Key, &mut row[..head_dim]);
                } else {
                    row[..head_dim].fill(0.0);
                }
                for (depth, x) in row[..head_dim].iter().enumerate() {
                    out[depth * S::PANEL + column] = *x;
                }
            }
        }
        self.room.keys = keys;
        self.room.queries = row;
    }

    #[inline(always)]
    fn pack_values<S: Vectors>(&mut self) {
        let values = std::mem::take(&mut self.room.values);
        let (keys, head_dim) = (self.sizes.keys, self.sizes.head_dim);
        for (panel, out) in values.chunks_exact_mut(S::PANEL * keys).enumerate() {
            let columns = panel * S::PANEL..head_dim.min((panel + 1) * S::PANEL);
            for (key, out) in out.chunks_exact_mut(S::PANEL).enumerate() {
                let (out, filling) = out.split_at_mut(columns.len());
                out.copy_from_slice(&self.part(key, Part::Value)[columns.clone()]);
                filling.fill(0.0);
            }
        }
        self.room.values = values;
    }

    #[inline(always)]
    fn pack_queries<S: Vectors>(&mut self, simd: S, block: Range<usize>) {
        let queries = std::mem::take(&mut self.room.queries);
        for (row, out) in block.zip(queries.chunks_exact_mut(self.sizes.head_dim)) {
            self.prepare(simd, row, Part::Query, out);
        }
        self.room.queries = queries;
    }

    /// The products of the first `rows` queries with all keys.
    #[inline(always)]
    fn score<S: Vectors>(&mut self, simd: S, rows: usize) {
        let (head_dim, stride) = (self.sizes.head_dim, self.sizes.score_stride());
        for (index, panel) in self.room.keys.chunks_exact(S::PANEL * head_dim).enumerate() {
            let product = Product {
                a: self.room.queries,
                a_stride: head_dim,
                b: panel,
                depth: head_dim,
                c: &mut self.room.scores[index * S::PANEL..],
                c_stride: stride,
                accumulate: false,
                next: panel,
            };
            product.compute(simd, rows);
        }
    }

    /// Turns the scores of the first `rows` queries into weights.
    #[inline(always)]
    fn weight<S: Vectors>(&mut self, simd: S, rows: usize) {
        let scores = self.room.scores.chunks_exact_mut(self.sizes.score_stride());
        for (scores, factor) in scores.zip(self.room.factors.iter_mut()).take(rows) {
            *factor = 1.0 / exponentiate(simd, &mut scores[..self.sizes.keys]);
        }
    }

    /// Sums the values by the weights of the queries of a block.
    #[inline(always)]
    fn weigh<S: Vectors>(&mut self, simd: S, block: Range<usize>) {
        let Sizes { keys, head_dim, .. } = self.sizes;
        for (index, panel) in self.room.values.chunks_exact(S::PANEL * keys).enumerate() {
            for start in (0..keys).step_by(S::DEPTH) {
                let product = Product {
                    a: &self.room.scores[start..],
                    a_stride: self.sizes.score_stride(),
                    b: &panel[start * S::PANEL..],
                    depth: S::DEPTH.min(keys - start),
                    c: self.room.sums,
                    c_stride: S::PANEL,
                    accumulate: start > 0,
                    next: panel,
                };
                product.compute(simd, block.len());
            }
            let columns = index * S::PANEL..head_dim.min((index + 1) * S::PANEL);
            self.write(simd, &block, columns);
        }
    }

    /// Writes the sums of some columns of the head, divided by the sums of weights.
    #[inline(always)]
    fn write<S: Vectors>(&self, simd: S, block: &Range<usize>, columns: Range<usize>) {
        let first = self.head * self.sizes.head_dim + columns.start;
        for (index, sums) in self
            .room
            .sums
            .chunks_exact(S::PANEL)
            .take(block.len())
            .enumerate()
        {
            let row = self.item.start + block.start + index;
            // SAFETY: every task has rows or a head of its own, and takes one row after the other.
            let out = unsafe { self.out.row(row, first..first + columns.len()) };
            let factor = simd.splat(self.room.factors[index]);
            for start in (0..out.len()).step_by(S::LANES) {
                let sum = simd.mul(simd.load(&sums[start..]), factor);
                simd.store_partial(sum, &mut out[start..]);
            }
        }
    }
}

/// Replaces scores by `e^(score − the largest)`, and returns their sum.
#[inline(always)]
fn exponentiate<S: Vectors>(simd: S, scores: &mut [f32]) -> f32 {
    let largest = simd.splat(largest(simd, scores));
    let mut sums = simd.zero();
    let mut chunks = scores.chunks_exact_mut(S::LANES);
    for chunk in chunks.by_ref() {
        let weights = math::exp(simd, simd.sub(simd.load(chunk), largest));
        simd.store(weights, chunk);
        sums = simd.add(sums, weights);
    }
    let rest = chunks.into_remainder();
    simd.store_partial(math::exp(simd, simd.sub(simd.load_partial(rest), largest)), rest);
    simd.reduce_add(sums) + rest.iter().sum::<f32>()
}

#[inline(always)]
fn largest<S: Vectors>(simd: S, values: &[f32]) -> f32 {
    let chunks = values.chunks_exact(S::LANES);
    let rest = chunks.remainder();
    let mut vector = simd.splat(f32::NEG_INFINITY);
    for chunk in chunks {
        vector = simd.max(vector, simd.load(chunk));
    }
    let mut lanes = [f32::NEG_INFINITY; MAX_LANES];
    simd.store(vector, &mut lanes);
    let mut largest = f32::NEG_INFINITY;
    for &value in lanes.iter().chain(rest) {
        largest = if largest > value { largest } else { value };
    }
    largest
}
