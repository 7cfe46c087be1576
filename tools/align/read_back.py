#!/usr/bin/env python3
"""Writes subtitles with f5tts and reads them with programs of other people.

    pip install webvtt-py pysubs2 srt
    cargo build -p f5tts
    python tools/align/read_back.py target/debug/f5tts

ffmpeg must have libass: it draws the ASS file, and the picture must change from word to word.
"""

import csv
import html
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
import pysubs2
import srt
import webvtt

GOLDENS = pathlib.Path(__file__).parents[2] / "crates/testkit/goldens/align"
# Words that break careless writers; none of them sounds.
TEXT_BEHIND = ' "🙂," {} <> & --> \\N'
FORMATS = ("srt", "vtt", "ass", "csv", "json")


def make(program, directory):
    text = json.loads((GOLDENS / "truth.json").read_text())["harbor"]["text"] + TEXT_BEHIND
    outputs = {name: directory / f"words.{name}" for name in FORMATS}
    flags = [flag for path in outputs.values() for flag in ("-o", path)]
    run = [program, "align", GOLDENS / "harbor.flac", "--text", text, *flags]
    subprocess.run(run, check=True)
    return text.split(), outputs


def read_json(path, words):
    rows = json.loads(path.read_text())
    assert [row["word"] for row in rows] == words, rows
    return [(row["start_time"], row["end_time"]) for row in rows]


def check_csv(path, words, times):
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["word"] for row in rows] == words
    assert [(float(row["start_time"]), float(row["end_time"])) for row in rows] == times


def check_srt(path, words, times):
    cues = list(srt.parse(path.read_text(), ignore_errors=False))
    shown = " ".join(cue.content for cue in cues).replace("\u2060", "").split()
    assert shown == words, shown
    assert abs(cues[0].start.total_seconds() - times[0][0]) < 1e-6
    assert abs(cues[-1].end.total_seconds() - times[-1][1]) < 1e-6


def check_vtt(path, words, times):
    captions = webvtt.read(path).captions
    shown = html.unescape(" ".join(caption.text for caption in captions)).split()
    assert shown == words, shown
    raw = " ".join(caption.raw_text for caption in captions)
    tags = [seconds(tag) for tag in re.findall(r"<([\d:.]+)>", raw)]
    starts = [start for start, _ in times]
    assert tags == sorted(tags) and all(tag in starts for tag in tags), tags
    assert captions[0].start_in_seconds <= tags[0]


def seconds(tag):
    hours, minutes, rest = tag.split(":")
    return round(3600 * int(hours) + 60 * int(minutes) + float(rest), 3)


def check_ass(path, words, times):
    events = pysubs2.load(str(path)).events
    plain = " ".join(event.text for event in events)
    sounding = re.sub(r"(?<!\\)\{[^}]*\}", "", plain).replace("\\N", " ").split()
    assert len(sounding) >= len(words) - 1, sounding
    assert abs(events[0].start / 1000 - times[0][0]) < 0.011
    assert abs(events[-1].end / 1000 - times[-1][1]) < 0.011
    # In the middle of each of the first words, one word more is lit.
    lit = [brightness(path, (start + end) / 2) for start, end in times[:4]]
    assert all(before < after for before, after in zip(lit, lit[1:], strict=False)), lit


def brightness(path, at):
    """How many pixels are white in the picture that libass draws at this time."""
    source = f"color=black:size=1280x720:rate=100:duration={at + 0.1}"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-vf", f"ass={path}"]
    command += ["-ss", f"{at:.3f}", "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    picture = subprocess.run(command, check=True, capture_output=True).stdout
    return int(np.sum(np.frombuffer(picture, np.uint8) > 230))


def check_ffmpeg(path):
    command = ["ffmpeg", "-v", "error", "-i", path, "-f", "srt", "-"]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    assert result.stderr == "" and "harbor" in result.stdout, result


def main():
    with tempfile.TemporaryDirectory() as name:
        words, files = make(sys.argv[1], pathlib.Path(name))
        times = read_json(files["json"], words)
        check_csv(files["csv"], words, times)
        check_srt(files["srt"], words, times)
        check_vtt(files["vtt"], words, times)
        check_ass(files["ass"], words, times)
        for kind in ("srt", "vtt", "ass"):
            check_ffmpeg(files[kind])
    print("read back by csv, json, srt, webvtt, pysubs2, ffmpeg and libass")


if __name__ == "__main__":
    main()
