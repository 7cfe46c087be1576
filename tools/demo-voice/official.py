"""The demonstration model under the official package: loads it and speaks with it, exactly as `f5_tts.api` does."""

import contextlib
import io
from pathlib import Path

import numpy as np
import torch
import yaml
from f5_tts.infer import utils_infer
from f5_tts.model import DiT

REPOSITORY = Path(__file__).resolve().parents[2]
DEMO = REPOSITORY / "models" / "demo"


def silent(*_args: object) -> None:
    """What the official functions may call to show their progress."""


def muted() -> contextlib.AbstractContextManager:
    return contextlib.redirect_stdout(io.StringIO())


class Official:
    """Model, vocoder and the number of evaluations of a directory in the official layout."""

    def __init__(self, directory: Path = DEMO) -> None:
        config = yaml.safe_load((directory / "config.yaml").read_text(encoding="utf-8"))
        self.evaluations = config["f5tts"]["nfe_step"]
        with muted():
            self.model = utils_infer.load_model(
                DiT,
                config["model"]["arch"],
                str(directory / "model.safetensors"),
                config["model"]["mel_spec"]["mel_spec_type"],
                str(directory / "vocab.txt"),
                device="cpu",
            ).eval()
            self.vocoder = utils_infer.load_vocoder("vocos", True, str(directory / "vocoder"), "cpu")

    def speak(
        self, reference: Path, transcript: str, text: str, seed: int, evaluations: int | None = None
    ) -> np.ndarray:
        """Returns a 24 kHz wave: the reference is preprocessed and the text chunked as the package does it."""
        with muted():
            path, transcript = utils_infer.preprocess_ref_audio_text(str(reference), transcript, show_info=silent)
            torch.manual_seed(seed)
            wave, _, _ = utils_infer.infer_process(
                path,
                transcript,
                text,
                self.model,
                self.vocoder,
                show_info=silent,
                progress=None,
                nfe_step=evaluations or self.evaluations,
                device="cpu",
            )
        return np.asarray(wave, dtype=np.float32)


def prepared(reference: Path, transcript: str) -> tuple[int, int]:
    """Returns frames and bytes of a reference after the official preprocessing: what sets the pace of an answer."""
    with muted():
        path, transcript = utils_infer.preprocess_ref_audio_text(str(reference), transcript, show_info=silent)
        audio, rate_hz = utils_infer.torchaudio.load(path)
    samples = audio.shape[-1] * 24_000 // rate_hz
    return samples // 256, len(transcript.encode()) + 1
