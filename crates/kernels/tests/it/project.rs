use f5tts_kernels::Backend;
use f5tts_testkit::{Tolerance, assert_close};

use crate::{
    machines::{cpus, numbers},
    reference,
};

#[test]
fn projections_of_all_shapes_are_right() {
    for (rows, inputs, outputs) in [
        (1, 1, 1),
        (7, 33, 6),
        (32, 64, 130),
        (4, 1025, 5),
        (3, 7, 2),
    ] {
        let (weight, bias) = (numbers(1, outputs * inputs), numbers(2, outputs));
        let x = numbers(3, rows * inputs);
        let expected = reference::linear(&x, &weight, &bias, inputs);
        for cpu in cpus() {
            let mut out = vec![0.0; rows * outputs];
            cpu.project(&weight, &bias, &x, &mut out).unwrap();
            // Sums of up to a thousand products in single precision.
            assert_close(&cpu.describe(), &out, &expected, Tolerance::relative(2e-6));
        }
    }
}
