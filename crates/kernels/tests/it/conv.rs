use f5tts_kernels::{Backend, ConvShape, ConvTail, Items};
use f5tts_testkit::{Tolerance, assert_close};

use crate::{
    machines::{cpus, matrix, numbers},
    reference,
};

// Sums of up to a thousand products of numbers below one, in single precision.
const TOLERANCE: Tolerance = Tolerance::relative(2e-6);

const fn shape(inputs: usize, outputs: usize, kernel: usize, groups: usize) -> ConvShape {
    ConvShape { inputs, outputs, kernel, groups }
}

/// Dense, grouped and depthwise; channels that fill vectors and panels or do not.
const SHAPES: [ConvShape; 9] = [
    shape(1, 1, 1, 1),
    shape(3, 5, 7, 1),
    shape(100, 40, 7, 1),
    shape(64, 64, 31, 4),
    shape(20, 12, 3, 4),
    shape(4, 8, 5, 4),
    shape(7, 7, 7, 7),
    shape(48, 48, 7, 48),
    shape(37, 37, 1, 37),
];

/// Items shorter than the kernel, empty, and of more than one block.
fn batches() -> [Items; 3] {
    [
        Items::single(1),
        Items::new([2, 0, 17, 5]),
        Items::new([9, 110]),
    ]
}

#[test]
fn a_moving_sum_known_by_heart() {
    for cpu in cpus() {
        let layer = cpu
            .load_conv(&[1.0, 1.0, 1.0], &[0.25], shape(1, 1, 3, 1))
            .unwrap();
        let x = cpu.upload(&[1.0, 2.0, 3.0, 10.0, 20.0], 1).unwrap();
        let mut out = cpu.zeros(5, 1).unwrap();
        let items = Items::new([3, 2]);
        cpu.conv(&x, &items, &layer, ConvTail::Store, &mut out)
            .unwrap();
        assert_eq!(cpu.download(&out).unwrap(), [3.25, 6.25, 5.25, 30.25, 30.25]);
    }
}

#[test]
#[expect(
    clippy::cast_possible_truncation,
    reason = "rounding to single precision is meant"
)]
fn convolutions_of_all_shapes_are_right() {
    for shape in SHAPES {
        let weight = numbers(1, shape.outputs * shape.inputs / shape.groups * shape.kernel);
        let bias = numbers(2, shape.outputs);
        for items in batches() {
            let rows = items.rows();
            let x = numbers(3, rows * shape.inputs);
            let stored = reference::conv(&x, &items, &weight, &bias, shape);
            let mish: Vec<f32> = stored
                .iter()
                .map(|&y| reference::mish(f64::from(y)) as f32)
                .collect();
            let before = numbers(4, rows * shape.outputs);
            let added: Vec<f32> = before.iter().zip(&mish).map(|(x, y)| x + y).collect();
            let tails = [
                (ConvTail::Store, stored),
                (ConvTail::Mish, mish),
                (ConvTail::MishResidual, added),
            ];
            for cpu in cpus() {
                let layer = cpu.load_conv(&weight, &bias, shape).unwrap();
                let x = cpu.upload(&x, shape.inputs).unwrap();
                for (tail, expected) in &tails {
                    let mut out = matrix(cpu, 4, rows, shape.outputs);
                    cpu.conv(&x, &items, &layer, *tail, &mut out).unwrap();
                    let what = format!("{} {shape:?} {tail:?}", cpu.describe());
                    assert_close(&what, &cpu.download(&out).unwrap(), expected, TOLERANCE);
                }
            }
        }
    }
}

#[test]
fn mish_holds_for_large_numbers() {
    let x = [
        -1e30, -300.0, -100.0, -30.0, -1.0, 0.0, 1.0, 19.9, 20.1, 100.0, 1e30,
    ];
    let expected = [
        -0.0,
        0.0,
        0.0,
        -2.807_287_3e-12,
        -0.303_401_46,
        0.0,
        0.865_098_4,
        19.9,
        20.1,
        100.0,
        1e30,
    ];
    for cpu in cpus() {
        let layer = cpu.load_conv(&[1.0], &[0.0], shape(1, 1, 1, 1)).unwrap();
        let x = cpu.upload(&x, 1).unwrap();
        let mut out = cpu.zeros(11, 1).unwrap();
        cpu.conv(&x, &Items::single(11), &layer, ConvTail::Mish, &mut out)
            .unwrap();
        let actual = cpu.download(&out).unwrap();
        for (actual, expected) in actual.iter().zip(expected) {
            // Each to a few units in the last place; e^x does not fall below 10⁻³⁸.
            assert!(
                (actual - expected).abs() <= 1e-6 * expected.abs() + 1e-7,
                "{actual} {expected}"
            );
        }
    }
}
