use f5tts_kernels::{Attention, Backend, Items};
use f5tts_testkit::{Tolerance, assert_close};

use super::{batches, cpu, emulated, fractions, halves};
use crate::machines::numbers;

/// Weights are rounded to half precision, rotated queries and keys as well.
const TOLERANCE: Tolerance = Tolerance::relative(2e-3);

/// Heads, columns of a head, rotated heads.
const SHAPES: [(usize, usize, usize); 6] = [
    (1, 2, 1),
    (2, 64, 2),
    (3, 16, 1),
    (2, 10, 0),
    (1, 100, 1),
    (2, 128, 2),
];

fn rotary(positions: usize, head_dim: usize) -> Vec<f32> {
    let angles = numbers(5, positions * head_dim / 2).into_iter();
    angles
        .map(|angle| 7.0 * angle)
        .flat_map(|angle| [angle.cos(), angle.sin()])
        .collect()
}

fn attended<B: Backend>(
    backend: &B,
    qkv: &B::Tensor,
    items: &Items,
    (heads, head_dim, rotated_heads): (usize, usize, usize),
    normalised: bool,
) -> Vec<f32> {
    let norm = |seed| {
        backend
            .upload(&fractions(seed, head_dim), head_dim)
            .unwrap()
    };
    let norms = (norm(2), norm(3));
    let attention = Attention {
        items,
        heads,
        head_dim,
        rotary: &backend.upload(&rotary(133, head_dim), head_dim).unwrap(),
        rotated_heads,
        query_key_norm: normalised.then_some((&norms.0, &norms.1)),
    };
    let mut out = backend.activations(items.rows(), heads * head_dim).unwrap();
    backend.attention(qkv, attention, &mut out).unwrap();
    backend.download(&out).unwrap()
}

#[test]
fn attention_of_all_shapes_is_right() {
    for shape in SHAPES {
        let columns = 3 * shape.0 * shape.1;
        for (index, items) in batches().iter().chain([&Items::single(131)]).enumerate() {
            let values = fractions(1, items.rows() * columns);
            let normalised = index % 2 == 0;
            let expected =
                attended(cpu(), &cpu().upload(&values, columns).unwrap(), items, shape, normalised);
            let single = emulated().upload(&values, columns).unwrap();
            let half = halves(emulated(), 1, items.rows(), columns);
            for qkv in [single, half] {
                let actual = attended(emulated(), &qkv, items, shape, normalised);
                let what = format!("{shape:?} {items:?} {:?}", qkv.precision());
                assert_close(&what, &actual, &expected, TOLERANCE);
            }
        }
    }
}

#[test]
fn sharp_scores_are_right() {
    let (shape, items) = ((2, 32, 2), Items::new([70, 40]));
    let values: Vec<f32> = fractions(1, items.rows() * 192)
        .iter()
        .map(|x| 8.0 * x)
        .collect();
    let expected = attended(cpu(), &cpu().upload(&values, 192).unwrap(), &items, shape, false);
    let actual =
        attended(emulated(), &emulated().upload(&values, 192).unwrap(), &items, shape, false);
    // Scores of hundreds: a rotated query's rounding by 2⁻¹¹ changes a weight by several percent.
    assert_close("sharp", &actual, &expected, Tolerance::relative(4e-2));
}

#[test]
fn items_do_not_see_each_other() {
    let (shape, columns) = ((1, 64, 1), 192);
    let values = fractions(1, 150 * columns);
    let run = |values: &[f32], items: &Items| {
        attended(emulated(), &emulated().upload(values, columns).unwrap(), items, shape, false)
    };
    let both = run(&values, &Items::new([83, 67]));
    assert_eq!(both[..83 * 64], run(&values[..83 * columns], &Items::single(83)));
    assert_eq!(both[83 * 64..], run(&values[83 * columns..], &Items::single(67)));
}
