#!/usr/bin/env python3
"""Decodes with ffmpeg what our encoders write, and compares length and sound with the original.

    tools/audio_check.py [RECORDING]

Needs ffmpeg and ffprobe, nothing else. RECORDING is any audio file of a few seconds of speech.
"""
import array
import math
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SPEECH = ROOT / "crates/testkit/goldens/audio/speech_24k.wav"
# The least signal-to-noise ratio in dB; 16 bits have some 80 for speech that is not loud.
LEAST_DB = {"wav": 60, "wav24": 60, "wav-f32": 60, "flac": 60, "pcm": 60, "ulaw": 30, "alaw": 30, "mp3": 15, "opus": 14}
LEAST_AT_LOW_BITRATE_DB = 5
RAW = {"pcm": "s16le", "ulaw": "mulaw", "alaw": "alaw"}


def decode(path, rate_hz, raw=None):
    """The samples that ffmpeg gives for a file, as floats."""
    source = ["-f", raw, "-ar", str(rate_hz), "-ac", "1"] if raw else []
    command = ["ffmpeg", "-v", "error", *source, "-i", path, "-f", "f32le", "-ac", "1", "-"]
    samples = array.array("f")
    samples.frombytes(subprocess.run(command, check=True, capture_output=True).stdout)
    return samples


def rate_of(path):
    command = ["ffprobe", "-v", "error", "-show_entries", "stream=sample_rate", "-of", "csv=p=0", path]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip(",\n"))


def signal_to_noise_db(signal, copy):
    """Of a copy of any loudness: LAME makes everything a little quieter."""
    gain = sum(a * b for a, b in zip(signal, copy, strict=True)) / max(sum(b * b for b in copy), 1e-20)
    noise = sum((a - gain * b) ** 2 for a, b in zip(signal, copy, strict=True))
    return 10 * math.log10(sum(a * a for a in signal) / max(noise, 1e-20))


def check(path, original):
    """The failures of one file."""
    name, rate_hz = path.stem.rsplit("-", 1)
    name, _, bitrate = name.partition("@")
    rate_hz = int(rate_hz)
    played_hz = 48000 if name == "opus" else rate_hz
    failures = []
    if name not in RAW and rate_of(path) != played_hz:
        failures.append(f"rate {rate_of(path)}")
    copy = decode(path, rate_hz, RAW.get(name))
    expected = original[played_hz]
    # A rate that does not divide 48000 ends within a sample of its own.
    if abs(len(copy) - len(expected)) > (played_hz / rate_hz if played_hz != rate_hz else 0):
        failures.append(f"{len(copy)} samples instead of {len(expected)}")
    length = min(len(copy), len(expected))
    ratio = signal_to_noise_db(expected[:length], copy[:length])
    if ratio < (LEAST_AT_LOW_BITRATE_DB if bitrate else LEAST_DB[name]):
        failures.append("too much noise")
    print(f"{path.name:20} {len(copy):8} samples {ratio:6.1f} dB  {', '.join(failures) or 'ok'}")
    return failures


def main():
    recording = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else SPEECH
    with tempfile.TemporaryDirectory() as directory:
        example = ["cargo", "run", "-q", "-p", "f5tts-engine", "--example", "encode_all", "--", recording, directory]
        subprocess.run(example, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
        files = sorted(Path(directory).iterdir())
        originals = {int(f.stem.rsplit("-", 1)[1]): f for f in files if f.stem.startswith("wav-f32")}
        original = {rate_hz: decode(path, rate_hz) for rate_hz, path in originals.items()}
        failed = [path.name for path in files if check(path, original)]
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
