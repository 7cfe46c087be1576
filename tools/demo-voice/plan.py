"""Chooses what the voices say, from Debian's `fortunes` and `wamerican`: writes WORK/list_VOICE.txt for linear_speech.

    plan.py WORK

Everyday sentences of the tests (tools/wer/sentences.txt, selection_sentences.txt) never become training texts.
"""

import argparse
import random
import re
from pathlib import Path

HERE = Path(__file__).resolve().parent
HELD_OUT = (HERE.parent / "wer" / "sentences.txt", HERE / "selection_sentences.txt")
FORTUNES = Path("/usr/share/games/fortunes")
# Files whose entries are drawings, code or jokes about one distribution.
LEFT_OUT = ("ascii-art", "off", "perl", "knghtbrd", "debian", "linux")
DICTIONARY = Path("/usr/share/dict/words")
# fmt: off
NUMBERS = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
    "ten", "eleven", "twelve", "thirteen", "twenty", "thirty", "forty", "fifty", "hundred", "thousand",
]
# fmt: on

SENTENCE = re.compile(r"[A-Za-z][A-Za-z ,.'!?;-]*")
# Marks that flite reads otherwise than a reader would.
AWKWARD = re.compile(r"[!?.,;]['\"]|(^| )['-]|['-]( |$)| [.,!?;]|[.,!?;]{2}|--")
WORD_SENTENCES = 4000
NUMBER_SHARE = 0.15
ITEMS = 9000
PAIR_SHARE = 0.3
MAX_CHARACTERS = 90
MAX_PAIR_CHARACTERS = 96
SHARES = {"rms": 0.68, "slt": 0.32}


def quotations() -> list[str]:
    found = set()
    for path in sorted(FORTUNES.iterdir()):
        if path.suffix in (".dat", ".u8") or any(name in str(path) for name in LEFT_OUT):
            continue
        for quotation in path.read_text(errors="ignore").split("\n%\n"):
            text = re.sub(r"\s+", " ", quotation.split("\t--")[0])
            found.update(filter(None, map(sentence, re.split(r"(?<=[.!?])\s+", text))))
    return sorted(found)


def sentence(text: str) -> str | None:
    """Returns the text as a sentence if it is one that can be read aloud letter by letter."""
    text = text.strip().strip('"').strip()
    words = text.split()
    shouted = any(word.isupper() and len(word) > 1 for word in re.findall(r"[A-Za-z]+", text))
    if not SENTENCE.fullmatch(text) or shouted or not 2 <= len(words) <= 12 or len(text) > 80:
        return None
    return text if text[-1] in ".!?" else text + "."


def word_sentences(rng: random.Random) -> list[str]:
    """Rows of random words: they hold letter sequences that quotations lack."""
    words = [word for word in DICTIONARY.read_text().splitlines() if re.fullmatch(r"[a-z]{2,10}", word)]

    def choose() -> str:
        return rng.choice(NUMBERS if rng.random() < NUMBER_SHARE else words)

    return [" ".join(choose() for _ in range(rng.randint(2, 6))).capitalize() + "." for _ in range(WORD_SENTENCES)]


def letters(text: str) -> str:
    return re.sub(r"[^a-z ]", "", text.lower()).strip()


def utterances(texts: list[str], rng: random.Random) -> list[str]:
    """Joins some texts in pairs, so that pauses between sentences are learned too."""
    rng.shuffle(texts)
    items, rest = [], iter(texts)
    for text in rest:
        following = next(rest, None) if rng.random() < PAIR_SHARE else None
        if following and len(text) + len(following) <= MAX_PAIR_CHARACTERS:
            items.append(f"{text} {following}")
        else:
            items += [text] + ([following] if following else [])
    return items[:ITEMS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    options = parser.parse_args()
    rng = random.Random(3)
    held_out = {letters(line) for path in HELD_OUT for line in path.read_text().splitlines()}
    texts = [
        text
        for text in quotations() + word_sentences(rng)
        if len(text) <= MAX_CHARACTERS and letters(text) not in held_out and not AWKWARD.search(text)
    ]
    items = utterances(texts, rng)
    (options.work / "waves").mkdir(parents=True, exist_ok=True)
    first = 0
    for voice, share in SHARES.items():
        end = first + round(share * len(items))
        lines = (f"{options.work}/waves/{voice}_{k:05d}.wav\t{text}\n" for k, text in enumerate(items[first:end]))
        (options.work / f"list_{voice}.txt").write_text("".join(lines))
        first = end
    print(len(texts), "texts,", len(items), "utterances")


if __name__ == "__main__":
    main()
