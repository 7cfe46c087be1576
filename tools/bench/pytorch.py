"""The official model on PyTorch, eager, f32, on the CPU."""

import contextlib
import io
import json
import resource
import time
from pathlib import Path
from statistics import median

import torch
from f5_tts.infer import utils_infer
from f5_tts.model import DiT

MELS = 100
# As in an everyday request: a reference of about a third, and a character for every six frames.
REFERENCE_SHARE = 1 / 3
FRAMES_PER_CHARACTER = 6


def milliseconds(action) -> float:
    start = time.perf_counter()
    action()
    return (time.perf_counter() - start) * 1000


def times(values: list[float]) -> dict[str, float]:
    return {"median": median(values), "min": min(values)}


class Official:
    def __init__(self, directory: Path, threads: int) -> None:
        torch.set_num_threads(threads)
        start = time.perf_counter()
        model = directory / "v1_base"
        arch = json.loads((model / "config.json").read_text())["arch"]
        weights, vocabulary = str(model / "model.safetensors"), str(model / "vocab.txt")
        with contextlib.redirect_stdout(io.StringIO()):
            self._model = utils_infer.load_model(DiT, arch, weights, "vocos", vocabulary, device="cpu").eval()
            self._vocoder = utils_infer.load_vocoder("vocos", True, str(directory / "vocos"), "cpu")
        self._load_s = time.perf_counter() - start

    def time(self, frames: int, repeat: int) -> dict:
        """Times `repeat` evaluations after one that fills the cache of text embeddings, as the sampler does."""
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(1, frames, MELS, generator=generator)
        condition = torch.randn(1, frames, MELS, generator=generator)
        condition[:, int(frames * REFERENCE_SHARE) :] = 0
        text = torch.randint(1, 100, (1, frames // FRAMES_PER_CHARACTER), generator=generator)
        network, moment = self._model.transformer, torch.tensor(0.5)

        def evaluate() -> None:
            network(x=x, cond=condition, text=text, time=moment, mask=None, cfg_infer=True, cache=True)

        with torch.inference_mode():
            network.clear_cache()
            evaluate()
            evaluations = [milliseconds(evaluate) for _ in range(repeat)]
            mel = torch.randn(1, MELS, frames, generator=generator)
            vocoder = [milliseconds(lambda: self._vocoder.decode(mel)) for _ in range(repeat)]
            network.clear_cache()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return {
            "evaluation_ms": times(evaluations),
            "vocoder_ms": times(vocoder),
            "load_s": self._load_s,
            "memory": {"peak_bytes": peak},
        }
