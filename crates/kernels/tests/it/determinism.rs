//! The same bits with any number of threads, and for an item alone or in any batch.

use f5tts_kernels::{
    Activation, Attention, Backend, ConvShape, ConvTail, Cpu, Epilogue, Istft, IstftPadding, Items,
    LinearInput, Modulation,
    cpu::{Simd, Tensor},
};
use proptest::prelude::*;

use crate::machines::{bits, cpu, matrix, numbers};

const COLUMNS: usize = 40;
const HEADS: usize = 2;

/// One layer of each kind, larger than a panel, and deeper than one block of depth.
fn network(cpu: &Cpu, x: &Tensor, table: &Tensor, items: &Items) -> Vec<Vec<u32>> {
    let load = |seed, outputs, inputs| {
        cpu.load_linear(&numbers(seed, outputs * inputs), Some(&numbers(seed + 1, outputs)), inputs)
            .unwrap()
    };
    let rows = items.rows();
    let wide = cpu.zeros(rows, 3 * COLUMNS).map(|mut out| {
        let modulation = Modulation { table, items, scale: 0, shift: COLUMNS };
        let store = Epilogue::Store(Activation::GeluTanh);
        let input = LinearInput::Modulated(x, modulation);
        cpu.linear(input, &load(20, 3 * COLUMNS, COLUMNS), store, &mut out)
            .unwrap();
        out
    });
    let qkv = wide.unwrap();
    let mut attended = cpu.zeros(rows, COLUMNS).unwrap();
    let attention = Attention {
        items,
        heads: HEADS,
        head_dim: COLUMNS / HEADS,
        rotary: &matrix(cpu, 22, 300, COLUMNS / HEADS),
        rotated_heads: 1,
        query_key_norm: None,
    };
    cpu.attention(&qkv, attention, &mut attended).unwrap();

    let mut deep = cpu.zeros(rows, 1100).unwrap();
    let store = Epilogue::Store(Activation::GeluErf);
    cpu.linear(LinearInput::Plain(&attended), &load(23, 1100, COLUMNS), store, &mut deep)
        .unwrap();
    let mut normalised = cpu.zeros(rows, 1100).unwrap();
    let (weight, bias) = (matrix(cpu, 25, 1, 1100), matrix(cpu, 26, 1, 1100));
    cpu.layer_norm(&deep, &weight, &bias, &mut normalised)
        .unwrap();
    cpu.global_response_norm(&mut normalised, items, &weight, &bias)
        .unwrap();
    let gated = Epilogue::GatedResidual { table, items, gate: 7 };
    let mut back = matrix(cpu, 27, 1, rows * COLUMNS);
    back = cpu
        .upload(&vec![0.5; cpu.download(&back).unwrap().len()], COLUMNS)
        .unwrap();
    cpu.linear(LinearInput::Plain(&normalised), &load(28, COLUMNS, 1100), gated, &mut back)
        .unwrap();

    let mut results = vec![
        bits(cpu, &qkv),
        bits(cpu, &attended),
        bits(cpu, &normalised),
        bits(cpu, &back),
    ];
    for groups in [1, 4, COLUMNS] {
        let shape = ConvShape { inputs: COLUMNS, outputs: COLUMNS, kernel: 31, groups };
        let weight = numbers(30, COLUMNS * COLUMNS / groups * 31);
        let layer = cpu
            .load_conv(&weight, &numbers(31, COLUMNS), shape)
            .unwrap();
        let mut out = cpu.zeros(rows, COLUMNS).unwrap();
        cpu.conv(&attended, items, &layer, ConvTail::Mish, &mut out)
            .unwrap();
        results.push(bits(cpu, &out));
    }
    results.push(waves(cpu, &attended, items));
    results
}

/// The waves of all items, as whole rows of one column each.
fn waves(cpu: &Cpu, head: &Tensor, items: &Items) -> Vec<u32> {
    let istft = Istft {
        n_fft: COLUMNS - 2,
        hop_length: 10,
        padding: IstftPadding::Same,
    };
    let window: Vec<f32> = numbers(33, COLUMNS - 2).iter().map(|x| 2.0 + x).collect();
    let waves = cpu.istft(head, items, &window, istft).unwrap();
    waves
        .concat()
        .iter()
        .map(|sample| sample.to_bits())
        .collect()
}

/// The results of a batch with other instructions and threads, or nothing where they are missing.
fn run(simd: Simd, threads: usize, rows_of_each: &[usize], rows: &[f32]) -> Option<Vec<Vec<u32>>> {
    let cpu = cpu(simd, threads)?;
    let items = Items::new(rows_of_each.iter().copied());
    let x = cpu.upload(rows, COLUMNS).unwrap();
    // All items are modulated alike, so that each is the same wherever it stands.
    let table = cpu
        .upload(&numbers(2, 2 * COLUMNS).repeat(items.len()), 2 * COLUMNS)
        .unwrap();
    Some(network(&cpu, &x, &table, &items))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn neither_threads_nor_neighbours_change_a_bit(
        rows_of_each in prop::collection::vec(0..140_usize, 1..4),
        seed in any::<u64>(),
    ) {
        let rows = numbers(seed, rows_of_each.iter().sum::<usize>() * COLUMNS);
        for simd in [Simd::Portable, Simd::Avx2, Simd::Avx512] {
            let Some(batch) = run(simd, 1, &rows_of_each, &rows) else { continue };
            for threads in [2, 3, 7] {
                let other = run(simd, threads, &rows_of_each, &rows);
                prop_assert!(other.as_ref() == Some(&batch), "{:?} with {} threads", simd, threads);
            }
            let mut alone = vec![Vec::new(); batch.len()];
            let mut rest = &rows[..];
            for &count in &rows_of_each {
                let item;
                (item, rest) = rest.split_at(count * COLUMNS);
                let single = run(simd, 2, &[count], item).expect("the batch was computed");
                for (all, single) in alone.iter_mut().zip(single) {
                    all.extend(single);
                }
            }
            prop_assert!(alone == batch, "{:?}: an item alone differs from the batch", simd);
        }
    }

    #[test]
    fn projections_do_not_depend_on_threads_or_other_rows(
        rows in 1..9_usize,
        inputs in 1..70_usize,
        outputs in 1..300_usize,
    ) {
        let (weight, bias) = (numbers(1, outputs * inputs), numbers(2, outputs));
        let x = numbers(3, rows * inputs);
        for simd in [Simd::Portable, Simd::Avx2, Simd::Avx512] {
            let Some(one) = cpu(simd, 1) else { continue };
            let three = cpu(simd, 3).expect("the same instructions");
            let mut together = vec![0.0; rows * outputs];
            three.project(&weight, &bias, &x, &mut together).unwrap();
            for (row, together) in x.chunks_exact(inputs).zip(together.chunks_exact(outputs)) {
                let mut alone = vec![0.0; outputs];
                one.project(&weight, &bias, row, &mut alone).unwrap();
                prop_assert_eq!(&alone[..], together);
            }
        }
    }
}
