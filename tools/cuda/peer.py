"""The official network in half precision on the same card: `python peer.py [--compile] [--quick]`.

Random weights of the real size, the same frames, steps and batches as `cuda_check time`. With the package f5_tts it is
the official DiT; without it, the same layers restated here with PyTorch's own operations (which the output tells): what
is timed is PyTorch's way of computing them, and the values do not matter. As in the official code, both branches of the
guidance go through the network as one batch, and the vocoder is in single precision. The vocoder is not timed here.
"""

import argparse
import json
import math
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional

DIM, DEPTH, HEADS, FF, TEXT, MEL = 1024, 22, 16, 2048, 512, 100


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.modulation = nn.Linear(DIM, 6 * DIM)
        self.norm = nn.LayerNorm(DIM, elementwise_affine=False, eps=1e-6)
        self.query, self.key, self.value, self.out = (nn.Linear(DIM, DIM) for _ in range(4))
        self.widen, self.narrow = nn.Linear(DIM, FF), nn.Linear(FF, DIM)

    def forward(self, x, time, cosine, sine):
        shift, scale, gate, ff_shift, ff_scale, ff_gate = self.modulation(functional.silu(time)).chunk(6, dim=1)
        y = self.norm(x) * (1 + scale[:, None]) + shift[:, None]
        heads = [part(y).unflatten(-1, (HEADS, -1)) for part in (self.query, self.key, self.value)]
        query, key = (rotated(part, cosine, sine) for part in heads[:2])
        y = functional.scaled_dot_product_attention(query.transpose(1, 2), key.transpose(1, 2), heads[2].transpose(1, 2))
        x = x + gate[:, None] * self.out(y.transpose(1, 2).flatten(2))
        y = self.norm(x) * (1 + ff_scale[:, None]) + ff_shift[:, None]
        return x + ff_gate[:, None] * self.narrow(functional.gelu(self.widen(y), approximate="tanh"))


def rotated(x, cosine, sine):
    pairs = x.unflatten(-1, (-1, 2))
    turned = torch.stack((-pairs[..., 1], pairs[..., 0]), dim=-1).flatten(-2)
    return x * cosine + turned * sine


class Restated(nn.Module):
    def __init__(self):
        super().__init__()
        self.time = nn.Sequential(nn.Linear(256, DIM), nn.SiLU(), nn.Linear(DIM, DIM))
        self.join = nn.Linear(2 * MEL + TEXT, DIM)
        conv = lambda: nn.Conv1d(DIM, DIM, 31, groups=16, padding=15)
        self.positions = nn.Sequential(conv(), nn.Mish(), conv(), nn.Mish())
        self.blocks = nn.ModuleList(Block() for _ in range(DEPTH))
        self.modulation = nn.Linear(DIM, 2 * DIM)
        self.norm = nn.LayerNorm(DIM, elementwise_affine=False, eps=1e-6)
        self.out = nn.Linear(DIM, MEL)

    def forward(self, x, cond, text, time):
        frames = x.shape[1]
        half = torch.exp(torch.arange(128, device=x.device, dtype=torch.float32) * (-math.log(10000) / 127))
        angle = 1000 * time.float()[:, None] * half[None]
        time = self.time(torch.cat((angle.sin(), angle.cos()), dim=-1).to(x.dtype))
        h = self.join(torch.cat((x, cond, text), dim=-1))
        h = h + self.positions(h.transpose(1, 2)).transpose(1, 2)
        inverse = 10000 ** (-torch.arange(0, 64, 2, device=x.device) / 64)
        angles = (torch.arange(frames, device=x.device)[:, None] * inverse).repeat_interleave(2, dim=-1)
        cosine, sine = (part.to(x.dtype)[:, None] for part in (angles.cos(), angles.sin()))
        for block in self.blocks:
            h = block(h, time, cosine, sine)
        scale, shift = self.modulation(functional.silu(time)).chunk(2, dim=1)
        return self.out(self.norm(h) * (1 + scale[:, None]) + shift[:, None])


class Official(nn.Module):
    """The package's DiT, with its text embedding's cache, called as its sampler calls it."""

    def __init__(self):
        super().__init__()
        from f5_tts.model import DiT

        self.dit = DiT(dim=DIM, depth=DEPTH, heads=HEADS, ff_mult=2, text_dim=TEXT, conv_layers=4, text_num_embeds=2545)

    def forward(self, x, cond, text, time):
        half = x.shape[0] // 2
        return self.dit(x=x[:half], cond=cond[:half], text=text, time=time[:half], cfg_infer=True, cache=True)


def network(restated: bool):
    if not restated:
        try:
            return Official(), "f5_tts"
        except ImportError as error:
            print(f"f5_tts is not there ({error}): its layers are restated", file=sys.stderr)
    return Restated(), "restated"


def sample(net, state, cond, text, steps):
    """Euler with guidance; the state is in half precision, as in the official code."""
    times = torch.linspace(0, 1, steps + 1, device=state.device, dtype=state.dtype)
    times = times - (torch.cos(math.pi / 2 * times) - 1 + times) * -1
    for now, after in zip(times[:-1], times[1:]):
        velocity = net(torch.cat((state, state)), cond, text, now.expand(2 * len(state)))
        with_cond, without = velocity.chunk(2)
        state = state + (after - now) * (with_cond + (with_cond - without) * 2)
    return state


def measured(run, repeats):
    run()
    run()
    milliseconds = []
    for _ in range(repeats):
        torch.cuda.synchronize()
        start = time.perf_counter()
        run()
        torch.cuda.synchronize()
        milliseconds.append((time.perf_counter() - start) * 1e3)
    return statistics.median(milliseconds)


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--restated", action="store_true", help="even if f5_tts is there")
    parser.add_argument("--quick", action="store_true", help="one small case, on the CPU too")
    arguments = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu" and not arguments.quick:
        sys.exit("there is no GPU: use --quick to try the program")
    torch.manual_seed(1)
    net, name = network(arguments.restated)
    kind = torch.float16 if device == "cuda" else torch.float32
    net = net.to(device, kind).eval()
    if arguments.compile:
        net = torch.compile(net, dynamic=False)
    if device == "cpu":
        torch.cuda.synchronize = lambda: None
    cases = [(281, 3.0), (281, 10.0)] if not arguments.quick else [(20, 0.2)]
    times = []
    for reference, seconds in cases:
        frames = reference + round(seconds * 93.75)
        for steps in (7, 16, 32) if not arguments.quick else (2,):
            for batch in (1, 8, 32) if not arguments.quick else (1,):
                state = torch.randn(batch, frames, MEL, device=device, dtype=kind)
                cond = torch.randn(2 * batch, frames, MEL, device=device, dtype=kind)
                if name == "f5_tts":
                    text = torch.randint(0, 2545, (batch, frames // 6), device=device)
                else:
                    text = torch.randn(2 * batch, frames, TEXT, device=device, dtype=kind)

                def run():
                    if name == "f5_tts":
                        getattr(net, "_orig_mod", net).dit.clear_cache()
                    sample(net, state, cond, text, steps)

                entry = {"frames": frames, "generated_seconds": seconds, "steps": steps, "batch": batch}
                times.append(entry | {"milliseconds": measured(run, 3 if batch > 1 else 10)})
                print(times[-1], file=sys.stderr)
    card = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    print(json.dumps({"device": card, "network": name, "compiled": arguments.compile, "torch": torch.__version__, "times": times}))


main()
