"""Makes the recordings of the bundled voices: references that keep the model's pace through the official preprocessing.

    references.py LINEAR_SPEECH OUT_DIR

The model has learned 6 frames a character, and it takes its pace from the reference: frames after preprocessing, over
bytes of the transcript with the two blanks that are put behind it. The preprocessing cuts silent edges (below -42 dBFS)
and appends 50 ms. So each recording is as long as 6 frames for every character and both blanks, less those 50 ms, and
the first and last moments of it carry a 50 Hz hum that is just loud enough to stay.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr
from layout import FRAMES_PER_CHARACTER, MEL, VOICES

# By recogniser, among eight sentences for each voice, on selection_sentences.txt.
TRANSCRIPTS = {
    "slt": "Every morning the baker opens his shop at six.",
    "rms": "Every morning the baker opens his shop at six.",
}
RATE_HZ, HOP = MEL["target_sample_rate"], MEL["hop_length"]
BLANKS = 2
APPENDED = RATE_HZ // 20
# Samples beyond the last whole frame, so that no rounding to milliseconds loses it.
SPARE = 100
RMS = 0.0999
# The preprocessing looks at 10 ms at a time: half a wave of the hum.
MOMENT = RATE_HZ // 100
HUM_HZ, HUM_PEAK = 50, 0.0125
AUDIBLE_RMS = 0.0085


def linear_speech(program: Path, voice: str, transcript: str) -> np.ndarray:
    pace = str(FRAMES_PER_CHARACTER)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "speech.wav"
        command = [str(program), voice, str(VOICES[voice]), pace, pace, "1"]
        subprocess.run(command, input=f"{path}\t{transcript}\n", text=True, check=True, stdout=subprocess.DEVNULL)
        wave, rate_hz = sf.read(path, dtype="float32")
    return soxr.resample(wave, rate_hz, RATE_HZ)


def hum(samples: int) -> np.ndarray:
    return HUM_PEAK * np.sin(2 * np.pi * HUM_HZ * np.arange(samples) / RATE_HZ)


def reference(program: Path, voice: str, transcript: str) -> np.ndarray:
    speech = linear_speech(program, voice, transcript)
    samples = FRAMES_PER_CHARACTER * HOP * (len(transcript) + BLANKS) - APPENDED + SPARE
    wave = np.pad(speech, (0, max(0, samples - len(speech))))[:samples]
    # As loud as the preprocessing would make it: then neither reference nor answer is scaled.
    wave *= RMS * np.sqrt((samples + APPENDED) / np.sum(wave**2))
    wave[-2 * MOMENT :] += hum(2 * MOMENT)
    if np.sqrt(np.mean(wave[:MOMENT] ** 2)) < AUDIBLE_RMS:
        wave[:MOMENT] += hum(MOMENT)
    return np.clip(wave, -1, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("linear_speech", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for voice, transcript in TRANSCRIPTS.items():
        sf.write(options.out / f"{voice}.wav", reference(options.linear_speech, voice, transcript), RATE_HZ, "PCM_16")
        # No line feed at the end: the transcript's length is what it says.
        (options.out / f"{voice}.txt").write_text(transcript, encoding="utf-8")


if __name__ == "__main__":
    main()
