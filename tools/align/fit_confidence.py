#!/usr/bin/env python3
"""Fits the weights of `crates/engine/src/align/confidence.rs` on the development sentences.

    python tools/align/fit_confidence.py DIRECTORY

prints the weights, and how well words of the development sets are told apart with weights that were
fitted on the other half of them.
"""

import sys

import numpy as np
from aligner import align
from sets import all_sets
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

# A word that is further off than this is as good as not found, one nearer than this is found.
WRONG, RIGHT = 0.15, 0.08
REGULARISATION = 1.0


def terms(evidence):
    """The same as `terms` in confidence.rs."""
    phones = max(evidence["phones"], 1)
    fit = evidence["phone_fit"]
    return [
        fit,
        fit * np.sqrt(phones),
        evidence["worst_fit"],
        evidence["frame_fit"],
        evidence["over_silence"],
        evidence["over_absence"],
        evidence["pace"],
        np.log(phones),
        evidence["others_fit"],
    ]


def labels(utterance, words):
    """For each word: is it there? None where that is not clear."""
    if "corrupted" in utterance:
        return [1 - corrupted for corrupted in utterance["corrupted"]]
    found = []
    for word, span in zip(words, utterance["truth"], strict=False):
        if span is None:
            found.append(1)
            continue
        error = max(abs(word["start"] - span[0]), abs(word["end"] - span[1]))
        found.append(1 if error < RIGHT else 0 if error > WRONG else None)
    return found


def examples(utterances):
    rows, is_there, numbers = [], [], []
    for number, (utterance, answer) in enumerate(zip(utterances, align(utterances), strict=False)):
        words = answer.get("words", [])
        for word, label in zip(words, labels(utterance, words), strict=False):
            if word["evidence"] is not None and label is not None:
                rows.append(terms(word["evidence"]))
                is_there.append(label)
                numbers.append(number)
    return np.array(rows), np.array(is_there), np.array(numbers)


def fit(rows, is_there):
    """A constant and a weight for each term."""
    mean, deviation = rows.mean(0), rows.std(0)
    model = LogisticRegression(C=REGULARISATION, class_weight="balanced", max_iter=5000)
    model.fit((rows - mean) / deviation, is_there)
    weights = model.coef_[0] / deviation
    return np.array([model.intercept_[0] - weights @ mean, *weights])


def main():
    sets = all_sets(sys.argv[1])
    utterances = [u for name, found in sets.items() if name.endswith("development") for u in found]
    rows, is_there, numbers = examples(utterances)
    half = numbers % 2 == 0
    other = fit(rows[half], is_there[half])
    judged = other[0] + rows[~half] @ other[1:]
    print("area under the curve, other half:", round(roc_auc_score(is_there[~half], judged), 4))
    print(len(rows), "words,", int((1 - is_there).sum()), "not there")
    print("WEIGHTS =", [round(float(weight), 3) for weight in fit(rows, is_there)])


if __name__ == "__main__":
    main()
