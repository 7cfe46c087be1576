//! What a model of the size of `F5TTS_v1_Base` takes before it speaks: packing the weights of 22
//! blocks, and the `AdaLN` projections of 7 and 32 times: `cargo bench -p f5tts-kernels --bench load`.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for developers"
)]

use std::time::Instant;

use f5tts_kernels::{
    Backend, Cpu,
    cpu::{CpuOptions, Linear},
};

const DIM: usize = 1024;
const BLOCKS: usize = 22;
/// Outputs and inputs of the linear layers of a block: qkv, out, up, down.
const LAYERS: [(usize, usize); 4] = [(3 * DIM, DIM), (DIM, DIM), (2 * DIM, DIM), (DIM, 2 * DIM)];

fn main() {
    let cpu = Cpu::new(CpuOptions::default()).unwrap();
    println!("{}", cpu.describe());
    pack(&cpu);
    for rows in [7, 32] {
        project(&cpu, rows);
    }
}

/// Packs every layer from memory of its own, as from a mapped file.
fn pack(cpu: &Cpu) {
    let layers = LAYERS.repeat(BLOCKS);
    let weights: Vec<Vec<f32>> = layers
        .iter()
        .map(|(outputs, inputs)| vec![0.5; outputs * inputs])
        .collect();
    let start = Instant::now();
    let layers = layers.iter().zip(&weights);
    let packed: Vec<Linear> = layers
        .map(|((_, inputs), weight)| cpu.load_linear(weight, None, *inputs).unwrap())
        .collect();
    let millions = weights.iter().map(Vec::len).sum::<usize>() / 1_000_000;
    println!(
        "packing {} layers of {millions} M weights: {:.2?}",
        packed.len(),
        start.elapsed()
    );
}

/// Projects all times by the weights of all blocks.
fn project(cpu: &Cpu, rows: usize) {
    let weights = vec![vec![0.5; 6 * DIM * DIM]; BLOCKS];
    let (bias, inputs) = (vec![0.5; 6 * DIM], vec![0.5; rows * DIM]);
    let mut out = vec![0.0; rows * 6 * DIM];
    let start = Instant::now();
    for weight in &weights {
        cpu.project(weight, &bias, &inputs, &mut out).unwrap();
    }
    println!("projecting {rows} rows: {:.2?}", start.elapsed());
}
