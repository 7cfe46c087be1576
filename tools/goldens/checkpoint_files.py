#!/usr/bin/env python3
"""Writes the torch checkpoints that the reader of checkpoints is tested with.

    python tools/goldens/checkpoint_files.py [DIRECTORY]

Needs torch 2.11 and ema-pytorch 0.8. `training.pt` is made the way the official trainer makes it: a model, its
moving average, an optimiser that took two steps and two schedulers. `training.safetensors` and `views.safetensors`
hold, as F32, what a reader must find. Equal versions write equal bytes.
"""

import os
import pathlib
import sys
import zipfile

import torch
from ema_pytorch import EMA
from safetensors.torch import save_file
from torch import nn
from torch.optim.lr_scheduler import LinearLR, SequentialLR

DEFAULT = pathlib.Path(__file__).resolve().parents[2] / "crates/testkit/goldens/checkpoint"


class Tiny(nn.Module):
    """Named like the official model, in three types of numbers."""

    def __init__(self):
        super().__init__()
        self.transformer = nn.ModuleDict({
            "proj": nn.Linear(6, 4),
            "f16": nn.Linear(3, 5, dtype=torch.float16),
            "bf16": nn.Linear(5, 3, dtype=torch.bfloat16),
        })


class Call:
    """What a hostile pickle holds: a call of any function."""

    def __reduce__(self):
        return os.system, ("echo called",)


def as_f32(tensors):
    def copy(tensor):
        return tensor.detach().float().clone(memory_format=torch.contiguous_format)

    return {name: copy(tensor) for name, tensor in tensors.items()}


def training(directory):
    model = Tiny()
    average = EMA(model, include_online_model=False, update_every=1, update_after_step=0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    warmup, decay = LinearLR(optimizer, total_iters=2), LinearLR(optimizer, total_iters=5)
    scheduler = SequentialLR(optimizer, schedulers=[warmup, decay], milestones=[2])
    for _ in range(2):
        for parameter in model.parameters():
            parameter.grad = torch.randn(parameter.shape).to(parameter.dtype)
        optimizer.step()
        scheduler.step()
        average.update()
    weights = average.state_dict()
    # Some exports keep a matrix as the transposed view that it was computed as.
    weights["ema_model.transformer.proj.weight"] = weights["ema_model.transformer.proj.weight"].t().contiguous().t()
    weights["ema_model.transformer.scale"] = nn.Parameter(torch.randn(7))
    checkpoint = {
        "model_state_dict": model.state_dict(),
        "optimizer_state_dict": optimizer.state_dict(),
        "ema_model_state_dict": weights,
        "scheduler_state_dict": scheduler.state_dict(),
        "update": 2,
    }
    torch.save(checkpoint, directory / "training.pt")
    expected = {name: tensor for name, tensor in weights.items() if tensor.is_floating_point()}
    save_file(as_f32(expected), directory / "training.safetensors")
    torch.save({"model_state_dict": model.state_dict()}, directory / "raw.pt")
    torch.save(dict(checkpoint, update=Call()), directory / "hostile.pt")


def views(directory):
    base = torch.randn(4, 6)
    tensors = {
        "rows": base[1:3],
        "columns": base[:, 2:5],
        "transposed": base.t(),
        "every_other": base[::2, ::3],
        "scalar": base[3, 5],
        "none": base[:, :0],
        "three": torch.randn(2, 3, 4).permute(2, 0, 1).half(),
        "one_row": base[2:3],
    }
    torch.save(tensors, directory / "views.pt", pickle_protocol=4)
    save_file(as_f32(tensors), directory / "views.safetensors")
    torch.save({"expanded": torch.ones(1).expand(1000, 1000)}, directory / "expanded.pt")
    with zipfile.ZipFile(directory / "views.pt") as source, \
            zipfile.ZipFile(directory / "compressed.pt", "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            target.writestr(zipfile.ZipInfo(entry.filename), source.read(entry), zipfile.ZIP_DEFLATED)


def main():
    directory = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT
    directory.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(20)
    training(directory)
    views(directory)


main()
