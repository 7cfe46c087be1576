"""Chooses what the voices say: writes WORK/list_SET.txt for linear_speech, two sets for each voice.

    plan.py WORK

`VOICE` holds sentences as they stand in Debian's `wordnet-base` and `fortunes`. These seldom have everyday words, and how
a word sounds must be seen to be known: so `VOICE_common` holds the same kind of sentences, most of whose words have been
replaced by common ones, from Debian's `scowl`.

Everyday sentences of the tests (tools/wer/sentences.txt, selection_sentences.txt) never become training texts.
"""

import argparse
import random
import re
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
HELD_OUT = (HERE.parent / "wer" / "sentences.txt", HERE / "selection_sentences.txt")
FORTUNES = Path("/usr/share/games/fortunes")
# Files whose entries are drawings, code or jokes about one distribution.
LEFT_OUT = ("ascii-art", "off", "perl", "knghtbrd", "debian", "linux")
# The glosses of WordNet hold phrases and sentences that show how a word is used, in quotes.
WORDNET = Path("/usr/share/wordnet")
# Lists of words, the most common ones at the first level; how often a word is taken from each level.
SCOWL = Path("/usr/share/dict/scowl")
LEVELS = {10: 0.45, 20: 0.3, 35: 0.25}
# fmt: off
NUMBERS = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
    "ten", "eleven", "twelve", "thirteen", "twenty", "thirty", "forty", "fifty", "hundred", "thousand",
]
# fmt: on

SENTENCE = re.compile(r"[A-Za-z][A-Za-z ,.'!?;-]*")
# Marks that flite reads otherwise than a reader would.
AWKWARD = re.compile(r"[!?.,;]['\"]|(^| )['-]|['-]( |$)| [.,!?;]|[.,!?;]{2}|--")
QUOTATIONS, EXAMPLES, WORD_ROWS, REPLACED = 5000, 13000, 4000, 20000
# So many words, the most frequent in the sentences, hold a sentence together and are never replaced.
BINDING_WORDS = 150
REPLACED_SHARE = 0.75
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


def common_words() -> list[list[str]]:
    """Returns the words of each level."""
    levels = []
    for level in LEVELS:
        lines = [(SCOWL / f"{kind}-words.{level}").read_text(encoding="latin-1") for kind in ("english", "american")]
        levels.append(sorted({word for word in "".join(lines).split() if re.fullmatch("[a-z]{2,}", word)}))
    return levels


def with_common_words(texts: list[str], rng: random.Random) -> list[str]:
    """Sentences whose order and small words are those of the texts, and whose other words are common ones."""
    levels = common_words()
    counts = Counter(word for text in texts for word in re.findall(r"[a-z']+", text.lower()))
    binding = {word for word, _ in counts.most_common(BINDING_WORDS)}

    def choose(match: re.Match[str]) -> str:
        word = match[0]
        if word.lower() in binding or "'" in word or rng.random() > REPLACED_SHARE:
            return word
        (level,) = rng.choices(levels, weights=list(LEVELS.values()))
        other = rng.choice(level)
        return other.capitalize() if word[0].isupper() else other

    return [re.sub(r"[A-Za-z']+", choose, text) for text in rng.sample(texts, REPLACED)]


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

    quoted, shown = fit(quotations()), fit(examples())
    sentences = rng.sample(quoted, QUOTATIONS) + rng.sample(shown, EXAMPLES)
    sets = {"": utterances(sentences + fit(word_rows(sentences, rng)), rng)}
    sets["_common"] = utterances(fit(with_common_words(quoted + shown, rng)), rng)
    (options.work / "waves").mkdir(parents=True, exist_ok=True)
    for kind, items in sets.items():
        first = 0
        for voice, share in SHARES.items():
            end, name = first + round(share * len(items)), voice + kind
            lines = (f"{options.work}/waves/{name}_{k:05d}.wav\t{text}\n" for k, text in enumerate(items[first:end]))
            (options.work / f"list_{name}.txt").write_text("".join(lines))
            print(name, end - first, "utterances")
            first = end


if __name__ == "__main__":
    main()
