#!/usr/bin/env python3
"""Writes the speech that the tests align: crates/testkit/goldens/align, with where flite put its words.

python tools/align/fixture.py
"""

import json
import pathlib

import flite
import numpy as np
import soundfile

TARGET = pathlib.Path(__file__).parents[2] / "crates/testkit/goldens/align"
UTTERANCES = {
    "harbor": ("slt", "A heavy fog rolled in from the harbor and covered the town."),
    "flight": ("rms", "Flight 482 was delayed by 35 minutes."),
}


def main():
    TARGET.mkdir(parents=True, exist_ok=True)
    truth = {}
    for name, (voice, text) in UTTERANCES.items():
        samples, rate, times = flite.speak(text, voice)
        soundfile.write(TARGET / f"{name}.flac", samples, rate, subtype="PCM_16")
        truth[name] = dict(text=text, times=np.round(times, 4).tolist())
    (TARGET / "truth.json").write_text(json.dumps(truth, indent=1) + "\n")


if __name__ == "__main__":
    main()
