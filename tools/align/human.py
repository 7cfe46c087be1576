"""The two recordings that the `f5-tts` package ships, labelled by hand.

Borders were set to the nearest 5 or 10 ms on wide-band spectrograms (8 ms window), before the aligner
was run on them, and are sure to about 20 ms; at 是|我, 太|乙 and mother|nature, where sounds glide into
each other, to 40 ms. The border 太|乙 was set afterwards, when it was known that the segmenter cuts
there. A word begins where its sound does: a silence before a plosive belongs to no word.
"""

import importlib.util
import pathlib

BASIC = pathlib.Path("infer/examples/basic")

ENGLISH = [
    ("Some", 0.400, 0.920),
    ("call", 1.030, 1.250),
    ("me", 1.250, 1.430),
    ("nature,", 1.430, 2.030),
    ("others", 2.940, 3.450),
    ("call", 3.610, 3.790),
    ("me", 3.790, 4.040),
    ("mother", 4.200, 4.490),
    ("nature.", 4.490, 4.970),
]

CHINESE = [
    ("对，", 0.295, 0.650),
    ("这", 1.145, 1.490),
    ("就是", 1.490, 1.920),
    ("我，", 1.920, 2.360),
    ("万人", 2.675, 3.325),
    ("敬仰", 3.345, 3.980),
    ("的", 3.990, 4.210),
    ("太", 4.485, 4.870),
    ("乙", 4.870, 5.365),
    ("真人。", 5.440, 6.400),
]


def human_sets():
    package = importlib.util.find_spec("f5_tts")
    if package is None:
        raise SystemExit("the package f5-tts is not installed: pip install --no-deps f5-tts==1.1.22")
    folder = pathlib.Path(package.submodule_search_locations[0]) / BASIC
    return {
        "human_en": [recording(folder / "basic_ref_en.wav", " ", ENGLISH)],
        "human_zh": [recording(folder / "basic_ref_zh.wav", "", CHINESE)],
    }


def recording(path, blank, labels):
    words = [word for word, _, _ in labels]
    truth = [(start, end) for _, start, end in labels]
    return dict(audio=str(path), text=blank.join(words), words=words, truth=truth, kind="intact", voice="human")
