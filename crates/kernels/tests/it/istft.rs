use f5tts_kernels::{Backend, Istft, IstftPadding, Items};
use f5tts_testkit::{Tolerance, assert_close};

use crate::{
    machines::{cpus, numbers},
    reference,
};

/// A window without zeros, so that every sample can be restored.
fn window(n_fft: usize) -> Vec<f32> {
    numbers(7, n_fft).iter().map(|x| 1.0 + 0.5 * x).collect()
}

#[test]
fn waves_of_all_shapes_are_right() {
    for (n_fft, hop_length) in [(16, 4), (15, 5), (32, 9), (8, 8), (2, 1)] {
        let columns = 2 * (n_fft / 2 + 1);
        let items = Items::new([1, 6, 0, 2]);
        // Some magnitudes beyond the limit of 100, phases beyond a turn.
        let head: Vec<f32> = numbers(1, items.rows() * columns)
            .iter()
            .map(|x| 6.0 * x)
            .collect();
        let window = window(n_fft);
        for padding in [IstftPadding::Center, IstftPadding::Same] {
            let istft = Istft { n_fft, hop_length, padding };
            for cpu in cpus() {
                let tensor = cpu.upload(&head, columns).unwrap();
                let waves = cpu.istft(&tensor, &items, &window, istft).unwrap();
                assert_eq!(waves.len(), items.len());
                for (item, wave) in items.iter().zip(waves) {
                    let head = &head[item.start * columns..item.end * columns];
                    let expected = reference::istft(head, &window, hop_length, padding);
                    // Transforms of a few terms; phases of six radians lose three bits.
                    assert_close(
                        &format!("{istft:?}"),
                        &wave,
                        &expected,
                        Tolerance::relative(3e-6),
                    );
                }
            }
        }
    }
}

#[test]
fn a_cosine_comes_back() {
    // A frame with one bin is a cosine of one turn; all frames in phase with a hop of one turn.
    let (n_fft, hop_length) = (8, 8);
    let mut row = vec![-100.0; 5];
    row[1] = 0.0;
    row.extend([0.0; 5]);
    let head = row.repeat(3);
    for cpu in cpus() {
        let istft = Istft { n_fft, hop_length, padding: IstftPadding::Same };
        let head = cpu.upload(&head, 10).unwrap();
        let waves = cpu
            .istft(&head, &Items::single(3), &[1.0; 8], istft)
            .unwrap();
        let expected: Vec<f32> = (0..24_u8)
            .map(|n| 0.25 * (f32::from(n) * std::f32::consts::FRAC_PI_4).cos())
            .collect();
        assert_close("cosine", &waves[0], &expected, Tolerance { abs: 1e-7, rel: 1e-5 });
    }
}

#[test]
fn places_that_no_window_covers_are_silent() {
    let istft = Istft { n_fft: 4, hop_length: 2, padding: IstftPadding::Same };
    for cpu in cpus() {
        let head = cpu.upload(&[0.0; 12], 6).unwrap();
        let waves = cpu
            .istft(&head, &Items::single(2), &[0.0; 4], istft)
            .unwrap();
        assert_eq!(waves, [[0.0; 4]]);
    }
}
