//! Every operation on both devices.

use std::error::Error;

use f5tts_engine::sampler::noise::NoiseGenerator;
use f5tts_kernels::{
    Activation, Attention, Backend, ConvShape, ConvTail, Cpu, CpuOptions, Cuda, Epilogue, Istft,
    IstftPadding, Items, LinearInput, Modulation, Result,
};

use super::{Check, check};

/// Half precision has 11 significant bits: what is rounded once is off by about 2e-4, and sums of many such less.
const LIMIT: f64 = 2e-3;

/// How large the operands are.
pub(crate) struct Sizes {
    dim: usize,
    /// Rows of items: one, primes, what an utterance has, the most that a chunk may have.
    rows: &'static [usize],
    /// Random shapes in a row.
    shapes: usize,
}

impl Sizes {
    pub(crate) const fn real() -> Self {
        Self { dim: 1024, rows: &[1, 7, 127, 562, 1219, 4096], shapes: 1000 }
    }

    pub(crate) const fn small() -> Self {
        Self { dim: 128, rows: &[1, 7, 67], shapes: 10 }
    }
}

pub(crate) fn compare(
    cuda: &Cuda,
    sizes: &Sizes,
    checks: &mut Vec<Check>,
) -> std::result::Result<(), Box<dyn Error>> {
    let cpu = Cpu::new(CpuOptions::default())?;
    for &rows in sizes.rows {
        // A second, shorter item beside.
        let items = Items::new([rows, rows.div_ceil(3)]);
        for (name, operation) in OPERATIONS {
            let operands = Operands { items: &items, dim: sizes.dim };
            let actual = operation.0(cuda, &operands)?;
            let expected = operation.1(&cpu, &operands)?;
            checks.push(check(&format!("{name}, {rows} rows"), &actual, &expected, LIMIT));
        }
    }
    let before = cuda.memory().0;
    for shape in 0..sizes.shapes {
        // Different numbers of rows, without a pattern.
        let items = Items::new([shape * 7919 % 1999 + 1, shape * 104_729 % 997]);
        // Narrow ones: making weights takes the time here.
        let dim = (sizes.dim / 4).max(64);
        let block = block(cuda, &Operands { items: &items, dim })?;
        if !block.iter().all(|value| value.is_finite()) {
            return Err(format!("values that are not finite at {items:?}").into());
        }
    }
    let (used, idle) = cuda.memory();
    eprintln!("after {} shapes: {used} bytes in use, {idle} idle", sizes.shapes);
    // What remains in use are the places of the last few batches' rows.
    let grown = used.saturating_sub(before) as f32;
    checks.push(check(
        "bytes kept after many shapes",
        &[grown / (1 << 20) as f32 + 1.0],
        &[1.0],
        2.0,
    ));
    Ok(())
}

pub(crate) struct Operands<'a> {
    items: &'a Items,
    dim: usize,
}

