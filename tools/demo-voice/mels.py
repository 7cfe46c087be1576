"""Turns the waves of one set into WORK/{mel_SET.npy,wav_SET.f32,meta_SET.json}; mels are f16, frames x 100.

Waves stay single precision: 16 bits would raise the empty bands above 8 kHz by 5 nepers, and a vocoder that has learned
those does not understand what the DiT makes.

mels.py WORK SET
"""

import argparse
import json
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr
import torch
import torchaudio
from layout import MEL

RATE_HZ, HOP = MEL["target_sample_rate"], MEL["hop_length"]
RMS = 0.1


def read_wave(path: Path) -> np.ndarray:
    """Returns a wave at 24 kHz, as loud as a prepared reference, and a whole number of frames long."""
    wave, rate_hz = sf.read(path, dtype="float32")
    wave = soxr.resample(wave, rate_hz, RATE_HZ).astype(np.float32)
    wave = np.clip(wave * (RMS / np.sqrt((wave**2).mean())), -1, 1)
    samples = round(len(wave) / HOP) * HOP
    return np.pad(wave, (0, max(0, samples - len(wave))))[:samples]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("set")
    options = parser.parse_args()
    torch.set_num_threads(1)
    to_mel = torchaudio.transforms.MelSpectrogram(
        sample_rate=RATE_HZ, n_fft=1024, win_length=1024, hop_length=HOP, n_mels=MEL["n_mel_channels"], power=1
    )
    mels, utterances, frame, sample = [], [], 0, 0
    with (options.work / f"wav_{options.set}.f32").open("wb") as waves:
        for line in (options.work / f"list_{options.set}.txt").read_text().splitlines():
            path, text = line.split("\t")
            if not Path(path).exists():
                continue  # linear_speech leaves out what flite reads in other words.
            wave = read_wave(Path(path))
            frames = len(wave) // HOP
            mel = to_mel(torch.from_numpy(wave)).clamp(min=1e-5).log().T.numpy().astype(np.float16)[:frames]
            mels.append(mel)
            waves.write(wave.astype("<f4").tobytes())
            place = dict(first_frame=frame, frames=frames, first_sample=sample, samples=len(wave))
            utterances.append(dict(text=text, **place))
            frame, sample = frame + frames, sample + len(wave)
    np.save(options.work / f"mel_{options.set}.npy", np.concatenate(mels))
    (options.work / f"meta_{options.set}.json").write_text(json.dumps(utterances))
    print(options.set, len(utterances), "utterances,", f"{frame * HOP / RATE_HZ / 3600:.2f} h")


if __name__ == "__main__":
    main()
