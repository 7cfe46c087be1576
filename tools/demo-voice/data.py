"""The prepared utterances, as mels.py wrote them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SHORTEST_FRAMES, LONGEST_FRAMES = 40, 700


@dataclass(frozen=True)
class Utterance:
    text: str
    first_frame: int
    frames: int
    first_sample: int
    samples: int
    mels: np.ndarray  # of the whole set, mapped from its file
    waves: np.ndarray

    def mel(self) -> np.ndarray:
        """Returns `[frames, mels]` as f32."""
        return np.array(self.mels[self.first_frame : self.first_frame + self.frames], dtype=np.float32)

    def wave(self, first: int, samples: int) -> np.ndarray:
        start = self.first_sample + first
        return np.array(self.waves[start : start + samples])


def read_utterances(work: Path, sets: Iterable[str]) -> list[Utterance]:
    utterances = []
    for name in sets:
        mels = np.load(work / f"mel_{name}.npy", mmap_mode="r")
        waves = np.memmap(work / f"wav_{name}.f32", dtype="<f4", mode="r")
        rows = json.loads((work / f"meta_{name}.json").read_text())
        utterances += [Utterance(**row, mels=mels, waves=waves) for row in rows]
    return [u for u in utterances if SHORTEST_FRAMES <= u.frames <= LONGEST_FRAMES]


def batches_of(utterances: list[Utterance], frames: int) -> list[list[Utterance]]:
    """Groups utterances of like length, so that little of a batch is padding."""
    batches, batch = [], []
    for utterance in sorted(utterances, key=lambda u: u.frames):
        if batch and (len(batch) + 1) * utterance.frames > frames:
            batches.append(batch)
            batch = []
        batch.append(utterance)
    return [*batches, batch] if batch else batches
