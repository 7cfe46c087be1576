use f5tts_kernels::{
    Activation, Backend, Cpu, Epilogue, Items, LinearInput, Modulation, cpu::Tensor,
};
use f5tts_testkit::{Tolerance, assert_close};

use crate::{
    machines::{cpus, matrix, numbers},
    reference,
};

// Sums of up to a thousand products of numbers below one, in single precision.
const TOLERANCE: Tolerance = Tolerance::relative(2e-6);

/// Rows, inputs, outputs: whole and broken tiles, panels and blocks of depth.
const SHAPES: [(usize, usize, usize); 9] = [
    (1, 1, 1),
    (2, 3, 5),
    (6, 16, 16),
    (7, 17, 33),
    (13, 100, 64),
    (25, 257, 100),
    (97, 64, 48),
    (130, 1030, 24),
    (5, 2053, 530),
];

struct Case {
    rows: usize,
    inputs: usize,
    outputs: usize,
    x: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    product: Vec<f32>,
}

fn cases() -> Vec<Case> {
    let case = |(rows, inputs, outputs): (usize, usize, usize)| {
        let x = numbers(1, rows * inputs);
        let weight = numbers(2, outputs * inputs);
        let bias = numbers(3, outputs);
        let product = reference::linear(&x, &weight, &bias, inputs);
        Case { rows, inputs, outputs, x, weight, bias, product }
    };
    SHAPES.into_iter().map(case).collect()
}

/// Runs a layer on plain rows, over an output of [`numbers`] with seed 9.
fn run(cpu: &Cpu, case: &Case, epilogue: Epilogue<'_, Tensor>) -> Vec<f32> {
    let layer = cpu
        .load_linear(&case.weight, Some(&case.bias), case.inputs)
        .unwrap();
    let x = cpu.upload(&case.x, case.inputs).unwrap();
    let mut out = matrix(cpu, 9, case.rows, case.outputs);
    cpu.linear(LinearInput::Plain(&x), &layer, epilogue, &mut out)
        .unwrap();
    cpu.download(&out).unwrap()
}

#[test]
fn a_product_known_by_heart() {
    for cpu in cpus() {
        let layer = cpu
            .load_linear(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], Some(&[0.5, -0.5]), 3)
            .unwrap();
        let x = cpu.upload(&[1.0, 0.0, -1.0, 2.0, 2.0, 2.0], 3).unwrap();
        let mut out = cpu.zeros(2, 2).unwrap();
        let store = Epilogue::Store(Activation::None);
        cpu.linear(LinearInput::Plain(&x), &layer, store, &mut out)
            .unwrap();
        assert_eq!(cpu.download(&out).unwrap(), [-1.5, -2.5, 12.5, 29.5]);
    }
}

#[test]
fn products_of_all_shapes_are_right() {
    for case in cases() {
        for cpu in cpus() {
            let actual = run(cpu, &case, Epilogue::Store(Activation::None));
            assert_close(&cpu.describe(), &actual, &case.product, TOLERANCE);
        }
    }
}

#[test]
fn a_layer_may_have_no_bias() {
    let case = &cases()[3];
    let expected = reference::linear(&case.x, &case.weight, &vec![0.0; case.outputs], case.inputs);
    for cpu in cpus() {
        let layer = cpu.load_linear(&case.weight, None, case.inputs).unwrap();
        let x = cpu.upload(&case.x, case.inputs).unwrap();
        let mut out = cpu.zeros(case.rows, case.outputs).unwrap();
        let store = Epilogue::Store(Activation::None);
        cpu.linear(LinearInput::Plain(&x), &layer, store, &mut out)
            .unwrap();
        assert_close(&cpu.describe(), &cpu.download(&out).unwrap(), &expected, TOLERANCE);
    }
}

