//! Every layer against the tensors of the official implementation.

use f5tts_kernels::{Backend, Items};
use f5tts_testkit::{Golden, Tolerance, assert_close};

use super::{Batch, Branch};
use crate::{
    MEL_CHANNELS,
    model::tiny::{self, DITS},
    stop::Stop,
};

// The embeddings are short sums of f32 in another order than PyTorch's.
const EMBEDDING: Tolerance = Tolerance::relative(1e-5);
// Each block adds the rounding of its own sums to that of all before it.
const BLOCK: Tolerance = Tolerance::relative(1e-4);

#[test]
fn embeddings_are_the_official_ones() {
    for folder in DITS {
        let backend = tiny::cpu();
        let dit = tiny::dit(folder, &backend);
        let golden = Golden::open(format!("{folder}/forward.safetensors"));
        let ids = tiny::ids(&golden, "in.text_ids");
        let frames = golden.shape("in.x")[1];

        let time = dit.modulations(&golden.f32("in.time")).unwrap();
        assert_close(folder, &time.time_embedding, &golden.f32("time_embed"), EMBEDDING);
        for (branch, name) in [
            (Branch::Conditional, "text_embed"),
            (Branch::Unconditional, "text_embed.1"),
        ] {
            let text = dit.text.forward(&ids, frames, branch).unwrap();
            assert_close(name, &backend.download(&text).unwrap(), &golden.f32(name), EMBEDDING);
        }
    }
}

#[test]
fn blocks_and_velocity_are_the_official_ones() {
    for folder in DITS {
        let backend = tiny::cpu();
        let dit = tiny::dit(folder, &backend);
        let golden = Golden::open(format!("{folder}/forward.safetensors"));
        let (noised, ids) = (golden.f32("in.x"), tiny::ids(&golden, "in.text_ids"));
        let frames = golden.shape("in.x")[1];
        let conditioning = tiny::padded(&golden.f32("in.cond_mel"), frames);

        let items = Items::new([frames, frames]);
        let mut condition = backend.zeros(2 * frames, dit.config().dim).unwrap();
        for (branch, to) in [(Branch::Conditional, 0), (Branch::Unconditional, frames)] {
            let embedded = dit.embed_condition(&conditioning, &ids, branch).unwrap();
            backend
                .copy_rows(&embedded, 0..frames, to, &mut condition)
                .unwrap();
        }
        let time = golden.f32("in.time")[0];
        let batch = Batch {
            items: &items,
            noised: &backend
                .upload(&[noised.clone(), noised].concat(), MEL_CHANNELS)
                .unwrap(),
            condition: &condition,
            modulations: &dit.modulations(&[time, time]).unwrap().rows,
        };
        let mut workspace = dit.workspace(&items).unwrap();

        let states = dit.trace(&batch, &mut workspace).unwrap();
        let embedded = [golden.f32("input_embed"), golden.f32("input_embed.1")].concat();
        assert_close("input_embed", &states[0], &embedded, EMBEDDING);
        for (index, state) in states[1..].iter().enumerate() {
            let name = format!("block{index:02}");
            assert_close(&format!("{folder} {name}"), state, &golden.f32(&name), BLOCK);
        }

        dit.forward(&batch, &mut workspace, &Stop::default())
            .unwrap();
        let velocity = backend.download(&workspace.velocity).unwrap();
        let expected = [golden.f32("out.cond"), golden.f32("out.uncond")].concat();
        assert_close(&format!("{folder} velocity"), &velocity, &expected, BLOCK);
    }
}

#[test]
fn a_stop_ends_an_evaluation_between_blocks() {
    let backend = tiny::cpu();
    let dit = tiny::dit("tiny_v1", &backend);
    let items = Items::single(4);
    let rows = |columns| backend.zeros(4, columns).unwrap();
    let batch = Batch {
        items: &items,
        noised: &rows(MEL_CHANNELS),
        condition: &rows(dit.config().dim),
        modulations: &dit.modulations(&[0.0]).unwrap().rows,
    };
    let stop = Stop::default();
    stop.stop();
    let mut workspace = dit.workspace(&items).unwrap();
    assert!(dit.forward(&batch, &mut workspace, &stop).is_err());
}
