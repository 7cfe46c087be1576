use f5tts_kernels::{
    Activation, Attention, Backend, Cuda, CudaOptions, Epilogue, Error, Items, LinearInput,
    Modulation, cuda,
};

use super::{fractions, options};

const DIM: usize = 24;

/// A small block that adds to its state, as the network does.
struct Block {
    items: Items,
    layer: cuda::Linear,
    table: cuda::Tensor,
    rotary: cuda::Tensor,
    state: cuda::Tensor,
    qkv: cuda::Tensor,
    attended: cuda::Tensor,
    out: cuda::Linear,
}

impl Block {
    fn new(cuda: &Cuda) -> Self {
        let items = Items::new([5, 9]);
        let upload = |seed, rows: usize, columns: usize| {
            cuda.upload(&fractions(seed, rows * columns), columns)
                .unwrap()
        };
        let layer = |seed, outputs| {
            cuda.load_linear(&fractions(seed, outputs * DIM), None, DIM)
                .unwrap()
        };
        Self {
            layer: layer(1, 3 * DIM),
            out: layer(2, DIM),
            table: upload(3, 2, 3 * DIM),
            rotary: upload(4, 9, DIM / 2),
            state: upload(5, items.rows(), DIM),
            qkv: cuda.activations(items.rows(), 3 * DIM).unwrap(),
            attended: cuda.activations(items.rows(), DIM).unwrap(),
            items,
        }
    }

    fn step(&mut self, cuda: &Cuda) -> Result<(), Error> {
        let items = &self.items;
        let modulation = Modulation { table: &self.table, items, scale: 0, shift: DIM };
        let input = LinearInput::Modulated(&self.state, modulation);
        cuda.linear(input, &self.layer, Epilogue::Store(Activation::None), &mut self.qkv)?;
        let attention = Attention {
            items,
            heads: 2,
            head_dim: DIM / 2,
            rotary: &self.rotary,
            rotated_heads: 2,
            query_key_norm: None,
        };
        cuda.attention(&self.qkv, attention, &mut self.attended)?;
        let gate = Epilogue::GatedResidual { table: &self.table, items, gate: 2 * DIM };
        cuda.linear(LinearInput::Plain(&self.attended), &self.out, gate, &mut self.state)
    }
}

/// The state after some steps; between them, others take and give back memory.
fn states(cuda: &Cuda, steps: usize) -> Vec<Vec<f32>> {
    let (mut block, mut recording) = (Block::new(cuda), cuda::Recording::default());
    let mut step = || {
        cuda.repeat(&mut recording, &mut || block.step(cuda))
            .unwrap();
        let _other = Block::new(cuda);
        cuda.download(&block.state).unwrap()
    };
    (0..steps).map(|_| step()).collect()
}

#[test]
fn what_is_repeated_is_the_same_as_what_is_done() {
    let recorded = Cuda::emulated(options()).unwrap();
    let plain = Cuda::emulated(CudaOptions { recorded: false, ..options() }).unwrap();
    assert_eq!(states(&recorded, 5), states(&plain, 5));
}

#[test]
fn what_cannot_be_recorded_is_done_as_usual() {
    let cuda = Cuda::emulated(options()).unwrap();
    let mut recording = cuda::Recording::default();
    let mut calls = 0;
    for _ in 0..4 {
        let mut upload = || -> Result<(), Error> {
            cuda.upload(&[1.0], 1)?;
            calls += 1;
            Ok(())
        };
        cuda.repeat(&mut recording, &mut upload).unwrap();
    }
    assert_eq!(calls, 4);
}

#[test]
fn a_recording_gives_its_memory_back() {
    let cuda = Cuda::emulated(CudaOptions { idle_bytes: 1 << 20, ..options() }).unwrap();
    drop(states(&cuda, 4));
    let (used, _) = cuda.memory();
    // What remains are the places of the last few batches' rows.
    assert!(used < 4096, "{used}");
}
