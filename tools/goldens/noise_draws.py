"""Writes crates/testkit/goldens/tables/noise_draws.json: draws of every length from one generator.

Needs torch 2.11.0. Short draws take another way through PyTorch than long ones, and what one leaves
behind shows in the next.
"""

import json
import pathlib

import torch

LENGTHS = (1, 2, 3, 15, 16, 5, 17, 1, 100, 7, 31, 32, 9)

cases = []
for seed in (0, 7, 12345, 2**32 + 7):
    torch.manual_seed(seed)
    draws = [[float(value) for value in torch.randn(length)] for length in LENGTHS]
    cases.append({"seed": seed, "draws": draws})
table = pathlib.Path(__file__).parents[2] / "crates/testkit/goldens/tables/noise_draws.json"
table.write_text(json.dumps(cases) + "\n")
