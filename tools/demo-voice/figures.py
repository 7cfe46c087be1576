"""The figures of the demonstration model's card: what a recogniser understands, how long it speaks, how near flite it is.

    figures.py LINEAR_SPEECH F5TTS [--voice rms] [--limit N] [--json FILE]

Every sentence of tools/wer/sentences.txt is spoken by `F5TTS say` at its default settings, sentence k with seed k, and
nothing is discarded. flite says each of them too: as it is (for the time that it takes), and by LINEAR_SPEECH with the
same time for each letter as the model, so that the two can be compared frame by frame. That speech is also sent through
the vocoder alone. Distances are in dB, over the mel bands of a frame, at equal level.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile as sf
import torch
import torchaudio
from layout import MEL, VOICES
from official import DEMO, REPOSITORY, muted
from references import linear_speech

sys.path.insert(0, str(REPOSITORY / "tools" / "wer"))
from wer import SENTENCES, command_speaker, measure, read_sentences, summary  # noqa: E402

RATE_HZ, HOP = MEL["target_sample_rate"], MEL["hop_length"]
LEVEL = 0.1
# A band of silence is as quiet as another.
FLOOR = 1e-3
# Cross-fades take 150 ms; a click would be at either end of one.
BORDER = int(0.2 * RATE_HZ)
BORDER_SENTENCES = 12


def at_level(wave: np.ndarray) -> np.ndarray:
    return wave * (LEVEL / np.sqrt(np.mean(wave**2)))


class Spectrum:
    def __init__(self) -> None:
        self.to_mel = torchaudio.transforms.MelSpectrogram(
            RATE_HZ, n_fft=MEL["n_fft"], hop_length=HOP, n_mels=MEL["n_mel_channels"], power=1
        )

    def log_mel(self, wave: np.ndarray, floor: float) -> torch.Tensor:
        return self.to_mel(torch.from_numpy(at_level(wave)).float()).clamp(min=floor).log()

    def distance_db(self, one: np.ndarray, other: np.ndarray) -> float:
        a, b = self.log_mel(one, FLOOR), self.log_mel(other, FLOOR)
        frames = min(a.shape[1], b.shape[1])
        difference = (a[:, :frames] - b[:, :frames]) * (20 / np.log(10))
        return difference.square().mean(0).sqrt().mean().item()


def copy_synthesis(directory: Path, spectrum: Spectrum):  # noqa: ANN201
    from f5_tts.infer.utils_infer import load_vocoder

    with muted():
        vocoder = load_vocoder("vocos", True, str(directory / "vocoder"), "cpu")

    def speak(wave: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return vocoder.decode(spectrum.log_mel(wave, 1e-5)[None])[0].numpy()

    return speak


def say(program: str, voice: str):  # noqa: ANN201
    return command_speaker(
        [program, "say", "--quiet", "--voice", voice, "--seed", "{seed}", "--output", "{out}", "{text}"]
    )


def border_jumps(program: str, voice: str, text: str) -> tuple[int, float]:
    """Says a text of several chunks; returns their number, and how much rougher the wave is at their borders.

    Roughness is the largest second difference of samples; 1 is as rough as the roughest place elsewhere.
    """
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "speech.wav"
        command = [program, "say", "--json", "--quiet", "--voice", voice, "--seed", "0", "--output", str(out), text]
        report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        wave, _ = sf.read(out, dtype="float32")
    rough = np.abs(np.diff(wave, 2))
    borders = np.zeros(len(rough), dtype=bool)
    for chunk in report["chunks"][1:]:
        at = int(chunk["start_time"] * RATE_HZ)
        borders[max(0, at - BORDER) : at + BORDER] = True
    return len(report["chunks"]), rough[borders].max() / rough[~borders].max()


def flite_seconds(voice: str, text: str) -> float:
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", file.name], check=True)
        return sf.info(file.name).duration / VOICES[voice]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("linear_speech", type=Path)
    parser.add_argument("program")
    parser.add_argument("--voice", default="rms", choices=VOICES)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    spectrum, voice = Spectrum(), options.voice
    copied, spoken = copy_synthesis(DEMO, spectrum), say(options.program, voice)
    sentences = read_sentences(SENTENCES, options.limit)
    teacher = [linear_speech(options.linear_speech, voice, text) for text in sentences]
    copies = [copied(wave) for wave in teacher]
    ours = []

    def speak(text: str, seed: int) -> tuple[np.ndarray, int]:
        ours.append(spoken(text, seed)[0])
        return ours[-1], RATE_HZ

    figures = {
        "f5tts": summary(list(measure(speak, sentences))),
        "vocoder on flite": summary(list(measure(lambda _, k: (copies[k], RATE_HZ), sentences))),
        "flite, linear": summary(list(measure(lambda _, k: (teacher[k], RATE_HZ), sentences))),
    }
    for name, row in figures.items():
        first = 100 * row["first_word_error_rate"]
        print(f"{name}: {100 * row['wer']:.1f} % of {row['words']} words, first word {first:.1f} %")
    f5tts = figures["f5tts"]
    f5tts["of_flite_duration"] = f5tts["speech_s"] / sum(flite_seconds(voice, text) for text in sentences)
    f5tts["real_time_factor"] = f5tts["took_s"] / f5tts["speech_s"]
    pairs = list(zip(ours, teacher, strict=True))
    distances = {
        "f5tts": np.mean([spectrum.distance_db(a, b) for a, b in pairs]),
        "vocoder on flite": np.mean([spectrum.distance_db(a, b) for a, b in zip(copies, teacher, strict=True)]),
        "another sentence": np.mean([spectrum.distance_db(teacher[k - 1], b) for k, b in enumerate(teacher)]),
    }
    figures["distance_db"] = distances
    print(f"duration {f5tts['of_flite_duration']:.2f} of flite's, {f5tts['real_time_factor']:.2f} s a second of speech")
    print("distance to flite:", ", ".join(f"{name} {value:.1f} dB" for name, value in distances.items()))
    chunks, jumps = border_jumps(options.program, voice, " ".join(sentences[:BORDER_SENTENCES]))
    figures["border_roughness"] = jumps
    print(f"{chunks} chunks: at their borders the wave is {jumps:.2f} times as rough as elsewhere")
    if options.json:
        options.json.write_text(json.dumps(figures, default=float, indent=1) + "\n")


if __name__ == "__main__":
    main()
