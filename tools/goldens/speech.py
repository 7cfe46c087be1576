"""The speech that goldens are made from: recordings in `inputs/`, so that no synthesiser's version matters.

They were made by `espeak-ng -v en-us -s 165 -w inputs/NAME.wav TEXT`.
"""

from pathlib import Path

import numpy as np
import soundfile as sf
import torch
import torchaudio
from official import SAMPLE_RATE_HZ

INPUTS = Path(__file__).resolve().parent / "inputs"
GOOD_MORNING = INPUTS / "good_morning.wav"  # "Good morning friend, how are you today?"
HI_FRIEND = INPUTS / "hi_friend.wav"  # "Hi friend"


def at_24_khz(path: Path) -> torch.Tensor:
    """Returns `[1, samples]`."""
    wave, rate_hz = sf.read(path, dtype="float32")
    return torchaudio.transforms.Resample(rate_hz, SAMPLE_RATE_HZ)(torch.from_numpy(wave)[None])


def write_pcm16(path: Path, wave: np.ndarray, rate_hz: int) -> None:
    sf.write(path, np.clip(np.round(wave * 32767), -32768, 32767).astype(np.int16), rate_hz, subtype="PCM_16")
