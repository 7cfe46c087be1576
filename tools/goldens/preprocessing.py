"""Golden tables of what the official preprocessing does to a reference: silence, edges, and the transcript's end."""

import contextlib
import hashlib
import tempfile
from pathlib import Path

import numpy as np
import soundfile as sf
from f5_tts.infer import utils_infer
from official import muted, silent

# 16 kHz, because pydub's silence has 11 025 Hz and would pull anything slower up to that rate.
RATE_HZ = 16_000
HALF_PERIOD = 20
LOUD = 8_000
# Pieces of (amplitude of a square wave, milliseconds).
PLANS = {
    "short": [(0, 300), (LOUD, 2000), (0, 400)],
    "short_quiet_edge": [(30, 300), (LOUD, 2000), (30, 400)],
    "no_silence_15s": [(LOUD, 15000)],
    "all_silence": [(0, 3000)],
    "long_gaps": [(LOUD, 4000), (0, 1500), (LOUD, 4000), (0, 1500), (LOUD, 5000), (0, 1500), (LOUD, 4000)],
    "short_gaps": [(LOUD, 4000), (0, 300), (LOUD, 4000), (0, 300), (LOUD, 5000), (0, 300), (LOUD, 4000)],
    "first_7s_then_long": [(LOUD, 7000), (0, 1200), (LOUD, 7000)],
    "first_5s_then_9s": [(LOUD, 5000), (0, 1200), (LOUD, 9000)],
    "exact_12s": [(LOUD, 12000)],
    "12s_gap": [(LOUD, 11000), (0, 2000), (LOUD, 500)],
    "three_quiet": [(100, 4000), (0, 1100), (100, 4000), (0, 1100), (100, 6000)],
    "gap_1000": [(LOUD, 6500), (0, 1000), (LOUD, 6500)],
    "gap_999": [(LOUD, 6500), (0, 999), (LOUD, 6500)],
    "gap_100": [(LOUD, 6500), (0, 100), (LOUD, 6500)],
    # -42 dBFS lies between these two amplitudes.
    "threshold_-42": [(260, 300), (LOUD, 3000), (261, 300)],
}
TRANSCRIPTS = (
    "abc",
    "abc.",
    "abc. ",
    "abc!",
    "abc?",
    "abc,",
    "你好",
    "你好。",
    "你好。 ",
    "你好.",
    "你好！",
    " abc ",
    "abc.  ",
    "a\n",
    ".",
)


def square_wave(milliseconds: int, amplitude: int) -> np.ndarray:
    n = np.arange(milliseconds * RATE_HZ // 1000)
    return np.where((n // HALF_PERIOD) % 2 == 0, amplitude, -amplitude).astype(np.int16)


@contextlib.contextmanager
def temporary_wav(pcm: np.ndarray):
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "reference.wav"
        sf.write(path, pcm, RATE_HZ, subtype="PCM_16")
        yield path


def md5(pcm: np.ndarray) -> str:
    return hashlib.md5(np.ascontiguousarray(pcm).tobytes()).hexdigest()


def preprocess(path: Path, transcript: str, show_info=silent) -> tuple[Path, str]:
    with muted():
        out, text = utils_infer.preprocess_ref_audio_text(str(path), transcript, show_info=show_info)
    return Path(out), text


def preprocessing() -> list[dict]:
    cases = []
    for name, plan in PLANS.items():
        pcm = np.concatenate([square_wave(milliseconds, amplitude) for amplitude, milliseconds in plan])
        messages: list[str] = []
        with temporary_wav(pcm) as path:
            out, _ = preprocess(path, "x", show_info=messages.append)
            prepared, rate_hz = sf.read(out, dtype="int16")
            out.unlink()
            utils_infer.remove_silence_for_generated_wav(str(path))
            shortened, _ = sf.read(path, dtype="int16")
        case = dict(
            name=name,
            plan=plan,
            rate=RATE_HZ,
            half_period=HALF_PERIOD,
            out_ms=len(prepared) * 1000 / rate_hz,
            out_samples=len(prepared),
            md5=md5(prepared),
            infos=[message for message in messages if "12s" in message],
            remove_silence_samples=len(shortened),
            remove_silence_md5=md5(shortened),
        )
        cases.append(case)
    return cases


def reference_texts() -> list[dict]:
    cases = []
    with temporary_wav(square_wave(2000, LOUD)) as path:
        for transcript in TRANSCRIPTS:
            out, prepared = preprocess(path, transcript)
            # `infer_batch_process` appends one more blank after a character of one byte.
            in_batch = prepared + " " if len(prepared[-1].encode()) == 1 else prepared
            cases.append(dict(ref_text=transcript, after_preprocess=prepared, in_batch=in_batch))
    out.unlink()
    return cases
