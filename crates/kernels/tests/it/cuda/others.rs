use f5tts_kernels::{Advance, Backend, Cuda, CudaOptions, Error, Istft, IstftPadding, Items};
use f5tts_testkit::{Tolerance, assert_close};

use super::{batches, cpu, emulated, fractions, halves, matrix, options};
use crate::machines::numbers;

fn normed<B: Backend>(backend: &B, rows: usize, columns: usize) -> Vec<f32> {
    let x: Vec<f32> = fractions(1, rows * columns)
        .iter()
        .map(|x| x + 20.0)
        .collect();
    let x = backend.upload(&x, columns).unwrap();
    let row = |seed| backend.upload(&fractions(seed, columns), columns).unwrap();
    let mut out = backend.zeros(rows, columns).unwrap();
    backend.layer_norm(&x, &row(2), &row(3), &mut out).unwrap();
    backend.download(&out).unwrap()
}

#[test]
fn layer_norm_is_right_for_all_widths() {
    for (rows, columns) in [(1, 1), (3, 7), (40, 64), (5, 100), (9, 517)] {
        let (actual, expected) = (normed(emulated(), rows, columns), normed(cpu(), rows, columns));
        // The numbers have lost five bits to the offset.
        assert_close(&format!("{columns}"), &actual, &expected, Tolerance::relative(2e-5));
    }
}

fn responded<B: Backend>(backend: &B, items: &Items, columns: usize) -> Vec<f32> {
    let upload = |seed, rows: usize| {
        backend
            .upload(&fractions(seed, rows * columns), columns)
            .unwrap()
    };
    let mut x = upload(1, items.rows());
    backend
        .global_response_norm(&mut x, items, &upload(2, 1), &upload(3, 1))
        .unwrap();
    backend.download(&x).unwrap()
}

#[test]
fn global_response_norm_is_right() {
    for items in batches() {
        for columns in [1, 5, 64, 290] {
            let (actual, expected) =
                (responded(emulated(), &items, columns), responded(cpu(), &items, columns));
            assert_close(
                &format!("{items:?} {columns}"),
                &actual,
                &expected,
                Tolerance::relative(2e-6),
            );
        }
    }
}

#[test]
fn rows_are_copied_and_zeroed() {
    let cuda = emulated();
    let values = fractions(1, 6 * 3);
    for (x, half) in [
        (matrix(cuda, 1, 6, 3), false),
        (halves(cuda, 1, 6, 3), true),
    ] {
        for mut out in [matrix(cuda, 2, 9, 3), halves(cuda, 2, 9, 3)] {
            cuda.copy_rows(&x, 1..5, 3, &mut out).unwrap();
            cuda.zero_rows(4..6, &mut out).unwrap();
            let mut expected = fractions(2, 9 * 3);
            expected[9..21].copy_from_slice(&values[3..15]);
            expected[12..18].fill(0.0);
            assert_eq!(cuda.download(&out).unwrap(), expected, "half: {half}");
        }
    }
}

#[test]
fn states_advance() {
    let advances = [
        Advance {
            state: 0..2,
            conditional: 4,
            unconditional: Some(0),
            guidance: 2.0,
            step: 0.25,
        },
        Advance {
            state: 2..5,
            conditional: 7,
            unconditional: None,
            guidance: 0.0,
            step: 0.5,
        },
    ];
    fn advanced<B: Backend>(backend: &B, advances: &[Advance]) -> Vec<f32> {
        let upload = |seed, rows: usize| backend.upload(&fractions(seed, rows * 150), 150).unwrap();
        let mut out = upload(3, 5);
        backend
            .advance(&upload(1, 5), &upload(2, 10), advances, &mut out)
            .unwrap();
        backend.download(&out).unwrap()
    }
    assert_eq!(advanced(emulated(), &advances), advanced(cpu(), &advances));
}

#[test]
fn what_is_not_finite_is_found() {
    let cuda = emulated();
    for broken in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for place in [0, 150, 299] {
            let mut values = fractions(1, 300);
            assert!(cuda.is_finite(&cuda.upload(&values, 150).unwrap()).unwrap());
            values[place] = broken;
            assert!(!cuda.is_finite(&cuda.upload(&values, 150).unwrap()).unwrap());
        }
    }
}

#[test]
fn waves_of_all_shapes_are_right() {
    for (n_fft, hop_length) in [(16, 4), (15, 5), (32, 9), (8, 8), (2, 1), (1024, 256)] {
        let columns = 2 * (n_fft / 2 + 1);
        let items = Items::new([1, 6, 0, 2]);
        let head: Vec<f32> = numbers(1, items.rows() * columns)
            .iter()
            .map(|x| 6.0 * x)
            .collect();
        let window: Vec<f32> = numbers(7, n_fft).iter().map(|x| 1.0 + 0.5 * x).collect();
        for padding in [IstftPadding::Center, IstftPadding::Same] {
            let istft = Istft { n_fft, hop_length, padding };
            let expected = cpu()
                .istft(&cpu().upload(&head, columns).unwrap(), &items, &window, istft)
                .unwrap();
            let actual = emulated()
                .istft(&emulated().upload(&head, columns).unwrap(), &items, &window, istft)
                .unwrap();
            for (actual, expected) in actual.iter().zip(&expected) {
                // Sums of up to five hundred terms, one after the other.
                assert_close(&format!("{istft:?}"), actual, expected, Tolerance::relative(1e-5));
            }
        }
    }
}

#[test]
fn operands_that_do_not_fit_are_refused() {
    let cuda = emulated();
    let refused = |result: Result<(), Error>| matches!(result, Err(Error::Shape { .. }));
    let zeros = |rows, columns| cuda.zeros(rows, columns).unwrap();
    assert!(refused(cuda.upload(&[0.0; 5], 2).map(drop)));
    assert!(refused(cuda.load_linear(&[0.0; 5], None, 2).map(drop)));
    assert!(refused(cuda.copy_rows(&zeros(3, 2), 2..4, 0, &mut zeros(4, 2))));
    assert!(refused(cuda.zero_rows(2..5, &mut zeros(4, 2))));
    assert!(refused(cuda.layer_norm(
        &zeros(2, 4),
        &zeros(1, 3),
        &zeros(1, 4),
        &mut zeros(2, 4)
    )));
    let lost = cuda.zeros(1 << 30, 1 << 30).map(drop).unwrap_err();
    assert!(matches!(lost, Error::Memory { .. }), "{lost:?}");
    // And the next operation works.
    assert!(cuda.is_finite(&zeros(1, 1)).unwrap());
}

#[test]
fn memory_is_given_back() {
    let cuda = Cuda::emulated(CudaOptions { idle_bytes: 4096, ..options() }).unwrap();
    for rows in 1..40 {
        let (x, mut out) = (matrix(&cuda, 1, rows, 5), cuda.zeros(rows, 5).unwrap());
        cuda.copy_rows(&x, 0..rows, 0, &mut out).unwrap();
        assert_eq!(cuda.download(&out).unwrap(), fractions(1, rows * 5));
        drop((x, out));
        let (used, idle) = cuda.memory();
        assert!(used == 0 && idle <= 4096, "{used} {idle}");
    }
}
