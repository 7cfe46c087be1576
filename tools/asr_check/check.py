#!/usr/bin/env python3
"""Compares `f5tts transcribe` with transformers on real weights. For a person with a network.

    pip install torch==2.11.0 transformers==5.23.0 soundfile==0.14.0
    cargo build --release
    python tools/asr_check/check.py [--model openai/whisper-tiny] [--program target/release/f5tts] RECORDING...

Every recording must have at most 12 s, begin and end with speech and have no pause of a second, since a voice is heard
when it is trimmed, and be WAV or FLAC. Both download the model from
the hub, into one cache. Texts should be equal but for resampling, which differs: give recordings of 16 kHz to compare
exactly. Exits with 1 if a text of such a recording differs.
"""

import argparse
import json
import subprocess
import sys

import soundfile
from transformers import pipeline

EXACT_HZ = 16_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="openai/whisper-tiny")
    parser.add_argument("--program", default="target/release/f5tts")
    parser.add_argument("recordings", nargs="+")
    options = parser.parse_args()
    # As the official code calls it: f5_tts/infer/utils_infer.py, `transcribe`.
    official = pipeline("automatic-speech-recognition", model=options.model)
    differ = 0
    for path in options.recordings:
        wave, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        heard = {"raw": wave.mean(axis=1), "sampling_rate": rate_hz}
        expected = official(heard, generate_kwargs={"task": "transcribe"}, return_timestamps=False)["text"].strip()
        command = [options.program, "transcribe", path, "--json", "--asr-model", options.model]
        ours = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        same = ours["text"] == expected
        differ += not same and rate_hz == EXACT_HZ
        print(f"{'equal' if same else 'DIFFERENT'}, {rate_hz} Hz, confidence {ours['confidence']:.2f}: {path}")
        print(f"  f5tts:        {ours['text']}")
        if not same:
            print(f"  transformers: {expected}")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
