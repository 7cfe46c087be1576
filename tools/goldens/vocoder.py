"""Goldens of Vocos: a checkpoint with random weights, what every layer gives, and the waves of both paddings."""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from f5_tts.model.modules import MelSpec
from official import Tap, float32, load_vocoder, write_json
from safetensors.torch import save_file
from speech import GOOD_MORNING, at_24_khz
from vocos import Vocos
from vocos.spectral_ops import ISTFT

SEED = 7
FIRST_FRAME = 30
CONFIG = """feature_extractor:
  class_path: vocos.feature_extractors.MelSpectrogramFeatures
  init_args:
    sample_rate: 24000
    n_fft: 1024
    hop_length: 256
    n_mels: 100
    padding: center

backbone:
  class_path: vocos.models.VocosBackbone
  init_args:
    input_channels: 100
    dim: {dim}
    intermediate_dim: {intermediate_dim}
    num_layers: {layers}

head:
  class_path: vocos.heads.ISTFTHead
  init_args:
    dim: {dim}
    n_fft: 1024
    hop_length: 256
    padding: {padding}
"""


@dataclass(frozen=True)
class Size:
    dim: int
    intermediate_dim: int
    layers: int
    frames: int


TINY = Size(dim=16, intermediate_dim=48, layers=2, frames=14)
FULL = Size(dim=512, intermediate_dim=1536, layers=8, frames=120)


def config(size: Size, padding: str) -> str:
    return CONFIG.format(dim=size.dim, intermediate_dim=size.intermediate_dim, layers=size.layers, padding=padding)


def randomise(vocoder: Vocos) -> None:
    generator = torch.Generator().manual_seed(SEED + 1)
    with torch.no_grad():
        for name, parameter in vocoder.named_parameters():
            if name.endswith("gamma"):
                parameter.uniform_(0.1, 0.6, generator=generator)
            elif name.endswith("norm.weight"):
                parameter.normal_(1, 0.2, generator=generator)
            elif name.endswith("bias"):
                parameter.normal_(0, 0.1, generator=generator)
            else:
                parameter.normal_(0, 1.0 / math.sqrt(parameter[0].numel()), generator=generator)
        vocoder.head.out.weight.mul_(0.7)
        vocoder.head.out.bias[:513].sub_(1.0)
        # One bin whose magnitude passes the limit of 100.
        vocoder.head.out.bias[20] = 6.0


def write_checkpoint(size: Size, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    config_path = directory / "config.yaml"
    config_path.write_text(config(size, "center"))
    (directory / "config_same.yaml").write_text(config(size, "same"))
    torch.manual_seed(SEED)
    vocoder = Vocos.from_hparams(str(config_path))
    randomise(vocoder)
    tensors = {name: tensor.contiguous() for name, tensor in vocoder.state_dict().items()}
    torch.save(tensors, directory / "pytorch_model.bin")
    shapes = {name: [str(t.dtype).replace("torch.", ""), list(t.shape)] for name, t in tensors.items()}
    write_json(shapes, directory / "tensors.json")


def write_vocoder(size: Size, directory: Path) -> None:
    write_checkpoint(size, directory)
    vocoder = load_vocoder(directory)
    mel = MelSpec(mel_spec_type="vocos")(at_24_khz(GOOD_MORNING))[:, :, FIRST_FRAME : FIRST_FRAME + size.frames]
    tap = Tap()
    tap.on(vocoder.backbone.embed, "embed")
    tap.on(vocoder.backbone.norm, "norm")
    for i, block in enumerate(vocoder.backbone.convnext):
        tap.on(block, f"convnext{i}")
    tap.on(vocoder.backbone, "backbone")
    tap.on(vocoder.head.out, "head_out")
    wave = vocoder.decode(mel)
    golden = dict(tap.off())
    golden["mel"] = float32(mel)
    golden["wave"] = float32(wave)
    vocoder.head.istft = ISTFT(1024, 256, 1024, "same")
    golden["wave_same"] = float32(vocoder.decode(mel))
    vocoder.head.istft = ISTFT(1024, 256, 1024, "center")
    # A single frame makes the official code raise.
    lengths = [vocoder.decode(mel[:, :, :frames]).shape[-1] for frames in (2, 3, 5)]
    golden["wave_len_for_2_3_5_frames"] = torch.tensor(lengths, dtype=torch.int32)
    save_file({name: tensor.contiguous() for name, tensor in golden.items()}, directory / "vocos_ref.safetensors")
