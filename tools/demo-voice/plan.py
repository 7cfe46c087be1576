"""Chooses what the voices say, from Debian's `wordnet-base` and `fortunes`: writes WORK/list_VOICE.txt for linear_speech.

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
# The glosses of WordNet hold phrases and sentences that show how a word is used, in quotes.
WORDNET = Path("/usr/share/wordnet")
# fmt: off
NUMBERS = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
    "ten", "eleven", "twelve", "thirteen", "twenty", "thirty", "forty", "fifty", "hundred", "thousand",
]
# fmt: on

SENTENCE = re.compile(r"[A-Za-z][A-Za-z ,.'!?;-]*")
# Marks that flite reads otherwise than a reader would.
AWKWARD = re.compile(r"[!?.,;]['\"]|(^| )['-]|['-]( |$)| [.,!?;]|[.,!?;]{2}|--")
QUOTATIONS, EXAMPLES, WORD_ROWS = 5000, 13000, 4000
NUMBER_SHARE = 0.08
ITEMS = 12000
PAIR_SHARE = 0.7
# The official pipeline puts two blanks between the transcript of a reference and the text.
WIDE_GAP_SHARE = 0.6
MAX_CHARACTERS = 90
MAX_PAIR_CHARACTERS = 112
SHARES = {"rms": 0.62, "slt": 0.38}


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


def examples() -> list[str]:
    found = set()
    for path in sorted(WORDNET.glob("data.*")):
        for line in path.read_text(errors="ignore").splitlines():
            _, _, gloss = line.partition(" | ")
            for example in re.findall(r'"([^"]+)"', gloss):
                text = sentence(example.strip(" ,;"))
                if text:
                    found.add(text[0].upper() + text[1:])
    return sorted(found)


def word_rows(texts: list[str], rng: random.Random) -> list[str]:
    """Rows of words as frequent as in the texts: they follow one another in ways that sentences lack."""
    words = [word for text in texts for word in re.findall(r"[a-z']+", text.lower()) if "'" not in word]

    def choose() -> str:
        return rng.choice(NUMBERS if rng.random() < NUMBER_SHARE else words)

    return [" ".join(choose() for _ in range(rng.randint(2, 8))).capitalize() + "." for _ in range(WORD_ROWS)]


def letters(text: str) -> str:
    return re.sub(r"[^a-z ]", "", text.lower()).strip()


def utterances(texts: list[str], rng: random.Random) -> list[str]:
    """Joins some texts in pairs, so that pauses between sentences are learned too."""
    rng.shuffle(texts)
    items, rest = [], iter(texts)
    for text in rest:
        following = next(rest, None) if rng.random() < PAIR_SHARE else None
        if following and len(text) + len(following) <= MAX_PAIR_CHARACTERS:
            gap = "  " if rng.random() < WIDE_GAP_SHARE else " "
            items.append(text + gap + following)
        else:
            items += [text] + ([following] if following else [])
    return items[:ITEMS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    options = parser.parse_args()
    rng = random.Random(3)
    held_out = {letters(line) for path in HELD_OUT for line in path.read_text().splitlines()}

    def fit(found: list[str]) -> list[str]:
        return [
            text
            for text in found
            if len(text) <= MAX_CHARACTERS and letters(text) not in held_out and not AWKWARD.search(text)
        ]

    sentences = rng.sample(fit(quotations()), QUOTATIONS) + rng.sample(fit(examples()), EXAMPLES)
    texts = sentences + fit(word_rows(sentences, rng))
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
