use f5tts_kernels::{Backend, ConvShape, ConvTail, Items};
use f5tts_testkit::{Tolerance, assert_close};

use super::{batches, cpu, emulated, fractions};

/// Dense, grouped and depthwise; channels that are copied whole or need to be filled up.
const SHAPES: [ConvShape; 7] = [
    shape(1, 1, 1, 1),
    shape(3, 5, 7, 1),
    shape(100, 40, 7, 1),
    shape(32, 32, 31, 4),
    shape(20, 12, 3, 4),
    shape(7, 7, 7, 7),
    shape(150, 150, 3, 150),
];

const fn shape(inputs: usize, outputs: usize, kernel: usize, groups: usize) -> ConvShape {
    ConvShape { inputs, outputs, kernel, groups }
}

fn convolved<B: Backend>(backend: &B, items: &Items, shape: ConvShape, tail: ConvTail) -> Vec<f32> {
    let ConvShape { inputs, outputs, kernel, groups } = shape;
    let weight = fractions(1, outputs * inputs / groups * kernel);
    let layer = backend
        .load_conv(&weight, &fractions(2, outputs), shape)
        .unwrap();
    let upload = |seed, columns: usize| {
        backend
            .upload(&fractions(seed, items.rows() * columns), columns)
            .unwrap()
    };
    let (x, mut out) = (upload(3, inputs), upload(4, outputs));
    backend.conv(&x, items, &layer, tail, &mut out).unwrap();
    backend.download(&out).unwrap()
}

#[test]
fn convolutions_of_all_shapes_are_right() {
    for shape in SHAPES {
        for items in batches() {
            for tail in [ConvTail::Store, ConvTail::Mish, ConvTail::MishResidual] {
                let expected = convolved(cpu(), &items, shape, tail);
                let actual = convolved(emulated(), &items, shape, tail);
                // Sums of short fractions are exact, and the rest is single precision.
                let what = format!("{shape:?} {tail:?} {items:?}");
                assert_close(&what, &actual, &expected, Tolerance::relative(2e-6));
            }
        }
    }
}
