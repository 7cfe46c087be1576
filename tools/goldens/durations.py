"""Golden tables of chunk limits and durations, through the official functions with a model that only takes notes."""

import itertools
import tempfile

import numpy as np
import soundfile as sf
import torch
from f5_tts.infer import utils_infer
from f5_tts.model import CFM
from f5_tts.model.utils import get_tokenizer
from official import HOP, MELS, VOCABULARY, chunks_in_order, muted, silent
from texts import LONG_ENGLISH

RECORDINGS = (  # seconds, Hz, channels
    (3.0, 24_000, 1),
    (5.37, 24_000, 1),
    (8.0, 22_050, 2),
    (11.95, 44_100, 1),
    (1.0, 16_000, 1),
    (21.9, 24_000, 1),
    (23.0, 24_000, 1),
)
TEXTS = (  # transcript, text
    ("Some call me nature, others call me mother nature. ", "I don't really care what you call me."),
    ("Some call me nature, others call me mother nature.", "Hello!"),
    ("对，这就是我，万人敬仰的太乙真人。", "突然，身边一阵笑声。"),
    ("Hi. ", LONG_ENGLISH),
    ("Good morning to you all. ", LONG_ENGLISH),
)
PACES = ((1.0, None), (0.7, None), (1.5, None), (1.0, 15.0))  # speed, fixed duration
# Only these recordings are spoken at every pace.
ALL_PACES_S = (3.0, 8.0)
CLAMPS = (  # reference frames, tokens, duration, longest
    (10, 5, 3, 65536),
    (10, 30, 3, 65536),
    (10, 5, 11, 65536),
    (10, 5, 50, 65536),
    (10, 5, 50, 20),
    (10, 5, 10, 65536),
    (4, 4, 4, 65536),
)


class NotingModel:
    def __init__(self) -> None:
        self.calls: list[dict] = []

    def sample(self, cond, text, duration, steps, cfg_strength, sway_sampling_coef):  # noqa: ANN001 (official names)
        tokens, samples = len(text[0]), int(cond.shape[-1])
        self.calls.append(dict(duration=duration, tokens=tokens, cond_samples=samples))
        frames = max(max(tokens, samples // HOP + 1) + 1, duration)
        return torch.zeros(1, frames, MELS), None


class SilentVocoder:
    def decode(self, mel: torch.Tensor) -> torch.Tensor:
        return torch.zeros(1, max(mel.shape[-1] - 1, 0) * HOP)


def write_square_wave(path: str, samples: int, rate_hz: int, channels: int) -> None:
    wave = (3000 * np.sign(np.sin(np.arange(samples) * 0.05))).astype(np.int16)
    sf.write(path, np.stack([wave] * channels, 1), rate_hz, subtype="PCM_16")


def speak(path: str, transcript: str, text: str, speed: float, fixed: float | None):
    model, wave, error = NotingModel(), None, None
    try:
        with muted(), chunks_in_order():
            wave, _, _ = utils_infer.infer_process(
                path,
                transcript,
                text,
                model,
                SilentVocoder(),
                show_info=silent,
                progress=None,
                speed=speed,
                fix_duration=fixed,
                device="cpu",
            )
    except Exception as cause:  # What the official code fails with is part of the table.
        error = f"{type(cause).__name__}: {cause}"
    return model.calls, wave, error


def durations() -> dict:
    cases = []
    for (seconds, rate_hz, channels), (transcript, text), (speed, fixed) in itertools.product(RECORDINGS, TEXTS, PACES):
        if (speed, fixed) != (1.0, None) and seconds not in ALL_PACES_S:
            continue
        samples = round(seconds * rate_hz)
        with tempfile.NamedTemporaryFile(suffix=".wav") as file:
            write_square_wave(file.name, samples, rate_hz, channels)
            calls, wave, error = speak(file.name, transcript, text, speed, fixed)
        length_s = samples / rate_hz
        limit = int(len(transcript.encode()) / length_s * (22 - length_s) * speed)
        case = dict(
            ref_samples=samples,
            sr=rate_hz,
            channels=channels,
            ref_text=transcript,
            gen_text="@LONG_EN" if text == LONG_ENGLISH else text,
            speed=speed,
            fix_duration=fixed,
            max_chars=limit,
            n_chunks=len(utils_infer.chunk_text(text, max_chars=limit)),
            calls=calls,
            error=error,
            out_samples=None if wave is None else len(wave),
        )
        cases.append(case)
    return dict(LONG_EN=LONG_ENGLISH, cases=cases)


class ZeroNetwork(torch.nn.Module):
    dim = 4

    def __init__(self) -> None:
        super().__init__()
        # CFM asks its network's parameters for their device.
        self.parameter = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor, **options: object) -> torch.Tensor:
        return torch.zeros_like(torch.cat([x, x]) if options.get("cfg_infer") else x)

    def clear_cache(self) -> None:
        pass


def clamps() -> list[dict]:
    """How `CFM.sample` corrects a duration that is too short or too long."""
    vocabulary, _ = get_tokenizer(str(VOCABULARY), "custom")
    model = CFM(transformer=ZeroNetwork(), mel_spec_kwargs=dict(mel_spec_type="vocos"), vocab_char_map=vocabulary)
    cases = []
    for reference_frames, tokens, duration, longest in CLAMPS:
        output, _ = model.sample(
            cond=torch.zeros(1, reference_frames, MELS),
            text=[["a"] * tokens],
            duration=duration,
            steps=2,
            cfg_strength=2.0,
            max_duration=longest,
            seed=0,
        )
        case = dict(ref_frames=reference_frames, tokens=tokens, duration=duration, max_duration=longest)
        cases.append(case | dict(out_frames=output.shape[1]))
    return cases