#[test]
fn activations_follow_the_product() {
    let functions = [
        (Activation::GeluTanh, reference::gelu_tanh as fn(f64) -> f64),
        (Activation::GeluErf, reference::gelu_erf),
    ];
    for case in cases() {
        for (activation, function) in functions {
            let expected: Vec<f32> = map(&case.product, function);
            for cpu in cpus() {
                let actual = run(cpu, &case, Epilogue::Store(activation));
                assert_close(&cpu.describe(), &actual, &expected, TOLERANCE);
            }
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "rounding to single precision is meant"
)]
fn map(values: &[f32], function: fn(f64) -> f64) -> Vec<f32> {
    values
        .iter()
        .map(|&value| function(f64::from(value)) as f32)
        .collect()
}

#[test]
fn addends_and_residuals_are_added() {
    for case in cases() {
        let (rows, outputs) = (case.rows, case.outputs);
        let before = numbers(9, rows * outputs);
        let scale = numbers(10, outputs);
        let sum = |factor: &dyn Fn(usize) -> f32, other: &[f32]| -> Vec<f32> {
            let terms = case.product.iter().zip(other).enumerate();
            terms
                .map(|(at, (y, other))| other + factor(at) * y)
                .collect()
        };
        for cpu in cpus() {
            let name = cpu.describe();
            let other = matrix(cpu, 11, rows, outputs);
            let expected = sum(&|_| 1.0, &numbers(11, rows * outputs));
            assert_close(&name, &run(cpu, &case, Epilogue::Plus(&other)), &expected, TOLERANCE);

            let expected = sum(&|_| 1.0, &before);
            assert_close(&name, &run(cpu, &case, Epilogue::Residual), &expected, TOLERANCE);

            let table = matrix(cpu, 10, 1, outputs);
            let expected = sum(&|at| scale[at % outputs], &before);
            let actual = run(cpu, &case, Epilogue::ScaledResidual(&table));
            assert_close(&name, &actual, &expected, TOLERANCE);
        }
    }
}

#[test]
fn gates_belong_to_items() {
    for case in cases() {
        let (rows, outputs) = (case.rows, case.outputs);
        // An item without rows must not shift the others' gates.
        let items = Items::new([rows / 3, 0, rows - rows / 3]);
        let (columns, gate) = (outputs + 7, 4);
        let gates = numbers(12, 3 * columns);
        let before = numbers(9, rows * outputs);
        let expected: Vec<f32> = (0..rows * outputs)
            .map(|at| {
                let item = items.item_of(at / outputs);
                before[at] + gates[item * columns + gate + at % outputs] * case.product[at]
            })
            .collect();
        for cpu in cpus() {
            let table = matrix(cpu, 12, 3, columns);
            let epilogue = Epilogue::GatedResidual { table: &table, items: &items, gate };
            assert_close(&cpu.describe(), &run(cpu, &case, epilogue), &expected, TOLERANCE);
        }
    }
}

#[test]
#[expect(
    clippy::cast_possible_truncation,
    reason = "rounding to single precision is meant"
)]
fn modulated_rows_are_normalised_scaled_and_shifted() {
    for case in cases() {
        let Case { rows, inputs, outputs, .. } = case;
        let items = Items::new([rows - rows / 4, rows / 4]);
        let (columns, scale, shift) = (2 * inputs + 5, inputs + 2, 1);
        let table = numbers(13, 2 * columns);
        let mut modulated = Vec::new();
        for (row, x) in case.x.chunks_exact(inputs).enumerate() {
            let table = &table[items.item_of(row) * columns..][..columns];
            for (column, x) in reference::normalised(x).into_iter().enumerate() {
                let (scale, shift) = (table[scale + column], table[shift + column]);
                modulated.push((x * (1.0 + f64::from(scale)) + f64::from(shift)) as f32);
            }
        }
        let expected = reference::linear(&modulated, &case.weight, &case.bias, inputs);
        for cpu in cpus() {
            let layer = cpu
                .load_linear(&case.weight, Some(&case.bias), inputs)
                .unwrap();
            let (x, table) = (cpu.upload(&case.x, inputs).unwrap(), matrix(cpu, 13, 2, columns));
            let mut out = cpu.zeros(rows, outputs).unwrap();
            let modulation = Modulation { table: &table, items: &items, scale, shift };
            let input = LinearInput::Modulated(&x, modulation);
            cpu.linear(input, &layer, Epilogue::Store(Activation::None), &mut out)
                .unwrap();
            assert_close(&cpu.describe(), &cpu.download(&out).unwrap(), &expected, TOLERANCE);
        }
    }
}

#[test]
fn what_is_not_a_number_stays_visible() {
    for cpu in cpus() {
        let layer = cpu.load_linear(&vec![1.0; 40 * 20], None, 20).unwrap();
        let mut x = vec![1.0; 60];
        x[25] = f32::NAN;
        let x = cpu.upload(&x, 20).unwrap();
        for activation in [Activation::None, Activation::GeluTanh, Activation::GeluErf] {
            let mut out = cpu.zeros(3, 40).unwrap();
            cpu.linear(LinearInput::Plain(&x), &layer, Epilogue::Store(activation), &mut out)
                .unwrap();
            let out = cpu.download(&out).unwrap();
            for (row, values) in out.chunks_exact(40).enumerate() {
                assert!(values.iter().all(|value| value.is_nan() == (row == 1)));
            }
        }
    }
}

#[test]
fn no_rows_are_no_work() {
    for cpu in cpus() {
        let layer = cpu.load_linear(&[1.0; 6], None, 3).unwrap();
        let (x, mut out) = (cpu.zeros(0, 3).unwrap(), cpu.zeros(0, 2).unwrap());
        cpu.linear(LinearInput::Plain(&x), &layer, Epilogue::Residual, &mut out)
            .unwrap();
    }
}
