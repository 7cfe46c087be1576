use f5tts_kernels::{Advance, Backend};

use crate::machines::cpus;

#[test]
fn rows_are_copied_and_cleared() {
    for cpu in cpus() {
        let x = cpu.upload(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2).unwrap();
        let mut out = cpu.upload(&[9.0; 8], 2).unwrap();
        cpu.copy_rows(&x, 1..3, 0, &mut out).unwrap();
        cpu.zero_rows(3..4, &mut out).unwrap();
        assert_eq!(cpu.download(&out).unwrap(), [3.0, 4.0, 5.0, 6.0, 9.0, 9.0, 0.0, 0.0]);
    }
}

#[test]
fn requests_advance_by_their_own_guidance_and_step() {
    for cpu in cpus() {
        let state = cpu.upload(&[1.0, 2.0, 3.0, 4.0], 1).unwrap();
        let velocity = cpu.upload(&[1.0, 2.0, 4.0, 0.0, 1.0, 8.0], 1).unwrap();
        let advances = [
            Advance {
                state: 0..2,
                conditional: 0,
                unconditional: Some(3),
                guidance: 2.0,
                step: 0.5,
            },
            Advance {
                state: 3..4,
                conditional: 5,
                unconditional: None,
                guidance: 2.0,
                step: 0.25,
            },
        ];
        let mut out = cpu.upload(&[7.0; 4], 1).unwrap();
        cpu.advance(&state, &velocity, &advances, &mut out).unwrap();
        // 1 + ½·(1 + (1 − 0)·2), 2 + ½·(2 + (2 − 1)·2), untouched, 4 + ¼·8
        assert_eq!(cpu.download(&out).unwrap(), [2.5, 4.0, 7.0, 6.0]);
    }
}

#[test]
fn one_bad_value_is_found() {
    for cpu in cpus() {
        let mut values = vec![1.0; 300_000];
        assert!(cpu.is_finite(&cpu.upload(&values, 3).unwrap()).unwrap());
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            values[299_999] = bad;
            assert!(!cpu.is_finite(&cpu.upload(&values, 3).unwrap()).unwrap());
        }
    }
}

#[test]
fn what_goes_up_comes_down() {
    for cpu in cpus() {
        let values = [1.0, -2.0, 3.5, f32::MAX, 0.0, 1e-40];
        let tensor = cpu.upload(&values, 3).unwrap();
        assert_eq!(cpu.shape(&tensor), (2, 3));
        assert_eq!(cpu.download(&tensor).unwrap(), values);
    }
}
