"""Times vox-tts 0.19.5, a native peer that reads official checkpoints. Runs under an interpreter that has it.

    peer_vox.py DIR --frames 500 [--dtype f32|f16|bf16|q8]

Its converter needs PyTorch, so install it beside tools/requirements.txt. It has no call for one evaluation: the time is
that of a request with more evaluations less that of one with fewer, divided by how many more they are.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
import vox

RATE_HZ, HOP = 24_000, 256
FEW, MANY = 1, 3
REFERENCE_SHARE = 1 / 3
FRAMES_PER_CHARACTER = 6


def convert(directory: Path, dtype: str) -> Path:
    path = directory / f"f5_{dtype}.tmod"
    if not path.exists():
        model = directory / "v1_base"
        precision = ["--dtype", "f32", "--quant", "q8"] if dtype == "q8" else ["--dtype", dtype]
        sources = [
            "--ckpt",
            model / "model.safetensors",
            "--vocab",
            model / "vocab.txt",
            "--vocos",
            directory / "vocos",
        ]
        build = [sys.executable, "-m", "vox.build_f5", *sources, "--model-cfg", "v1", "--no-pinyin-table", "--no-hash"]
        subprocess.run([*map(str, build), *precision, "-o", str(path)], check=True, stdout=sys.stderr)
    return path


def status_bytes(name: str) -> int:
    match = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.M)
    return int(match[1]) * 1024 if match else 0


def letters(count: int) -> str:
    return ("abcdefg " * (count // 8 + 1))[: max(count, 1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--frames", type=int, default=500)
    parser.add_argument("--dtype", default="f32", choices=["f32", "f16", "bf16", "q8"])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    model = convert(options.directory, options.dtype)

    start = time.perf_counter()
    engine = vox.Engine(str(model), device="cpu", threads=options.threads)
    load_s = time.perf_counter() - start
    reference_frames = int(options.frames * REFERENCE_SHARE)
    noise = np.random.default_rng(0).standard_normal(reference_frames * HOP).astype(np.float32) * 0.1
    voice = engine.clone_voice((noise, RATE_HZ), letters(reference_frames // FRAMES_PER_CHARACTER))
    wanted = options.frames - reference_frames

    def speak(characters: int, evaluations: int) -> tuple[float, int]:
        """Returns milliseconds and the frames that were generated."""
        start = time.perf_counter()
        wave = engine.synthesize(letters(characters), voice, nfe_step=evaluations, seed=1)
        return (time.perf_counter() - start) * 1000, len(wave) // HOP

    # It takes no duration, only a text: this one is as long as the frames need.
    guess = wanted // FRAMES_PER_CHARACTER
    _, generated = speak(guess, FEW)
    characters = round(guess * wanted / generated)
    evaluations = []
    for _ in range(options.repeat):
        few, _ = speak(characters, FEW)
        many, generated = speak(characters, MANY)
        evaluations.append((many - few) / (MANY - FEW))
    report = {
        "evaluation_ms": {"median": median(evaluations), "min": min(evaluations)},
        "load_s": load_s,
        "frames": reference_frames + generated,
        "memory": {"peak_bytes": status_bytes("VmHWM"), "anonymous_bytes": status_bytes("RssAnon")},
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
