//! All instruction sets compute the same, but for rounding.

use f5tts_kernels::{
    Activation, Attention, Backend, ConvShape, ConvTail, Cpu, Epilogue, Items, LinearInput,
    Modulation,
};
use f5tts_testkit::{Tolerance, assert_close};

use crate::machines::{cpus, matrix, numbers};

const DIM: usize = 128;
const INNER: usize = 300;

/// A small transformer block with a convolution before it, at sizes like the real ones.
fn block(cpu: &Cpu) -> Vec<f32> {
    let items = Items::new([75, 140]);
    let rows = items.rows();
    let layer = |seed, outputs: usize, inputs: usize| {
        let spread = 1.7 / (inputs as f32).sqrt();
        let weight: Vec<f32> = numbers(seed, outputs * inputs)
            .iter()
            .map(|w| w * spread)
            .collect();
        cpu.load_linear(&weight, Some(&numbers(seed + 1, outputs)), inputs)
            .unwrap()
    };
    let mut x = matrix(cpu, 1, rows, DIM);
    let input = matrix(cpu, 2, rows, DIM);
    let shape = ConvShape { inputs: DIM, outputs: DIM, kernel: 31, groups: 4 };
    let conv = cpu
        .load_conv(&numbers(3, DIM * 32 * 31), &numbers(4, DIM), shape)
        .unwrap();
    cpu.conv(&input, &items, &conv, ConvTail::MishResidual, &mut x)
        .unwrap();

    let table = matrix(cpu, 5, 2, 3 * DIM);
    let modulation = Modulation { table: &table, items: &items, scale: 0, shift: DIM };
    let mut qkv = cpu.zeros(rows, 3 * DIM).unwrap();
    let store = Epilogue::Store(Activation::None);
    cpu.linear(LinearInput::Modulated(&x, modulation), &layer(6, 3 * DIM, DIM), store, &mut qkv)
        .unwrap();
    let attention = Attention {
        items: &items,
        heads: 4,
        head_dim: DIM / 4,
        rotary: &matrix(cpu, 8, 140, DIM / 4),
        rotated_heads: 4,
        query_key_norm: None,
    };
    let mut attended = cpu.zeros(rows, DIM).unwrap();
    cpu.attention(&qkv, attention, &mut attended).unwrap();
    let gated = Epilogue::GatedResidual { table: &table, items: &items, gate: 2 * DIM };
    cpu.linear(LinearInput::Plain(&attended), &layer(9, DIM, DIM), gated, &mut x)
        .unwrap();

    let mut inner = cpu.zeros(rows, INNER).unwrap();
    let gelu = Epilogue::Store(Activation::GeluTanh);
    let input = LinearInput::Modulated(&x, modulation);
    cpu.linear(input, &layer(11, INNER, DIM), gelu, &mut inner)
        .unwrap();
    cpu.linear(LinearInput::Plain(&inner), &layer(13, DIM, INNER), gated, &mut x)
        .unwrap();
    cpu.download(&x).unwrap()
}

#[test]
fn all_instruction_sets_agree() {
    let results: Vec<Vec<f32>> = cpus().iter().map(block).collect();
    for (cpu, result) in cpus().iter().zip(&results) {
        // Six operations, each with sums of hundreds of terms in another order.
        assert_close(&cpu.describe(), result, &results[0], Tolerance::relative(5e-6));
    }
}
