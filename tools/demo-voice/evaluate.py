"""Word error rate of the demonstration model under the official pipeline.

    evaluate.py [--model DIR] [--voice rms] [--evaluations 10] [--sentences FILE] [--limit 24] [--keep DIR]

Sentence number k has the seed k. tools/wer/wer.py measures any other speaker on the same sentences.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from layout import VOICES
from official import DEMO, REPOSITORY, Official

sys.path.insert(0, str(REPOSITORY / "tools" / "wer"))
from wer import SENTENCES, read_sentences, report  # noqa: E402

RATE_HZ = 24_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=DEMO)
    parser.add_argument("--voice", default="rms", choices=VOICES)
    parser.add_argument("--evaluations", type=int)
    parser.add_argument("--sentences", type=Path, default=SENTENCES)
    parser.add_argument("--limit", type=int, default=24)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the waves")
    options = parser.parse_args()
    official = Official(options.model)
    recording = options.model / "voices" / f"{options.voice}.wav"
    transcript = recording.with_suffix(".txt").read_text(encoding="utf-8")

    def speak(text: str, seed: int) -> tuple[np.ndarray, int]:
        return official.speak(recording, transcript, text, seed, options.evaluations), RATE_HZ

    report(speak, read_sentences(options.sentences, options.limit), options.keep)


if __name__ == "__main__":
    main()
