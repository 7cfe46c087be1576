#!/usr/bin/env python3
"""Makes speech whose word times are known, intact and spoiled in known ways.

    python tools/align/sets.py DIRECTORY

writes WAV files and one `NAME.json` a set: a list of {"audio", "text", "kind", "voice"} with
"truth", (start, end) or null for each word, or with "corrupted", 0 or 1 for each word.
"""

import json
import pathlib
import subprocess
import sys

import espeak
import flite
import numpy as np
import soundfile
from scipy.signal import resample_poly

HERE = pathlib.Path(__file__).parent
FLITE_VOICES = ["slt", "rms", "awb", "kal16"]
STRETCHES = [1.0, 0.85, 1.15, 1.3]
ESPEAK_VOICES = [
    f"gmw/{accent}+{variant}"
    for accent in ("en-US", "en", "en-GB-x-rp", "en-GB-scotland")
    for variant in ("f2", "m3", "m7", "f5", "Annie", "linda")
]
DEGRADED_RATES = [8000, 16000, 22050, 44100]
# How words are corrupted, and every how many utterances.
CORRUPTIONS = {
    "cut out": 1,
    "masked by noise": 1,
    "masked by silence": 1,
    "masked by a buzz": 1,
    "another word": 1,
    "another sentence": 2,
    "only noise": 5,
}


