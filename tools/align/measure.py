#!/usr/bin/env python3
"""Measures the aligner on the test sentences and writes the tables of docs/timings.md.

    cargo build --release -p f5tts-engine --example align
    python tools/align/measure.py DIRECTORY [docs/timings.md]

DIRECTORY keeps the speech that `sets.py` makes. With a page, the tables between its markers are
replaced, else they are printed.
"""

import functools
import pathlib
import sys

import numpy as np
import soundfile
from aligner import align, usage
from baselines import by_letter_count, original
from human import human_sets
from sets import CORRUPTIONS, all_sets
from sklearn.metrics import roc_auc_score

# What counts as a low confidence of a word.
LOW = 0.5
# A word with less is called missing.
MISSING = 0.2


class Sets(dict):
    """Utterances by name, and what the aligner says of them, asked once."""

    @functools.cached_property
    def known(self):
        return {}

    def answers(self, name):
        if name not in self.known:
            self.known[name] = align(self[name])
        return self.known[name]


def rows_of(utterances, answers):
    """(error in milliseconds, confidence) of both borders of every word whose truth is known."""
    rows = []
    for utterance, answer in zip(utterances, answers, strict=False):
        for word, span in zip(answer["words"], utterance["truth"], strict=False):
            if span is not None:
                pair = (word["start"] - span[0], word["end"] - span[1])
                rows += [(1000 * abs(error), word["confidence"]) for error in pair]
    return np.array(rows)


def figures(rows):
    errors = rows[:, 0]
    mean, median, last = errors.mean(), np.median(errors), np.percentile(errors, 95)
    within = [100 * np.mean(errors <= limit) for limit in (50, 100)]
    unmarked = int(np.sum((errors > 250) & (rows[:, 1] >= LOW)))
    return (
        f"{mean:.1f} | {median:.1f} | {last:.1f} | {within[0]:.1f} | {within[1]:.1f} "
        f"| {errors.max():.0f} | {unmarked} |"
    )


def unsure(words):
    """Words of a baseline, which has no confidence."""
    return {"words": [dict(word=w, start=s, end=e, confidence=1.0) for w, s, e in words]}


