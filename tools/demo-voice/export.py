"""Writes a trained DiT and vocoder in the official layout, as f16.

    export.py MODEL VOCAB VOCODER OUT_DIR

MODEL is `last.pt` of train.py or a `.safetensors` of an earlier export; VOCODER is the file of train_vocoder.py.
OUT_DIR gets model.safetensors, vocab.txt, config.yaml and vocoder/{config.yaml,pytorch_model.bin}.
"""

import argparse
from pathlib import Path

import torch
import yaml
from f5_tts.model import DiT
from layout import ARCHITECTURE, DEFAULT_EVALUATIONS, MEL
from safetensors.torch import load_file, save_file
from vocos import Vocos

PREFIX = "ema_model.transformer."
# Tables that are computed, not learned, stay exact: rounding them would turn the rotary angles.
EXACT = ("inv_freq", "window", "fb")


def stored(name: str, tensor: torch.Tensor) -> torch.Tensor:
    exact = name.rsplit(".", 1)[-1] in EXACT
    return tensor.to(torch.float32 if exact else torch.float16).contiguous().clone()


def read_weights(path: Path) -> tuple[dict[str, torch.Tensor], int]:
    """Returns the averaged weights without prefix, and the number of training steps."""
    if path.suffix == ".safetensors":
        tensors = load_file(path)
        weights = {k.removeprefix(PREFIX): v.float() for k, v in tensors.items() if k.startswith(PREFIX)}
        return weights, int(tensors["step"])
    state = torch.load(path, map_location="cpu", weights_only=True)
    return state["ema"], state["step"]


def export_model(model: Path, vocab: Path, out: Path) -> None:
    tokens = vocab.read_text(encoding="utf-8").splitlines()
    network = DiT(**ARCHITECTURE, text_num_embeds=len(tokens), mel_dim=MEL["n_mel_channels"])
    weights, step = read_weights(model)
    weights["rotary_embed.inv_freq"] = network.rotary_embed.inv_freq
    network.load_state_dict(weights)
    tensors = {PREFIX + k: stored(k, v) for k, v in network.state_dict().items()}
    tensors["initted"] = torch.tensor(True)
    tensors["step"] = torch.tensor(step, dtype=torch.int64)
    save_file(tensors, out / "model.safetensors")
    (out / "model.safetensors").chmod(0o644)
    # The official reader strips one character per line, so the last line needs its line feed too.
    (out / "vocab.txt").write_text("".join(token + "\n" for token in tokens), encoding="utf-8")
    config = {
        "model": {
            "name": "f5tts_demo",
            "tokenizer": "custom",
            "tokenizer_path": "vocab.txt",
            "backbone": "DiT",
            "arch": ARCHITECTURE,
            "mel_spec": MEL,
            "vocoder": {"is_local": True, "local_path": "vocoder"},
        },
        "f5tts": {"nfe_step": DEFAULT_EVALUATIONS},
    }
    (out / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def vocoder_config(dim: int, intermediate_dim: int, layers: int) -> dict:
    spectrum = {"n_fft": MEL["n_fft"], "hop_length": MEL["hop_length"], "padding": "center"}
    mels = {"sample_rate": MEL["target_sample_rate"], "n_mels": MEL["n_mel_channels"]}
    sizes = {"dim": dim, "intermediate_dim": intermediate_dim, "num_layers": layers}

    def part(class_path: str, arguments: dict) -> dict:
        return {"class_path": f"vocos.{class_path}", "init_args": arguments}

    return {
        "feature_extractor": part("feature_extractors.MelSpectrogramFeatures", mels | spectrum),
        "backbone": part("models.VocosBackbone", {"input_channels": MEL["n_mel_channels"], **sizes}),
        "head": part("heads.ISTFTHead", {"dim": dim, **spectrum}),
    }


def export_vocoder(vocoder: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    state = torch.load(vocoder, map_location="cpu", weights_only=True)
    config = vocoder_config(*state["dims"])
    (out / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    model = Vocos.from_hparams(str(out / "config.yaml"))
    computed = {k: v for k, v in model.state_dict().items() if k.rsplit(".", 1)[-1] in EXACT}
    learned = {"backbone." + k: v for k, v in state["bb"].items()} | {"head." + k: v for k, v in state["hd"].items()}
    weights = {k: v.float() for k, v in learned.items()} | computed
    model.load_state_dict(weights)
    torch.save({k: stored(k, v) for k, v in model.state_dict().items()}, out / "pytorch_model.bin")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("model", "vocab", "vocoder", "out"):
        parser.add_argument(name, type=Path)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    export_model(options.model, options.vocab, options.out)
    export_vocoder(options.vocoder, options.out / "vocoder")


if __name__ == "__main__":
    main()
