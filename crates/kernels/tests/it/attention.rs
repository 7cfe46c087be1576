use f5tts_kernels::{Attention, Backend, Cpu, Items};
use f5tts_testkit::{Tolerance, assert_close};

use crate::{
    machines::{cpus, matrix, numbers},
    reference::{self, Heads},
};

// Scores of up to 64 products, an exponential of two units in the last place, sums of 600 terms.
const TOLERANCE: Tolerance = Tolerance::relative(3e-6);

/// Heads, columns of a head, rotated heads.
const SHAPES: [(usize, usize, usize); 6] = [
    (1, 2, 1),
    (2, 64, 2),
    (3, 16, 1),
    (2, 10, 0),
    (1, 100, 1),
    (4, 8, 3),
];

/// Items of one row, none, and more than a block of queries.
fn batches() -> [Items; 3] {
    [
        Items::single(1),
        Items::new([3, 0, 16, 33]),
        Items::new([70, 301]),
    ]
}

fn rotary(positions: usize, head_dim: usize) -> Vec<f32> {
    let angles = numbers(5, positions * head_dim / 2)
        .into_iter()
        .map(|angle| 7.0 * angle);
    angles
        .flat_map(|angle| [angle.cos(), angle.sin()])
        .collect()
}

fn check(items: &Items, (heads, head_dim, rotated_heads): (usize, usize, usize), spread: f32) {
    let width = heads * head_dim;
    let qkv: Vec<f32> = numbers(1, items.rows() * 3 * width)
        .iter()
        .map(|x| spread * x)
        .collect();
    let rotary = rotary(301, head_dim);
    let weights = (numbers(2, head_dim), numbers(3, head_dim));
    for normalised in [false, true] {
        let norm = normalised.then_some((&weights.0[..], &weights.1[..]));
        let options = Heads { heads, head_dim, rotary: &rotary, rotated_heads, norm };
        let expected = reference::attention(&qkv, items, options);
        for cpu in cpus() {
            let upload = |values: &[f32], columns| cpu.upload(values, columns).unwrap();
            let norm = (upload(&weights.0, head_dim), upload(&weights.1, head_dim));
            let attention = Attention {
                items,
                heads,
                head_dim,
                rotary: &upload(&rotary, head_dim),
                rotated_heads,
                query_key_norm: normalised.then_some((&norm.0, &norm.1)),
            };
            let mut out = matrix(cpu, 4, items.rows(), width);
            cpu.attention(&upload(&qkv, 3 * width), attention, &mut out)
                .unwrap();
            let what = format!("{} {attention:?}", cpu.describe());
            assert_close(&what, &cpu.download(&out).unwrap(), &expected, TOLERANCE);
        }
    }
}

#[test]
fn attention_of_all_shapes_is_right() {
    for shape in SHAPES {
        for items in batches() {
            check(&items, shape, 1.5);
        }
    }
}

#[test]
fn sharp_scores_are_right() {
    check(&Items::new([40, 41]), (2, 32, 2), 6.0);
}

#[test]
fn more_keys_than_one_depth_are_right() {
    check(&Items::single(301), (1, 2, 1), 1.0);
    let items = Items::single(1100);
    let qkv = numbers(1, 1100 * 6);
    let options = Heads {
        heads: 1,
        head_dim: 2,
        rotary: &[],
        rotated_heads: 0,
        norm: None,
    };
    let expected = reference::attention(&qkv, &items, options);
    for cpu in cpus() {
        assert_close(&cpu.describe(), &plain(cpu, &qkv, &items), &expected, TOLERANCE);
    }
}

/// One head of two columns, neither rotated nor normalised.
fn plain(cpu: &Cpu, qkv: &[f32], items: &Items) -> Vec<f32> {
    let attention = Attention {
        items,
        heads: 1,
        head_dim: 2,
        rotary: &cpu.zeros(0, 0).unwrap(),
        rotated_heads: 0,
        query_key_norm: None,
    };
    let mut out = cpu.zeros(items.rows(), 2).unwrap();
    cpu.attention(&cpu.upload(qkv, 6).unwrap(), attention, &mut out)
        .unwrap();
    cpu.download(&out).unwrap()
}

#[test]
fn equal_keys_give_the_mean_of_values() {
    let qkv = [1.0, 2.0, 5.0, 5.0, 4.0, -2.0, 3.0, 4.0, 5.0, 5.0, 8.0, 6.0];
    for cpu in cpus() {
        assert_eq!(plain(cpu, &qkv, &Items::single(2)), [6.0, 2.0, 6.0, 2.0]);
        // As two items, each row sees only itself.
        assert_eq!(plain(cpu, &qkv, &Items::new([1, 1])), [4.0, -2.0, 8.0, 6.0]);
    }
}

#[test]
fn what_is_not_a_number_stays_within_its_item() {
    for cpu in cpus() {
        let mut qkv = numbers(1, 40 * 6);
        // A key of the first item.
        qkv[3 * 6 + 2] = f32::NAN;
        let out = plain(cpu, &qkv, &Items::new([20, 20]));
        assert!(out[..40].iter().all(|value| value.is_nan()));
        assert!(out[40..].iter().all(|value| value.is_finite()));
    }
}
