"""Word error rate of a speaker: says the sentences of a list and counts what a recogniser mishears.

    wer.py [--sentences FILE] [--limit N] [--keep DIR] -- f5tts say --voice rms --seed {seed} --output {out} {text}
    wer.py --flite rms            flite itself, which the demonstration model learned from

Everything after `--` is the command for one sentence; `{text}`, `{seed}` and `{out}` (a .wav) are filled in. Sentence
number k, from 0, has the seed k. Needs tools/requirements-wer.txt; for --flite also the program flite.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
from hearing import Listener, alignment, words

SENTENCES = Path(__file__).with_name("sentences.txt")

Speaker = Callable[[str, int], tuple[np.ndarray, int]]


@dataclass(frozen=True)
class Result:
    text: str
    heard: str
    words: int
    errors: int
    first_word_kept: bool
    speech_s: float
    took_s: float


def command_speaker(template: list[str]) -> Speaker:
    """Returns a speaker that runs a command once a sentence and reads the file that it wrote."""

    def speak(text: str, seed: int) -> tuple[np.ndarray, int]:
        with tempfile.TemporaryDirectory() as directory:
            out = str(Path(directory) / "speech.wav")
            values = {"{text}": text, "{seed}": str(seed), "{out}": out}
            subprocess.run([filled(part, values) for part in template], check=True, stdout=subprocess.DEVNULL)
            wave, rate_hz = sf.read(out, dtype="float32", always_2d=True)
        return wave.mean(axis=1), rate_hz

    return speak


def filled(part: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        part = part.replace(name, value)
    return part


def measure(speak: Speaker, sentences: Iterable[str], keep: Path | None = None) -> Iterable[Result]:
    """Yields one result a sentence; keeps the waves as `keep/NN.wav`."""
    listener = Listener()
    for seed, text in enumerate(sentences):
        start = time.perf_counter()
        wave, rate_hz = speak(text, seed)
        took_s = time.perf_counter() - start
        if keep:
            keep.mkdir(parents=True, exist_ok=True)
            sf.write(keep / f"{seed:02d}.wav", wave, rate_hz)
        said, heard = words(text), listener.hear(wave, rate_hz)
        errors, first_kept = alignment(said, words(heard))
        yield Result(text, heard, len(said), errors, first_kept, len(wave) / rate_hz, took_s)


def summary(results: list[Result]) -> dict[str, float]:
    total, errors = sum(r.words for r in results), sum(r.errors for r in results)
    speech_s, took_s = sum(r.speech_s for r in results), sum(r.took_s for r in results)
    return {
        "sentences": len(results),
        "words": total,
        "wer": errors / total,
        "first_word_error_rate": sum(not r.first_word_kept for r in results) / len(results),
        "speech_s": speech_s,
        "took_s": took_s,
    }


def print_result(result: Result) -> None:
    first = " " if result.first_word_kept else "1"
    rate = 100 * result.errors / result.words
    print(f"{rate:4.0f} % {first} {result.speech_s:5.2f} s | {result.text} | {result.heard}", flush=True)


def print_summary(results: list[Result]) -> None:
    s = summary(results)
    print(f"\n{s['sentences']} sentences, {s['words']} words: WER {100 * s['wer']:.1f} %, first word lost in", end=" ")
    print(f"{100 * s['first_word_error_rate']:.0f} %, {s['speech_s']:.1f} s of speech in {s['took_s']:.1f} s")


def report(speak: Speaker, sentences: list[str], keep: Path | None = None) -> list[Result]:
    """Measures and prints: error rate, a 1 where the first word is lost, length, and both texts of each sentence."""
    results = []
    for result in measure(speak, sentences, keep):
        print_result(result)
        results.append(result)
    print_summary(results)
    return results


def read_sentences(path: Path, limit: int | None = None) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()[:limit]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=Path, default=SENTENCES)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the waves")
    parser.add_argument("--json", type=Path, help="write the results here too")
    parser.add_argument("--flite", metavar="VOICE", help="measure flite instead of a command")
    parser.add_argument("command", nargs="*")
    options = parser.parse_args()
    if bool(options.flite) == bool(options.command):
        parser.error("give either --flite VOICE or -- and a command")
    template = ["flite", "-voice", options.flite, "-t", "{text}", "-o", "{out}"] if options.flite else options.command
    if "{out}" not in " ".join(template) or "{text}" not in " ".join(template):
        parser.error("the command needs {text} and {out}")
    results = report(command_speaker(template), read_sentences(options.sentences, options.limit), options.keep)
    if options.json:
        options.json.write_text(json.dumps({**summary(results), "results": [asdict(r) for r in results]}) + "\n")


if __name__ == "__main__":
    sys.exit(main())
