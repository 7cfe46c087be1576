"""Checkpoints with random weights, in the published layout."""

import math
import shutil
from pathlib import Path

import torch
import torchaudio
import yaml
from configurations import Configuration
from f5_tts.model import CFM, DiT
from f5_tts.model.utils import convert_char_to_pinyin, get_tokenizer
from official import HOP, MELS, SAMPLE_RATE_HZ, VOCABULARY, versions, write_json
from safetensors.torch import save_file

DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
HAN = "你好吗世界今天天气很好我们说中文银行行长一个不是"
MARKS = "，。！？；：、…—“”‘’"
LATIN = "éüñ"


def write_vocabulary(kind: str, path: Path) -> None:
    if kind == "official":
        shutil.copy(VOCABULARY, path)
        return
    tokens = [" "] + [chr(code) for code in range(33, 127)]
    for text in (HAN, MARKS):
        for token in convert_char_to_pinyin([text])[0]:
            if token not in tokens:
                tokens.append(token)
    tokens += [letter for letter in LATIN if letter not in tokens]
    path.write_text("".join(token + "\n" for token in tokens), encoding="utf-8")


def randomise_constants(model: torch.nn.Module, seed: int) -> None:
    """Gives random values to every parameter that starts constant: with the official zeros in AdaLN, GRN and the
    last layer the network would be the zero function, and no golden could fail."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.numel() == 0:
                continue
            if bool((parameter == 1).all()):
                parameter.normal_(1, 0.1, generator=generator)
            elif bool((parameter == 0).all()):
                if name.endswith(("bias", "beta")):
                    deviation = 0.2
                elif name.endswith("gamma"):
                    deviation = 0.3
                else:
                    deviation = 1.0 / math.sqrt(parameter.shape[-1])
                parameter.normal_(0, deviation, generator=generator)


def mel_tensors(real: bool) -> dict[str, torch.Tensor]:
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
    tensors = {"mel_scale.fb": mel.mel_scale.fb, "spectrogram.window": mel.spectrogram.window}
    return {
        f"ema_model.mel_spec.mel_stft.{name}": (tensor if real else torch.zeros(1)).contiguous()
        for name, tensor in tensors.items()
    }


def write_model_directory(configuration: Configuration, directory: Path, vocoder: Path) -> None:
    """Adds to a checkpoint what makes its directory a whole model: config.yaml, and a link to the vocoder."""
    mel = dict(target_sample_rate=SAMPLE_RATE_HZ, n_mel_channels=MELS, hop_length=HOP, win_length=1024, n_fft=1024)
    mel["mel_spec_type"] = "vocos"
    model = dict(name=configuration.name, tokenizer="custom", backbone="DiT", arch=configuration.arch, mel_spec=mel)
    (directory / "config.yaml").write_text(yaml.safe_dump(dict(model=model), sort_keys=False), encoding="utf-8")
    link = directory / "vocoder"
    link.unlink(missing_ok=True)
    link.symlink_to(Path("..") / vocoder.name)


def write_checkpoint(configuration: Configuration, directory: Path) -> None:
    """Writes model.safetensors, vocab.txt and config.json."""
    directory.mkdir(parents=True, exist_ok=True)
    vocabulary = directory / "vocab.txt"
    write_vocabulary(configuration.vocabulary, vocabulary)
    _, vocab_size = get_tokenizer(str(vocabulary), "custom")
    torch.manual_seed(configuration.seed)
    network = DiT(**configuration.arch, text_num_embeds=vocab_size, mel_dim=MELS)
    model = CFM(transformer=network, mel_spec_kwargs=dict(mel_spec_type="vocos"))
    randomise_constants(model, configuration.seed + 1)
    dtype = DTYPES[configuration.dtype]
    tensors = {
        "ema_model." + name: (tensor.to(dtype) if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in model.state_dict().items()
    }
    tensors["initted"] = torch.tensor(True)
    tensors["step"] = torch.tensor(1_250_000, dtype=torch.int64)
    if configuration.has_mel_tensors:
        tensors |= mel_tensors(real=configuration.vocabulary == "official")
    save_file(tensors, directory / "model.safetensors")
    description = dict(
        name=configuration.name,
        backbone="DiT",
        arch=configuration.arch,
        seed=configuration.seed,
        vocab_size=vocab_size,
        mel_dim=MELS,
        tokenizer="custom",
        params=sum(parameter.numel() for parameter in network.parameters()),
        versions=versions(),
        tensors={k: [str(v.dtype).replace("torch.", ""), list(v.shape)] for k, v in sorted(tensors.items())},
    )
    write_json(description, directory / "config.json")
