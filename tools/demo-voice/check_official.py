"""Proves that models/demo is what the official package reads, and that it speaks with it.

check_official.py [--model DIR] [--voice rms] [--text TEXT] [--out speech.wav]
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import soundfile as sf
from layout import FRAMES_PER_CHARACTER, VOICES
from official import DEMO, Official, prepared

RATE_HZ = 24_000
MAX_BYTES = 20_000_000


def check_voice(model: Path, voice: str) -> list[str]:
    recording, transcript = model / "voices" / f"{voice}.wav", (model / "voices" / f"{voice}.txt").read_text()
    frames, characters = prepared(recording, transcript)
    print(f"{voice}: {frames} frames for {characters} characters after the official preprocessing")
    if frames != FRAMES_PER_CHARACTER * characters:
        return [f"{voice} does not keep {FRAMES_PER_CHARACTER} frames a character"]
    return []


def check_speech(wave: np.ndarray) -> list[str]:
    faults = []
    if not np.isfinite(wave).all():
        faults.append("the speech holds values that are no numbers")
    elif np.sqrt(np.mean(wave**2)) < 0.01:
        faults.append("the speech is silent")
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=DEMO)
    parser.add_argument("--voice", default="rms", choices=VOICES)
    parser.add_argument("--text", default="The children played in the garden all afternoon.")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    voices = options.model / "voices"
    faults = [fault for voice in VOICES for fault in check_voice(options.model, voice)]
    size = sum(path.stat().st_size for path in options.model.rglob("*") if path.is_file())
    print(f"{size / 1e6:.1f} MB")
    if size > MAX_BYTES:
        faults.append("the model is larger than 20 MB")
    transcript = (voices / f"{options.voice}.txt").read_text()
    wave = Official(options.model).speak(voices / f"{options.voice}.wav", transcript, options.text, seed=0)
    print(f"{options.voice} said {options.text!r} in {len(wave) / RATE_HZ:.2f} s")
    faults += check_speech(wave)
    if options.out:
        sf.write(options.out, wave, RATE_HZ, "PCM_16")
    for fault in faults:
        print("fault:", fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