class Directory:
    """Where the files of all sets lie."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.path.mkdir(parents=True, exist_ok=True)

    def audio(self, name, samples, rate):
        path = self.path / f"{name}.wav"
        soundfile.write(path, np.clip(samples, -1, 1), rate, subtype="PCM_16")
        return str(path)

    def manifest(self, name, make, *arguments):
        """The set of this name, made with these arguments if it is not there."""
        path = self.path / f"{name}.json"
        if not path.exists():
            path.write_text(json.dumps(make(self, *arguments), ensure_ascii=False, indent=1))
        return json.loads(path.read_text())


def sentences(name):
    return (HERE / "sentences" / f"{name}.txt").read_text().splitlines()


def flite_set(directory, name):
    utterances = []
    for line, text in enumerate(sentences(name)):
        for index, voice in enumerate(FLITE_VOICES):
            stretch = STRETCHES[(line + index) % len(STRETCHES)]
            samples, rate, truth = flite.speak(text, voice, stretch)
            if truth is None:
                print(f"left out, flite says something else: {text} ({voice})")
                continue
            audio = directory.audio(f"flite_{name}_{line}_{voice}", samples, rate)
            utterances.append(dict(audio=audio, text=text, kind="intact", voice=voice, truth=truth))
    return utterances


def espeak_set(directory, name):
    utterances = []
    for line, text in enumerate(sentences(name)):
        for turn in range(2):
            voice = ESPEAK_VOICES[(2 * line + 7 * turn) % len(ESPEAK_VOICES)]
            speed, pitch = 130 + (17 * line + 40 * turn) % 90, 30 + 11 * line % 40
            samples, rate, truth = espeak.speak(text, voice, speed, pitch)
            audio = directory.audio(f"espeak_{name}_{line}_{turn}", samples, rate)
            utterances.append(dict(audio=audio, text=text, kind="intact", voice="espeak", truth=truth))
    return utterances


def language_set(directory):
    utterances = []
    for line, row in enumerate(sentences("languages")):
        voice, text = row.split("\t")
        samples, rate, truth = espeak.speak(text, voice, 150)
        audio = directory.audio(f"language_{line}", samples, rate)
        utterances.append(dict(audio=audio, text=text, kind=voice, voice=voice, truth=truth))
    return utterances


def degraded_set(directory, intact, every):
    random = np.random.default_rng(30)
    utterances = []
    for utterance in intact[::every]:
        samples, rate = soundfile.read(utterance["audio"], dtype="float32")
        variants = {f"at {hz} Hz": (resampled(samples, rate, hz), hz) for hz in DEGRADED_RATES}
        noise = random.standard_normal(len(samples)) * rms(samples) * 10 ** (-30 / 20)
        variants["with noise at -30 dB"] = (samples + noise, rate)
        name = f"degraded_{pathlib.Path(utterance['audio']).stem}"
        variants["after MP3 at 64 kbit/s"] = through_mp3(directory, name, samples, rate)
        for number, (kind, (changed, hz)) in enumerate(variants.items()):
            audio = directory.audio(f"{name}_{number}", changed, hz)
            utterances.append(dict(utterance, audio=audio, kind=kind))
    return utterances


def rms(samples):
    return np.sqrt(np.mean(samples**2))


def resampled(samples, rate, hz):
    divisor = np.gcd(rate, hz)
    return resample_poly(samples, hz // divisor, rate // divisor).astype(np.float32)


def through_mp3(directory, name, samples, rate):
    wave, mp3 = directory.audio(name, samples, rate), directory.path / f"{name}.mp3"
    ffmpeg = ["ffmpeg", "-nostdin", "-loglevel", "error", "-y"]
    subprocess.run([*ffmpeg, "-i", wave, "-b:a", "64k", mp3], check=True)
    subprocess.run([*ffmpeg, "-i", mp3, wave], check=True)
    return soundfile.read(wave, dtype="float32")


def corrupted_set(directory, name, intact):
    random = np.random.default_rng(1)
    utterances = []
    for index, utterance in enumerate(intact):
        for kind, every in CORRUPTIONS.items():
            words = len(utterance["text"].split())
            one_word = kind not in ("another sentence", "only noise")
            if index % every or one_word and (words < 2 or None in utterance["truth"]):
                continue
            samples, rate = soundfile.read(utterance["audio"], dtype="float32")
            others = [u for u in intact if u["voice"] == utterance["voice"] and u is not utterance]
            if one_word:
                word = int(random.integers(words))
                changed = with_word(kind, samples, rate, utterance, word, others, random)
                corrupted = [int(other == word) for other in range(words)]
            else:
                changed = instead(kind, samples, others, random)
                corrupted = [1] * words
            if changed is not None:
                file = f"corrupted_{name}_{index}_{kind.replace(' ', '_')}"
                audio = directory.audio(file, changed, rate)
                fields = dict(text=utterance["text"], voice=utterance["voice"], kind=kind)
                utterances.append(dict(fields, audio=audio, corrupted=corrupted))
    return utterances


def with_word(kind, samples, rate, utterance, word, others, random):
    """The samples with one word spoiled."""
    start, end = (int(time * rate) for time in utterance["truth"][word])
    length = end - start
    if kind == "cut out":
        new = np.zeros(0)
    elif kind == "masked by noise":
        new = random.standard_normal(length) * rms(samples)
    elif kind == "masked by silence":
        new = np.zeros(length)
    elif kind == "masked by a buzz":
        phase = 2 * np.pi * random.uniform(90, 400) * np.arange(length) / rate
        new = 1.5 * rms(samples) * np.sign(np.sin(phase))
    else:
        new = other_word(utterance["text"].split()[word], others, random)
    return np.concatenate([samples[:start], new, samples[end:]])


def other_word(word, others, random):
    bare = word.lower().strip(".,?!")
    while True:
        other = others[random.integers(len(others))]
        index = random.integers(len(other["truth"]))
        span = other["truth"][index]
        if span is not None and other["text"].split()[index].lower().strip(".,?!") != bare:
            samples, rate = soundfile.read(other["audio"], dtype="float32")
            return samples[int(span[0] * rate) : int(span[1] * rate)]


def instead(kind, samples, others, random):
    """Other samples, about as long."""
    if kind == "only noise":
        return random.standard_normal(len(samples)) * rms(samples)
    lengths = [(other, soundfile.info(other["audio"]).frames) for other in others]
    similar = [other for other, length in lengths if 0.75 < length / len(samples) < 1.4]
    if not similar:
        return None
    return soundfile.read(similar[random.integers(len(similar))]["audio"], dtype="float32")[0]


def all_sets(path):
    """Every set by name."""
    directory = Directory(path)
    found = {"languages": directory.manifest("languages", language_set)}
    for name in ("development", "test"):
        spoken = directory.manifest(f"flite_{name}", flite_set, name)
        robot = directory.manifest(f"espeak_{name}", espeak_set, name)
        every = 4 if name == "development" else 2
        found[f"flite_{name}"], found[f"espeak_{name}"] = spoken, robot
        found[f"degraded_{name}"] = directory.manifest(f"degraded_{name}", degraded_set, spoken, every)
        for kind, intact in (("flite", spoken), ("espeak", robot)):
            full = f"corrupted_{kind}_{name}"
            found[full] = directory.manifest(full, corrupted_set, full, intact)
    return found


if __name__ == "__main__":
    for name, utterances in all_sets(sys.argv[1]).items():
        print(name, len(utterances), "utterances")
