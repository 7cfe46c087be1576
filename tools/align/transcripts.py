#!/usr/bin/env python3
"""Measures which transcripts are told not to fit, and prints the table of docs/timings.md.

    cargo build --release -p f5tts-service --example transcript_fit
    python tools/align/transcripts.py DIRECTORY [development|test]

DIRECTORY gets the speech of flite. The thresholds were chosen with the development sentences.
"""

import json
import pathlib
import random
import subprocess
import sys

import flite
import soundfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "target/release/examples/transcript_fit"
VOICES = ["slt", "rms", "awb", "kal16"]
STRETCHES = [0.9, 1.0, 1.1, 1.25]
# Shorter recordings are no voices, and of longer ones not all is heard.
SECONDS = (1.5, 12)
FEWEST_WORDS = 4


def spoiled(text, others, vocabulary, rng):
    """(what was done to the transcript, the transcript)."""
    words = text.split()
    other = rng.choice(others)
    yield "nothing", text
    yield "another sentence", other
    place = rng.randrange(len(words) + 1)
    yield "one word too many", " ".join([*words[:place], rng.choice(vocabulary), *words[place:]])
    if len(words) < FEWEST_WORDS:
        return
    place = rng.randrange(len(words))
    yield "one word too few", " ".join(words[:place] + words[place + 1 :])
    place = rng.randrange(len(words))
    new = rng.choice(vocabulary)
    yield "one word is another", " ".join([*words[:place], new, *words[place + 1 :]])
    half = len(words) // 2
    yield "the second half is missing", " ".join(words[:half])
    yield "the first half is missing", " ".join(words[half:])
    yield "four words too many at its end", " ".join(words + other.split()[:4])


def jobs(directory, sentences):
    rng = random.Random(5)
    vocabulary = {word.strip('.,!?;:"').lower() for text in sentences for word in text.split()}
    vocabulary = sorted(word for word in vocabulary if len(word) > 3)
    for number, voice in enumerate(VOICES):
        for index, text in enumerate(sentences):
            stretch = STRETCHES[(index + number) % len(STRETCHES)]
            samples, rate, _ = flite.speak(text, voice, stretch)
            if not SECONDS[0] <= len(samples) / rate <= SECONDS[1]:
                continue
            path = directory / f"{voice}{index:03}.wav"
            soundfile.write(path, samples, rate)
            others = [other for other in sentences if other != text]
            for kind, transcript in spoiled(text, others, vocabulary, rng):
                yield kind, {"audio": str(path), "text": transcript}


def main():
    directory = pathlib.Path(sys.argv[1])
    which = sys.argv[2] if len(sys.argv) > 2 else "test"
    directory.mkdir(parents=True, exist_ok=True)
    path = ROOT / f"tools/align/sentences/{which}.txt"
    made = list(jobs(directory, path.read_text().splitlines()))
    lines = "".join(json.dumps(job) + "\n" for _, job in made)
    done = subprocess.run([PROGRAM], input=lines, capture_output=True, text=True, check=True)
    counts = {}
    for (kind, _), line in zip(made, done.stdout.splitlines(), strict=True):
        fit = json.loads(line)
        warned, total = counts.get(kind, (0, 0))
        counts[kind] = (warned + (fit is not None and fit["fits"] is False), total + 1)
    print("| what was done to the transcript | transcripts | warned about |\n|---|--:|--:|")
    for kind, (warned, total) in counts.items():
        print(f"| {kind} | {total} | {100 * warned / total:.0f} % ({warned}) |")


if __name__ == "__main__":
    main()
