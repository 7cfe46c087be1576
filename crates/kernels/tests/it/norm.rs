use f5tts_kernels::{Backend, Items};
use f5tts_testkit::{Tolerance, assert_close};

use crate::{
    machines::{cpus, matrix, numbers},
    reference,
};

// Means and variances of up to a thousand numbers in single precision.
const TOLERANCE: Tolerance = Tolerance::relative(2e-6);

#[test]
#[expect(
    clippy::cast_possible_truncation,
    reason = "rounding to single precision is meant"
)]
fn layer_norm_is_right_for_all_widths() {
    for (rows, columns) in [(1, 1), (3, 7), (40, 64), (5, 100), (33, 1024), (2, 517)] {
        // Far from zero, where a variance by squares would lose all digits.
        let x: Vec<f32> = numbers(1, rows * columns)
            .iter()
            .map(|x| x + 20.0)
            .collect();
        let (weight, bias) = (numbers(2, columns), numbers(3, columns));
        let normalised = x.chunks_exact(columns).flat_map(reference::normalised);
        let expected: Vec<f32> = normalised
            .enumerate()
            .map(|(at, x)| {
                let (weight, bias) = (weight[at % columns], bias[at % columns]);
                (x * f64::from(weight) + f64::from(bias)) as f32
            })
            .collect();
        for cpu in cpus() {
            let (x, mut out) =
                (cpu.upload(&x, columns).unwrap(), cpu.zeros(rows, columns).unwrap());
            let (weight, bias) = (matrix(cpu, 2, 1, columns), matrix(cpu, 3, 1, columns));
            cpu.layer_norm(&x, &weight, &bias, &mut out).unwrap();
            let actual = cpu.download(&out).unwrap();
            // The numbers have lost five bits to the offset.
            assert_close(&cpu.describe(), &actual, &expected, Tolerance::relative(2e-5));
        }
    }
}

#[test]
fn global_response_norm_is_right() {
    for columns in [1, 5, 64, 130] {
        let items = Items::new([1, 0, 90, 17]);
        let x = numbers(1, items.rows() * columns);
        let (gamma, beta) = (numbers(2, columns), numbers(3, columns));
        let expected = reference::response_norm(&x, &items, &gamma, &beta);
        for cpu in cpus() {
            let mut x = cpu.upload(&x, columns).unwrap();
            let (gamma, beta) = (matrix(cpu, 2, 1, columns), matrix(cpu, 3, 1, columns));
            cpu.global_response_norm(&mut x, &items, &gamma, &beta)
                .unwrap();
            assert_close(&cpu.describe(), &cpu.download(&x).unwrap(), &expected, TOLERANCE);
        }
    }
}
