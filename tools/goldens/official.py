"""The official package, and small things that every golden needs from it."""

import contextlib
import io
import json
import os
import warnings
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
warnings.filterwarnings("ignore")

import torch  # noqa: E402
from f5_tts.infer import utils_infer  # noqa: E402
from f5_tts.model import CFM, DiT  # noqa: E402

SAMPLE_RATE_HZ = 24_000
HOP = 256
MELS = 100
# f5_tts is a namespace package: it has no file of its own.
PACKAGE = Path(utils_infer.__file__).resolve().parents[1]
VOCABULARY = PACKAGE / "infer" / "examples" / "vocab.txt"
PACKAGES = [
    "f5-tts",
    "torch",
    "torchaudio",
    "vocos",
    "x-transformers",
    "torchdiffeq",
    "rjieba",
    "pypinyin",
    "pydub",
    "numpy",
    "safetensors",
]


def silent(*_args: object, **_keywords: object) -> None:
    """What the official functions may call to show their progress."""


def muted() -> contextlib.AbstractContextManager:
    return contextlib.redirect_stdout(io.StringIO())


def versions() -> dict[str, str]:
    return {package: version(package) for package in PACKAGES}


def write_json(value: object, path: Path) -> None:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    path.write_text(text + "\n", encoding="utf-8")


def float32(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().to(torch.float32).contiguous().clone()


def load_model(arch: dict, directory: Path) -> CFM:
    """Loads a checkpoint through the official loader, which refuses what it would not accept from the hub."""
    with muted():
        model = utils_infer.load_model(
            DiT,
            arch,
            str(directory / "model.safetensors"),
            mel_spec_type="vocos",
            vocab_file=str(directory / "vocab.txt"),
            device="cpu",
        )
    return model.eval()


def load_vocoder(directory: Path) -> torch.nn.Module:
    with muted():
        return utils_infer.load_vocoder("vocos", is_local=True, local_path=str(directory), device="cpu")


class OneWorker(utils_infer.ThreadPoolExecutor):
    """The official code speaks chunks in a thread pool, so the order in which they draw noise is a race. One
    worker draws in the order of the chunks."""

    def __init__(self) -> None:
        super().__init__(max_workers=1)


@contextlib.contextmanager
def chunks_in_order():
    original, utils_infer.ThreadPoolExecutor = utils_infer.ThreadPoolExecutor, OneWorker
    try:
        yield
    finally:
        utils_infer.ThreadPoolExecutor = original


class Tap:
    """Records the outputs of modules in the order of their calls; a repeated name gets `.1`, `.2`, …"""

    def __init__(self) -> None:
        self.outputs: dict[str, torch.Tensor] = {}
        self._hooks = []

    def on(self, module: torch.nn.Module, name: str, pick=lambda output: output) -> None:
        def hook(_module: torch.nn.Module, _inputs: tuple, output: object) -> None:
            key, repetition = name, 0
            while key in self.outputs:
                repetition += 1
                key = f"{name}.{repetition}"
            self.outputs[key] = float32(pick(output))

        self._hooks.append(module.register_forward_hook(hook))

    def off(self) -> dict[str, torch.Tensor]:
        for hook in self._hooks:
            hook.remove()
        return self.outputs
