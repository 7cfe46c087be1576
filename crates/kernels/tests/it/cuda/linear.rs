use f5tts_kernels::{Activation, Backend, Epilogue, Items, LinearInput, Modulation};
use f5tts_testkit::{Tolerance, assert_close};

use super::{batches, cpu, emulated, fractions, halves, matrix};

// Products of short fractions are exact, and so are their sums; activations are of a few units in the last place.
const EXACT: Tolerance = Tolerance::relative(2e-6);
/// Half a unit in the last place of half precision, of values up to the largest.
const HALF: Tolerance = Tolerance::relative(6e-4);

/// Inputs and outputs: single ones, those that end within a tile or a copy, and those that fill large tiles.
const SHAPES: [(usize, usize); 6] = [(1, 1), (7, 5), (8, 64), (100, 130), (33, 257), (72, 100)];

const EPILOGUES: usize = 7;

/// An epilogue by number, over operands of some backend.
fn epilogue<'a, T>(
    index: usize,
    other: &'a T,
    scale: &'a T,
    table: &'a T,
    items: &'a Items,
) -> Epilogue<'a, T> {
    match index {
        0 => Epilogue::Store(Activation::None),
        1 => Epilogue::Store(Activation::GeluTanh),
        2 => Epilogue::Store(Activation::GeluErf),
        3 => Epilogue::Plus(other),
        4 => Epilogue::Residual,
        5 => Epilogue::ScaledResidual(scale),
        _ => Epilogue::GatedResidual { table, items, gate: 3 },
    }
}

/// The result of one backend for each epilogue.
fn results<B: Backend>(
    backend: &B,
    items: &Items,
    (inputs, outputs): (usize, usize),
    bias: bool,
) -> Vec<Vec<f32>> {
    let upload = |seed, rows: usize, columns: usize| {
        backend
            .upload(&fractions(seed, rows * columns), columns)
            .unwrap()
    };
    let rows = items.rows();
    let weight = fractions(1, outputs * inputs);
    let bias = bias.then(|| fractions(2, outputs));
    let layer = backend
        .load_linear(&weight, bias.as_deref(), inputs)
        .unwrap();
    let x = upload(3, rows, inputs);
    let (other, scale, table) = (
        upload(4, rows, outputs),
        upload(5, 1, outputs),
        upload(6, items.len(), outputs + 4),
    );
    let run = |index| {
        let mut out = upload(7, rows, outputs);
        let epilogue = epilogue(index, &other, &scale, &table, items);
        backend
            .linear(LinearInput::Plain(&x), &layer, epilogue, &mut out)
            .unwrap();
        backend.download(&out).unwrap()
    };
    (0..EPILOGUES).map(run).collect()
}

#[test]
fn products_of_all_shapes_and_epilogues_are_right() {
    for shape in SHAPES {
        for (index, items) in batches().iter().enumerate() {
            let bias = index != 1;
            let expected = results(cpu(), items, shape, bias);
            let actual = results(emulated(), items, shape, bias);
            for (epilogue, (actual, expected)) in actual.iter().zip(&expected).enumerate() {
                let what = format!("{shape:?} {items:?} epilogue {epilogue}");
                assert_close(&what, actual, expected, EXACT);
            }
        }
    }
}

#[test]
fn activations_are_read_and_written_in_half_precision() {
    let cuda = emulated();
    for (inputs, outputs) in [(8, 6), (13, 129), (64, 72)] {
        let (rows, weight, bias) = (70, fractions(1, outputs * inputs), fractions(2, outputs));
        let layer = cuda.load_linear(&weight, Some(&bias), inputs).unwrap();
        let x = halves(cuda, 3, rows, inputs);
        let mut out = cuda.activations(rows, outputs).unwrap();
        let store = Epilogue::Store(Activation::None);
        cuda.linear(LinearInput::Plain(&x), &layer, store, &mut out)
            .unwrap();

        let layer = cpu().load_linear(&weight, Some(&bias), inputs).unwrap();
        let x = cpu().upload(&fractions(3, rows * inputs), inputs).unwrap();
        let mut expected = cpu().zeros(rows, outputs).unwrap();
        cpu()
            .linear(
                LinearInput::Plain(&x),
                &layer,
                Epilogue::Store(Activation::None),
                &mut expected,
            )
            .unwrap();
        let what = format!("{inputs} to {outputs}");
        assert_close(&what, &cuda.download(&out).unwrap(), expected.values(), HALF);
    }
}

/// A modulated product of one backend.
fn modulated<B: Backend>(backend: &B, items: &Items, inputs: usize) -> Vec<f32> {
    let upload = |seed, rows: usize, columns: usize| {
        backend
            .upload(&fractions(seed, rows * columns), columns)
            .unwrap()
    };
    let layer = backend
        .load_linear(&fractions(1, 9 * inputs), None, inputs)
        .unwrap();
    let (x, table) = (upload(2, items.rows(), inputs), upload(3, items.len(), 2 * inputs + 5));
    let modulation = Modulation { table: &table, items, scale: inputs + 5, shift: 2 };
    let mut out = backend.zeros(items.rows(), 9).unwrap();
    let store = Epilogue::Store(Activation::None);
    backend
        .linear(LinearInput::Modulated(&x, modulation), &layer, store, &mut out)
        .unwrap();
    backend.download(&out).unwrap()
}

#[test]
fn modulated_products_are_right() {
    for items in batches() {
        for inputs in [2, 24, 45, 200] {
            let expected = modulated(cpu(), &items, inputs);
            let actual = modulated(emulated(), &items, inputs);
            // What is multiplied was rounded to half precision.
            assert_close(&format!("{inputs}"), &actual, &expected, Tolerance::relative(1e-3));
        }
    }
}

#[test]
fn a_rows_result_does_not_depend_on_its_batch() {
    let cuda = emulated();
    let (inputs, outputs) = (40, 136);
    let layer = cuda
        .load_linear(&fractions(1, outputs * inputs), None, inputs)
        .unwrap();
    let x = fractions(2, 260 * inputs);
    let product = |x: &[f32]| {
        let x_rows = x.len() / inputs;
        let x = cuda.upload(x, inputs).unwrap();
        let mut out = matrix(cuda, 3, x_rows, outputs);
        let store = Epilogue::Store(Activation::GeluTanh);
        cuda.linear(LinearInput::Plain(&x), &layer, store, &mut out)
            .unwrap();
        cuda.download(&out).unwrap()
    };
    // The whole takes large tiles, a row alone a small one.
    let all = product(&x);
    for row in [0, 127, 128, 259] {
        let alone = product(&x[row * inputs..(row + 1) * inputs]);
        let bits = |values: &[f32]| {
            values
                .iter()
                .map(|value| value.to_bits())
                .collect::<Vec<_>>()
        };
        assert_eq!(bits(&alone), bits(&all[row * outputs..(row + 1) * outputs]));
    }
}
