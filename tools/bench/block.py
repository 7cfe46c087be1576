"""One transformer block of F5TTS_v1_Base in PyTorch eager, f32, with and without guidance in one batch.

The counterpart of `cargo bench -p f5tts-kernels --bench block`: same sizes, same operations, in the way
the official implementation calls them. Needs only `torch`.

    python tools/bench/block.py --repeats 20 --frames 500,1000 --threads 2
"""

import argparse
import statistics
import time

import torch
import torch.nn.functional as F

DIM, HEADS, INNER, BRANCHES = 1024, 16, 2048, 2
HEAD_DIM = DIM // HEADS


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = torch.nn.LayerNorm(DIM, elementwise_affine=False, eps=1e-6)
        self.q = torch.nn.Linear(DIM, DIM)
        self.k = torch.nn.Linear(DIM, DIM)
        self.v = torch.nn.Linear(DIM, DIM)
        self.out = torch.nn.Linear(DIM, DIM)
        self.up = torch.nn.Linear(DIM, INNER)
        self.down = torch.nn.Linear(INNER, DIM)

    def forward(self, x, modulation, cos, sin):
        shift_a, scale_a, gate_a, shift_m, scale_m, gate_m = modulation.unsqueeze(1).chunk(6, dim=-1)
        y = self.norm(x) * (1 + scale_a) + shift_a
        q, k, v = (self.heads(layer(y)) for layer in (self.q, self.k, self.v))
        q, k = (t * cos + rotate_half(t) * sin for t in (q, k))
        y = F.scaled_dot_product_attention(q, k, v)
        y = y.transpose(1, 2).reshape(x.shape)
        x = x + gate_a * self.out(y)
        y = self.norm(x) * (1 + scale_m) + shift_m
        return x + gate_m * self.down(F.gelu(self.up(y), approximate="tanh"))

    @staticmethod
    def heads(x):
        return x.view(*x.shape[:2], HEADS, HEAD_DIM).transpose(1, 2)


def rotate_half(x):
    """Adjacent pairs (a, b) become (-b, a)."""
    a, b = x.unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack((-b, a), dim=-1).flatten(-2)


def rotary(frames):
    frequencies = 10000.0 ** (-torch.arange(0, HEAD_DIM, 2) / HEAD_DIM)
    angles = torch.outer(torch.arange(frames), frequencies).repeat_interleave(2, dim=-1)
    return angles.cos(), angles.sin()


def milliseconds(step, repeats):
    step()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        step()
        times.append((time.perf_counter() - start) * 1e3)
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--frames", default="500,1000")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    print(f"torch {torch.__version__} ({torch.backends.cpu.get_cpu_capability()}, {options.threads} threads)")
    block = Block().eval()
    with torch.inference_mode():
        for frames in map(int, options.frames.split(",")):
            x = torch.rand(BRANCHES, frames, DIM) * 2 - 1
            modulation = torch.rand(BRANCHES, 6 * DIM) * 0.2 - 0.1
            cos, sin = rotary(frames)
            times = milliseconds(lambda: block(x, modulation, cos, sin), options.repeats)
            weights = 4 * DIM * DIM + 2 * DIM * INNER
            flops = 2 * BRANCHES * frames * (weights + 2 * frames * DIM)
            print(
                f"{frames} frames: min {min(times):.1f} ms ({flops / min(times) / 1e6:.0f} GFLOP/s), "
                f"median {statistics.median(times):.1f} ms"
            )


if __name__ == "__main__":
    main()