/// The same operation for either device.
struct Both(
    fn(&Cuda, &Operands<'_>) -> Result<Vec<f32>>,
    fn(&Cpu, &Operands<'_>) -> Result<Vec<f32>>,
);

const OPERATIONS: [(&str, Both); 6] = [
    ("transformer block", Both(block::<Cuda>, block::<Cpu>)),
    ("grouped convolution", Both(grouped::<Cuda>, grouped::<Cpu>)),
    ("dense convolution", Both(dense::<Cuda>, dense::<Cpu>)),
    ("depthwise convolution", Both(depthwise::<Cuda>, depthwise::<Cpu>)),
    ("norms", Both(norms::<Cuda>, norms::<Cpu>)),
    ("inverse transform", Both(wave::<Cuda>, wave::<Cpu>)),
];

fn numbers(seed: u64, count: usize, spread: f32) -> Vec<f32> {
    // At least as many as the generator makes together.
    let mut numbers = NoiseGenerator::new(seed).normal(count.max(16));
    numbers.truncate(count);
    numbers.iter_mut().for_each(|x| *x *= spread);
    numbers
}

fn matrix<B: Backend>(backend: &B, seed: u64, rows: usize, columns: usize) -> Result<B::Tensor> {
    backend.upload(&numbers(seed, rows * columns, 1.0), columns)
}

fn linear<B: Backend>(backend: &B, seed: u64, outputs: usize, inputs: usize) -> Result<B::Linear> {
    let weight = numbers(seed, outputs * inputs, (inputs as f32).powf(-0.5));
    backend.load_linear(&weight, Some(&numbers(seed + 1, outputs, 0.1)), inputs)
}

/// A transformer block: modulated products, attention, gates.
fn block<B: Backend>(backend: &B, operands: &Operands<'_>) -> Result<Vec<f32>> {
    let &Operands { items, dim } = operands;
    let (rows, heads) = (items.rows(), dim / 64);
    let positions = items
        .iter()
        .map(|item| item.len())
        .max()
        .unwrap_or_default();
    let angles = (0..positions)
        .flat_map(|position| (0_i32..32).map(move |pair| position as f32 / 1.3_f32.powi(pair)));
    let rotary: Vec<f32> = angles
        .flat_map(|angle| [angle.cos(), angle.sin()])
        .collect();
    let table = matrix(backend, 1, items.len(), 3 * dim)?;
    let mut x = matrix(backend, 2, rows, dim)?;
    let mut qkv = backend.activations(rows, 3 * dim)?;
    let mut attended = backend.activations(rows, dim)?;
    let mut widened = backend.activations(rows, 2 * dim)?;
    let modulation = Modulation { table: &table, items, scale: 0, shift: dim };
    let gate = Epilogue::GatedResidual { table: &table, items, gate: 2 * dim };
    let store = Epilogue::Store(Activation::None);
    backend.linear(
        LinearInput::Modulated(&x, modulation),
        &linear(backend, 3, 3 * dim, dim)?,
        store,
        &mut qkv,
    )?;
    let attention = Attention {
        items,
        heads,
        head_dim: 64,
        rotary: &backend.upload(&rotary, 64)?,
        rotated_heads: heads,
        query_key_norm: None,
    };
    backend.attention(&qkv, attention, &mut attended)?;
    backend.linear(LinearInput::Plain(&attended), &linear(backend, 5, dim, dim)?, gate, &mut x)?;
    let gelu = Epilogue::Store(Activation::GeluTanh);
    backend.linear(
        LinearInput::Modulated(&x, modulation),
        &linear(backend, 7, 2 * dim, dim)?,
        gelu,
        &mut widened,
    )?;
    backend.linear(
        LinearInput::Plain(&widened),
        &linear(backend, 9, dim, 2 * dim)?,
        gate,
        &mut x,
    )?;
    backend.download(&x)
}

fn convolved<B: Backend>(
    backend: &B,
    items: &Items,
    shape: ConvShape,
    tail: ConvTail,
) -> Result<Vec<f32>> {
    let depth = shape.inputs / shape.groups * shape.kernel;
    let weight = numbers(1, shape.outputs * depth, (depth as f32).powf(-0.5));
    let layer = backend.load_conv(&weight, &numbers(2, shape.outputs, 0.1), shape)?;
    let x = matrix(backend, 3, items.rows(), shape.inputs)?;
    let mut out = matrix(backend, 4, items.rows(), shape.outputs)?;
    backend.conv(&x, items, &layer, tail, &mut out)?;
    backend.download(&out)
}

fn grouped<B: Backend>(backend: &B, operands: &Operands<'_>) -> Result<Vec<f32>> {
    let dim = operands.dim;
    let shape = ConvShape { inputs: dim, outputs: dim, kernel: 31, groups: 16 };
    convolved(backend, operands.items, shape, ConvTail::MishResidual)
}

fn dense<B: Backend>(backend: &B, operands: &Operands<'_>) -> Result<Vec<f32>> {
    let shape = ConvShape { inputs: 100, outputs: operands.dim / 2, kernel: 7, groups: 1 };
    convolved(backend, operands.items, shape, ConvTail::Store)
}

fn depthwise<B: Backend>(backend: &B, operands: &Operands<'_>) -> Result<Vec<f32>> {
    let dim = operands.dim;
    let shape = ConvShape { inputs: dim, outputs: dim, kernel: 7, groups: dim };
    convolved(backend, operands.items, shape, ConvTail::Mish)
}

fn norms<B: Backend>(backend: &B, operands: &Operands<'_>) -> Result<Vec<f32>> {
    let (rows, dim) = (operands.items.rows(), operands.dim);
    let (weight, bias) = (matrix(backend, 2, 1, dim)?, matrix(backend, 3, 1, dim)?);
    let mut out = backend.zeros(rows, dim)?;
    backend.layer_norm(&matrix(backend, 1, rows, dim)?, &weight, &bias, &mut out)?;
    backend.global_response_norm(&mut out, operands.items, &weight, &bias)?;
    backend.download(&out)
}

fn wave<B: Backend>(backend: &B, operands: &Operands<'_>) -> Result<Vec<f32>> {
    let head = matrix(backend, 1, operands.items.rows(), 1026)?;
    let window: Vec<f32> = numbers(2, 1024, 0.1).iter().map(|x| 1.0 + x).collect();
    let istft = Istft { n_fft: 1024, hop_length: 256, padding: IstftPadding::Center };
    Ok(backend
        .istft(&head, operands.items, &window, istft)?
        .concat())
}
