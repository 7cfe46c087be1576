"""What a recogniser hears, and how many words of it are wrong."""

import re

import numpy as np
import soxr
from pocketsphinx import Decoder

RATE_HZ = 16_000
PEAK = 0.5
SILENCE_S = 0.2
NOISE = 1e-4


class Listener:
    """pocketsphinx with its bundled English model. It hears sound only up to 8 kHz."""

    def __init__(self) -> None:
        self._decoder = Decoder(samprate=RATE_HZ, loglevel="FATAL")

    def hear(self, wave: np.ndarray, rate_hz: int) -> str:
        """Returns the words of a mono recording, after bringing it to one level and to 16 kHz."""
        wave = soxr.resample(np.asarray(wave, dtype=np.float32), rate_hz, RATE_HZ)
        wave = wave * (PEAK / max(1e-6, np.abs(wave).max(initial=0.0)))
        silence = np.zeros(int(SILENCE_S * RATE_HZ))
        wave = np.concatenate([silence, wave, silence])
        wave = wave + np.random.RandomState(0).randn(len(wave)) * NOISE
        self._decoder.start_utt()
        self._decoder.process_raw((wave * 32767).astype("<i2").tobytes(), full_utt=True)
        self._decoder.end_utt()
        hypothesis = self._decoder.hyp()
        return hypothesis.hypstr if hypothesis else ""


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def alignment(said: list[str], heard: list[str]) -> tuple[int, bool]:
    """Returns the edit distance in words, and whether a best alignment keeps the first word that was said."""
    rows = [[0] * (len(heard) + 1) for _ in range(len(said) + 1)]
    for i in range(len(said), -1, -1):
        for j in range(len(heard), -1, -1):
            if i == len(said) or j == len(heard):
                rows[i][j] = len(said) - i + len(heard) - j
            else:
                rows[i][j] = min(rows[i + 1][j] + 1, rows[i][j + 1] + 1, rows[i + 1][j + 1] + (said[i] != heard[j]))
    distance = rows[0][0]
    first_kept = any(said[:1] == [word] and j + rows[1][j + 1] == distance for j, word in enumerate(heard))
    return distance, first_kept