def precision_table(sets):
    lines = [
        "| speech | words from | utterances | borders | mean | median | 95 % | ≤ 50 ms | ≤ 100 ms "
        "| largest | over 250 ms, not marked |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    baselines = {"time by letter count": by_letter_count, "`len·0.08/speed`": original}
    for name, title in (
        ("flite_test", "flite"),
        ("espeak_test", "espeak-ng"),
        ("human_en", "human, English"),
        ("human_zh", "human, Chinese"),
    ):
        utterances = sets[name]
        answers = {"**f5tts**": sets.answers(name)}
        for method, find in baselines.items():
            answers[method] = [unsure(find(u)) for u in utterances]
        for method, found in answers.items():
            rows = rows_of(utterances, found)
            count = f"{len(utterances)} | {len(rows)}"
            lines.append(f"| {title} | {method} | {count} | {figures(rows)}")
    return lines


def kinds_table(sets, name, titles):
    lines = [
        "| speech | utterances | borders | mean | median | 95 % | ≤ 50 ms | ≤ 100 ms | largest "
        "| over 250 ms, not marked |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    utterances, answers = sets[name], sets.answers(name)
    for kind in dict.fromkeys(u["kind"] for u in utterances):
        chosen = [(u, a) for u, a in zip(utterances, answers, strict=False) if u["kind"] == kind]
        rows = rows_of(*zip(*chosen, strict=False))
        title = titles.get(kind, kind)
        lines.append(f"| {title} | {len(chosen)} | {len(rows)} | {figures(rows)}")
    return lines


def confidences(sets, name):
    """(confidence, corrupted) of every sounding word, by kind of utterance; and who was refused."""
    words, refused = {}, {}
    for utterance, answer in zip(sets[name], sets.answers(name), strict=False):
        kind = utterance["kind"]
        refused.setdefault(kind, []).append(answer.get("refused") is not None)
        corrupted = utterance.get("corrupted") or [0] * len(utterance["text"].split())
        for word, label in zip(answer.get("words", []), corrupted, strict=False):
            if word["evidence"] is not None:
                words.setdefault(kind, []).append((word["confidence"], label))
    return words, refused


def confidence_table(sets, speech):
    intact, _ = confidences(sets, f"{speech}_test")
    spoiled, _ = confidences(sets, f"corrupted_{speech}_test")
    good = [confidence for confidence, _ in intact["intact"]]
    lines = [
        f"| {speech}: what was done to a word | words | area under the curve | called missing |",
        "|---|--:|--:|--:|",
    ]
    everything = []
    for kind in CORRUPTIONS:
        bad = [confidence for confidence, label in spoiled.get(kind, []) if label]
        if bad:
            everything += bad
            lines.append(confidence_row(kind, good, bad))
    lines.append(confidence_row("**all**", good, everything))
    missed = 100 * np.mean(np.array(good) < MISSING)
    lines.append(f"| nothing (intact) | {len(good)} | | {missed:.1f} % |")
    return lines


def confidence_row(kind, good, bad):
    area = roc_auc_score([1] * len(good) + [0] * len(bad), good + bad)
    called = 100 * np.mean(np.array(bad) < MISSING)
    return f"| {kind} | {len(bad)} | {area:.3f} | {called:.0f} % |"


def refusals(sets):
    lines = ["| utterances | refused |", "|---|--:|"]
    for speech in ("flite", "espeak"):
        flags = confidences(sets, f"{speech}_test")[1]["intact"]
        lines.append(f"| {speech}, intact | {sum(flags)} of {len(flags)} |")
    for speech in ("flite", "espeak"):
        refused = confidences(sets, f"corrupted_{speech}_test")[1]
        for kind in ("another sentence", "only noise"):
            flags = refused[kind]
            lines.append(f"| {speech}, {kind} | {sum(flags)} of {len(flags)} |")
    return lines


def speed_table(sets, directory):
    lines = ["| audio | time / duration, one core | memory of the process, beyond the program |"]
    lines.append("|---|--:|--:|")
    for seconds in (10, 60, 600):
        utterance = joined(sets["flite_test"], seconds, directory)
        taken, megabytes = usage(utterance)
        duration = soundfile.info(utterance["audio"]).duration
        lines.append(f"| {duration:.0f} s | {taken / duration:.4f} | {megabytes:.0f} MB |")
    return lines


def joined(utterances, seconds, directory):
    """One long utterance of one voice."""
    parts, texts, length = [], [], 0.0
    chosen = [u for u in utterances if u["voice"] == "slt"]
    while length < seconds - 4:
        for utterance in chosen:
            samples, rate = soundfile.read(utterance["audio"], dtype="float32")
            if length + len(samples) / rate > seconds:
                continue
            parts.append(samples)
            texts.append(utterance["text"])
            length += len(samples) / rate
    path = pathlib.Path(directory) / f"joined_{seconds}.wav"
    soundfile.write(path, np.concatenate(parts), rate, subtype="PCM_16")
    return dict(audio=str(path), text=" ".join(texts))


LANGUAGES = {
    "de": "German",
    "fr": "French",
    "es": "Spanish",
    "it": "Italian",
    "pt-br": "Portuguese",
    "ru": "Russian",
}


def tables(directory):
    sets = Sets(all_sets(directory) | human_sets())
    return {
        "precision": precision_table(sets),
        "degraded": kinds_table(sets, "degraded_test", {}),
        "languages": kinds_table(sets, "languages", LANGUAGES),
        "confidence": confidence_table(sets, "flite") + [""] + confidence_table(sets, "espeak"),
        "refusals": refusals(sets),
        "speed": speed_table(sets, directory),
    }


def main():
    found = tables(sys.argv[1])
    if len(sys.argv) < 3:
        for name, lines in found.items():
            print(f"\n{name}\n\n" + "\n".join(lines))
        return
    page = pathlib.Path(sys.argv[2])
    text = page.read_text()
    for name, lines in found.items():
        begin, end = f"<!-- {name} -->\n", "<!-- end -->"
        before, _, behind = text.partition(begin)
        table = "\n".join(lines)
        text = f"{before}{begin}\n{table}\n\n{end}{behind.partition(end)[2]}"
    page.write_text(text)


if __name__ == "__main__":
    main()
