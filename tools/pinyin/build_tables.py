"""Writes the reading tables of crates/engine/src/text/pinyin from two editions of pypinyin.

    python3 -m venv old && old/bin/pip install pypinyin==0.54.0
    python3 -m venv new && new/bin/pip install pypinyin==0.55.0
    python3 tools/pinyin/build_tables.py old/bin/python new/bin/python

pypinyin cuts a word into phrases of its dictionary and single characters, and reads, changes tones
and writes each of them alone. So it suffices to store what comes out for each phrase and character.

A line of a `characters` table is a syllable and all characters that are read so. A line of a
`phrases` table is the number of characters in common with the line before, the others, and, if some
of them are not read as they are alone, a tab and the readings, empty where they are as alone. The
tables of the newer edition hold what differs; a phrase that is gone there ends in `-`.
"""

import json
import pathlib
import shutil
import subprocess
import sys

DUMP = """
import json, sys, pypinyin
from pypinyin.constants import PHRASES_DICT, PINYIN_DICT

def read(text):
    return pypinyin.lazy_pinyin(text, style=pypinyin.Style.TONE3, tone_sandhi=True)

json.dump({
    "version": pypinyin.__version__,
    "folder": pypinyin.__path__[0],
    "characters": {chr(code): read(chr(code)) for code in PINYIN_DICT},
    "phrases": {phrase: read([phrase]) for phrase in PHRASES_DICT},
}, sys.stdout)
"""


def dump(python):
    tables = json.loads(subprocess.run([python, "-c", DUMP], check=True, capture_output=True).stdout)
    assert all(len(readings) == 1 for readings in tables["characters"].values())
    assert all(len(readings) == len(phrase) > 1 for phrase, readings in tables["phrases"].items())
    tables["characters"] = {c: readings[0] for c, readings in tables["characters"].items()}
    assert all(set(phrase) <= set(tables["characters"]) for phrase in tables["phrases"])
    return tables


def exceptions(phrase, readings, characters):
    """The readings that are not those of the characters alone."""
    pairs = zip(phrase, readings, strict=True)
    return " ".join("" if characters[c] == reading else reading for c, reading in pairs).rstrip()


def character_lines(characters):
    by_reading = {}
    for character, reading in sorted(characters.items()):
        by_reading.setdefault(reading, []).append(character)
    return [reading + "".join(group) for reading, group in sorted(by_reading.items())]


def phrase_lines(phrases):
    """Lines from a list of phrases and what stands behind them."""
    before, lines = "", []
    for phrase, behind in sorted(phrases):
        common = 0
        while common < min(len(before), len(phrase) - 1, 9) and before[common] == phrase[common]:
            common += 1
        lines.append(f"{common}{phrase[common:]}{behind}")
        before = phrase
    return lines


def with_tab(text):
    return f"\t{text}" if text else ""


def write(name, version, lines):
    text = "\n".join([f"# pypinyin {version}", *lines]) + "\n"
    (FOLDER / name).write_text(text, encoding="utf-8")
    print(f"{name}: {len(lines)} lines, {len(text.encode())} bytes")


FOLDER = pathlib.Path(__file__).parents[2] / "crates/engine/src/text/pinyin"
old, new = dump(sys.argv[1]), dump(sys.argv[2])
assert (old["version"], new["version"]) == ("0.54.0", "0.55.0")

old_exceptions = {p: exceptions(p, r, old["characters"]) for p, r in old["phrases"].items()}
write("characters.txt", old["version"], character_lines(old["characters"]))
write("phrases.txt", old["version"], phrase_lines((p, with_tab(e)) for p, e in old_exceptions.items()))

assert set(old["characters"]) <= set(new["characters"])
changed = {c: r for c, r in new["characters"].items() if old["characters"].get(c) != r}
write("characters_0.55.txt", new["version"], character_lines(changed))
changes = [(p, "-") for p in old["phrases"] if p not in new["phrases"]]
for phrase, readings in new["phrases"].items():
    behind = exceptions(phrase, readings, new["characters"])
    if old_exceptions.get(phrase) != behind:
        changes.append((phrase, with_tab(behind)))
write("phrases_0.55.txt", new["version"], phrase_lines(changes))

licence = next(pathlib.Path(old["folder"]).parent.glob("pypinyin-*.dist-info/**/LICENSE*"))
shutil.copyfile(licence, FOLDER / "LICENSE")
