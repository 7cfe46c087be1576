"""Goldens of the audio front end: resampling, loudness and mel."""

from pathlib import Path

import numpy as np
import soundfile as sf
import torch
import torchaudio
from f5_tts.model.modules import MelSpec
from official import MELS, SAMPLE_RATE_HZ, float32
from safetensors.torch import save_file
from speech import GOOD_MORNING, at_24_khz, write_pcm16

FIRST_SAMPLE = 6_000
SAMPLES = SAMPLE_RATE_HZ // 2
SOURCE_RATES_HZ = (22_050, 44_100, 16_000, 48_000, 8_000, 24_000)
FILTER_BANK_ROWS = [1, 2, 7, 30, 100, 257, 400, 511, 512]
TARGET_RMS = 0.1


def filter_bank() -> torch.Tensor:
    """Returns `[513, 100]`."""
    mel = torchaudio.transforms.MelSpectrogram(
        sample_rate=SAMPLE_RATE_HZ,
        n_fft=1024,
        win_length=1024,
        hop_length=256,
        n_mels=MELS,
        power=1,
        center=True,
        normalized=False,
        norm=None,
    )
    return mel.mel_scale.fb


def write_audio(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "speech_24k.wav"
    write_pcm16(path, at_24_khz(GOOD_MORNING)[0, FIRST_SAMPLE : FIRST_SAMPLE + SAMPLES].numpy(), SAMPLE_RATE_HZ)
    pcm, _ = sf.read(path, dtype="int16")
    wave = torch.from_numpy(pcm.astype(np.float32) / 32768.0)[None]
    to_mel = MelSpec(mel_spec_type="vocos")
    bank = filter_bank()
    # Reflection by 512 needs more than 512 samples: 520 is close to the least that works.
    short = wave[:, 3000:3520]
    part = wave[:, 3000:3900]
    stereo = torch.stack([wave[0, :2000], 0.5 * wave[0, 100:2100]])
    mono = torch.mean(stereo, dim=0, keepdim=True)
    rms = torch.sqrt(torch.mean(torch.square(mono)))
    golden = {
        "mel_vocos": to_mel(wave)[0],
        "short_wav": short[0],
        "short_mel_vocos": to_mel(short)[0],
        "mel_fb_colsum": bank.sum(0),
        "mel_fb_rowsum": bank.sum(1),
        "mel_fb_rows": bank[FILTER_BANK_ROWS],
        "resample_in": part[0],
        "stereo_in": stereo,
        "stereo_rms": rms.reshape(1),
        "stereo_norm_mono": (mono * TARGET_RMS / rms if rms < TARGET_RMS else mono)[0],
    }
    for rate_hz in SOURCE_RATES_HZ:
        resample = torchaudio.transforms.Resample(rate_hz, SAMPLE_RATE_HZ)
        golden[f"resample_{rate_hz}_{SAMPLE_RATE_HZ}"] = resample(part)[0]
    save_file({name: float32(tensor) for name, tensor in golden.items()}, directory / "audio_ref.safetensors")
