//! One transformer block of `F5TTS_v1_Base`, with and without guidance in one batch, as the engine
//! runs it: `cargo bench -p f5tts-kernels --bench block -- --repeats 20 --frames 500,1000`.
//!
//! `tools/bench/block.py` does the same with PyTorch.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for developers"
)]

use std::{env, num::NonZeroUsize, time::Instant};

use f5tts_kernels::{
    Activation, Attention, Backend, Cpu, Epilogue, Items, LinearInput, Modulation, Result,
    cpu::{CpuOptions, Linear, Simd, Tensor},
};

const DIM: usize = 1024;
const HEADS: usize = 16;
const HEAD_DIM: usize = DIM / HEADS;
const INNER: usize = 2048;
/// Rows of the batch for each frame: with the condition and without.
const BRANCHES: usize = 2;

fn main() {
    let options = Options::parse();
    let cpu = Cpu::new(CpuOptions { threads: options.threads, simd: options.simd }).unwrap();
    println!("{}", cpu.describe());
    let block = Block::new(&cpu).unwrap();
    for &frames in &options.frames {
        let mut state = State::new(&cpu, frames).unwrap();
        let run = |step: &mut dyn FnMut()| times(options.repeats, step);
        let all = run(&mut || cpu.run(|| block.forward(&cpu, &mut state)).unwrap());
        let operations = flops(frames);
        let [least, median] = [all[0], all[all.len() / 2]];
        println!(
            "{frames} frames: min {least:.1} ms ({:.0} GFLOP/s), median {median:.1} ms",
            operations / least / 1e6
        );
        for (name, part) in PARTS {
            let part = run(&mut || cpu.run(|| part(&block, &cpu, &mut state)).unwrap());
            println!("    {name}: min {:.1} ms, median {:.1} ms", part[0], part[part.len() / 2]);
        }
    }
}

/// The milliseconds that every repetition takes, sorted.
fn times(repeats: usize, step: &mut dyn FnMut()) -> Vec<f64> {
    step();
    let mut once = || {
        let start = Instant::now();
        step();
        start.elapsed().as_secs_f64() * 1e3
    };
    let mut times: Vec<f64> = (0..repeats).map(|_| once()).collect();
    times.sort_by(f64::total_cmp);
    times
}

/// Floating-point operations of a block.
fn flops(frames: usize) -> f64 {
    let weights = 4 * DIM * DIM + 2 * DIM * INNER;
    let attention = 2 * frames * DIM;
    2.0 * (BRANCHES * frames) as f64 * (weights + attention) as f64
}

struct Options {
    threads: Option<NonZeroUsize>,
    simd: Simd,
    repeats: usize,
    frames: Vec<usize>,
}

impl Options {
    fn parse() -> Self {
        let arguments: Vec<String> = env::args().collect();
        let value = |name: &str| {
            let at = arguments.iter().position(|argument| argument == name)?;
            arguments.get(at + 1).cloned()
        };
        let simd = match value("--simd").as_deref() {
            Some("portable") => Simd::Portable,
            Some("avx2") => Simd::Avx2,
            Some("avx512") => Simd::Avx512,
            _ => Simd::Auto,
        };
        let frames = value("--frames").unwrap_or_else(|| "500,1000".to_owned());
        Self {
            threads: value("--threads").map(|threads| threads.parse().unwrap()),
            simd,
            repeats: value("--repeats").map_or(10, |repeats| repeats.parse().unwrap()),
            frames: frames
                .split(',')
                .map(|frames| frames.parse().unwrap())
                .collect(),
        }
    }
}

/// The weights.
struct Block {
    qkv: Linear,
    out: Linear,
    up: Linear,
    down: Linear,
    rotary: Tensor,
}

/// What runs through the block.
struct State {
    items: Items,
    table: Tensor,
    x: Tensor,
    qkv: Tensor,
    attended: Tensor,
    inner: Tensor,
}

