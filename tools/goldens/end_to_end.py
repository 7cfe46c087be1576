"""Goldens of whole requests: a quiet stereo reference at 22.05 kHz goes in, a waveform comes out."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
import torch
from f5_tts.infer import utils_infer
from f5_tts.model.utils import list_str_to_idx
from official import chunks_in_order, float32, muted, silent, write_json
from safetensors.torch import save_file
from speech import HI_FRIEND, write_pcm16

REFERENCE_TEXT = "Hi friend. "
TEXTS = ("A cat, 你好吗?", "Hi.")
SEED = 4321
SKIPPED_S, REFERENCE_S = 0.05, 0.62
LEFT, RIGHT = 0.3, 0.2


@dataclass(frozen=True)
class Case:
    texts: tuple[str, ...]
    speed: float = 1.0
    fix_duration: float | None = None
    cross_fade: float = 0.15
    keeps_spectrogram: bool = False
    keeps_noise: bool = False


CASES = (
    Case(TEXTS[:1], keeps_spectrogram=True, keeps_noise=True),
    # Two chunks draw their noise from one generator; the second is under ten bytes and therefore slow.
    Case(TEXTS, keeps_noise=True),
    Case(TEXTS[:1], speed=0.8, fix_duration=1.2),
    # A fixed duration is shared out between the chunks; without cross-fade they are only joined.
    Case(TEXTS, fix_duration=1.5, cross_fade=0.0),
)


def write_reference(directory: Path) -> Path:
    wave, rate_hz = sf.read(HI_FRIEND, dtype="float32")
    first = int(SKIPPED_S * rate_hz)
    wave = wave[first : first + int(REFERENCE_S * rate_hz)]
    path = directory / "ref_22k_stereo_quiet.wav"
    write_pcm16(path, np.stack([wave * LEFT, wave * RIGHT], 1), rate_hz)
    return path


class Recorder:
    """Wraps `sample` and keeps what each chunk was given and which noise it drew."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.calls: list[dict] = []
        self._model, self._sample = model, model.sample
        model.sample = self

    def __call__(self, **arguments: object) -> tuple[torch.Tensor, torch.Tensor]:
        output, trajectory = self._sample(**arguments)
        tokens = arguments["text"]
        call = dict(duration=int(arguments["duration"]), tokens=tokens[0], noise=float32(trajectory[0]))
        call["ids"] = list_str_to_idx(tokens, self._model.vocab_char_map).to(torch.int32)
        self.calls.append(call)
        return output, trajectory


def speak(case: Case, reference: Path, model: torch.nn.Module, vocoder: torch.nn.Module, evaluations: int):
    common = dict(progress=None, nfe_step=evaluations, speed=case.speed, fix_duration=case.fix_duration, device="cpu")
    common["cross_fade_duration"] = case.cross_fade
    torch.manual_seed(SEED)
    with muted(), chunks_in_order():
        if len(case.texts) == 1:
            arguments = (str(reference), REFERENCE_TEXT, case.texts[0], model, vocoder)
            return utils_infer.infer_process(*arguments, show_info=silent, **common)
        audio = utils_infer.torchaudio.load(str(reference))
        return next(utils_infer.infer_batch_process(audio, REFERENCE_TEXT, list(case.texts), model, vocoder, **common))


def write_end_to_end(model: torch.nn.Module, vocoder: torch.nn.Module, evaluations: int, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    reference = write_reference(directory)
    recorder = Recorder(model)
    descriptions = []
    for index, case in enumerate(CASES):
        recorder.calls.clear()
        wave, rate_hz, spectrogram = speak(case, reference, model, vocoder, evaluations)
        wave = np.asarray(wave)
        golden = {"wave": torch.from_numpy(wave.astype(np.float32))}
        if case.keeps_spectrogram:
            golden["spec"] = torch.from_numpy(np.ascontiguousarray(spectrogram)).float()
        for chunk, call in enumerate(recorder.calls):
            # The first chunk's noise is that of case 0: the same seed and duration.
            if case.keeps_noise and (index, chunk) != (1, 0):
                golden[f"y0.{chunk}"] = call["noise"]
            golden[f"ids.{chunk}"] = call["ids"]
        save_file(golden, directory / f"e2e_{index}.safetensors")
        description = dict(
            case=index,
            ref_text=REFERENCE_TEXT,
            texts=case.texts,
            speed=case.speed,
            fix_duration=case.fix_duration,
            nfe=evaluations,
            seed=SEED,
            cfg_strength=2.0,
            sway=-1.0,
            cross_fade=case.cross_fade,
            durations=[call["duration"] for call in recorder.calls],
            tokens=[call["tokens"] for call in recorder.calls],
            samples=len(wave),
            sample_rate=rate_hz,
            out_dtype=str(wave.dtype),
        )
        descriptions.append(description)
    write_json(descriptions, directory / "e2e.json")