impl State {
    fn new(cpu: &Cpu, frames: usize) -> Result<Self> {
        let items = Items::new([frames; BRANCHES]);
        let rows = items.rows();
        Ok(Self {
            table: cpu.upload(&numbers(6, BRANCHES * 6 * DIM, 0.1), 6 * DIM)?,
            x: cpu.upload(&numbers(7, rows * DIM, 1.0), DIM)?,
            qkv: cpu.zeros(rows, 3 * DIM)?,
            attended: cpu.zeros(rows, DIM)?,
            inner: cpu.zeros(rows, INNER)?,
            items,
        })
    }
}

type Part = fn(&Block, &Cpu, &mut State) -> Result<()>;

const PARTS: [(&str, Part); 5] = [
    ("qkv", Block::project_qkv),
    ("attention", Block::attend),
    ("out", Block::project_out),
    ("up", Block::project_up),
    ("down", Block::project_down),
];

impl Block {
    fn new(cpu: &Cpu) -> Result<Self> {
        let layer = |seed, outputs: usize, inputs: usize| {
            let weight = numbers(seed, outputs * inputs, 1.7 / (inputs as f32).sqrt());
            cpu.load_linear(&weight, Some(&numbers(seed, outputs, 0.1)), inputs)
        };
        let angle = |at: usize| {
            let (position, pair) = (at / (HEAD_DIM / 2), at % (HEAD_DIM / 2));
            position as f32 * 10_000_f32.powf(-((2 * pair) as f32) / HEAD_DIM as f32)
        };
        let angles = (0..4096 * HEAD_DIM / 2).map(angle);
        let rotary: Vec<f32> = angles
            .flat_map(|angle| [angle.cos(), angle.sin()])
            .collect();
        Ok(Self {
            qkv: layer(1, 3 * DIM, DIM)?,
            out: layer(2, DIM, DIM)?,
            up: layer(3, INNER, DIM)?,
            down: layer(4, DIM, INNER)?,
            rotary: cpu.upload(&rotary, HEAD_DIM)?,
        })
    }

    fn forward(&self, cpu: &Cpu, state: &mut State) -> Result<()> {
        PARTS
            .iter()
            .try_for_each(|(_, part)| part(self, cpu, state))
    }

    fn project_qkv(&self, cpu: &Cpu, state: &mut State) -> Result<()> {
        let State { items, table, x, qkv, .. } = state;
        let modulation = Modulation { table, items, scale: DIM, shift: 0 };
        let store = Epilogue::Store(Activation::None);
        cpu.linear(LinearInput::Modulated(x, modulation), &self.qkv, store, qkv)
    }

    fn attend(&self, cpu: &Cpu, state: &mut State) -> Result<()> {
        let attention = Attention {
            items: &state.items,
            heads: HEADS,
            head_dim: HEAD_DIM,
            rotary: &self.rotary,
            rotated_heads: HEADS,
            query_key_norm: None,
        };
        cpu.attention(&state.qkv, attention, &mut state.attended)
    }

    fn project_out(&self, cpu: &Cpu, state: &mut State) -> Result<()> {
        let State { items, table, x, attended, .. } = state;
        let gated = Epilogue::GatedResidual { table, items, gate: 2 * DIM };
        cpu.linear(LinearInput::Plain(attended), &self.out, gated, x)
    }

    fn project_up(&self, cpu: &Cpu, state: &mut State) -> Result<()> {
        let State { items, table, x, inner, .. } = state;
        let modulation = Modulation { table, items, scale: 4 * DIM, shift: 3 * DIM };
        let gelu = Epilogue::Store(Activation::GeluTanh);
        cpu.linear(LinearInput::Modulated(x, modulation), &self.up, gelu, inner)
    }

    fn project_down(&self, cpu: &Cpu, state: &mut State) -> Result<()> {
        let State { items, table, x, inner, .. } = state;
        let gated = Epilogue::GatedResidual { table, items, gate: 5 * DIM };
        cpu.linear(LinearInput::Plain(inner), &self.down, gated, x)
    }
}

/// Pseudo-random numbers between plus and minus `spread`.
fn numbers(seed: u64, count: usize, spread: f32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 40) as f32 / (1_u32 << 23) as f32 - 1.0) * spread
    };
    (0..count).map(|_| next()).collect()
}
