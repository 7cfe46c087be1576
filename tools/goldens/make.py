"""Makes the goldens of crates/testkit/goldens from the official implementation.

    python tools/goldens/make.py                  everything small: tiny networks, tables, audio, vocoder, end to end
    python tools/goldens/make.py tables           one part of it: tiny, tables or audio
    python tools/goldens/make.py full DIR         a network and a vocoder of real size with random weights (1.5 GB)

`--out DIR` writes elsewhere. Every weight file is read back through the official loaders before anything is computed
from it. The same packages (tools/requirements.txt) on another processor give values that differ in the last bits.
"""

import argparse
from pathlib import Path

import torch
from audio import write_audio
from checkpoints import write_checkpoint, write_model_directory
from configurations import TINY_CONFIGURATIONS, TINY_V0, TINY_V1, V1_BASE, Configuration
from end_to_end import write_end_to_end
from network import write_network
from official import load_model, load_vocoder
from safetensors.torch import load_file
from tables import write_tables
from vocoder import FULL, TINY, write_vocoder

GOLDENS = Path(__file__).resolve().parents[2] / "crates" / "testkit" / "goldens"
WEIGHTS_NOTE = "same tensors as ../tiny_v1/model.safetensors\n"


def write_configuration(configuration: Configuration, directory: Path) -> None:
    write_checkpoint(configuration, directory)
    write_network(configuration, directory)
    print(directory)


def keep_one_weight_file(out: Path) -> None:
    """Both releases have the same tensors under the same seed: one file is enough."""
    weights = out / TINY_V0.name / "model.safetensors"
    ours, theirs = load_file(weights), load_file(out / TINY_V1.name / "model.safetensors")
    if not all(torch.equal(theirs[name], ours[name]) for name in theirs):
        raise SystemExit(f"{TINY_V0.name} and {TINY_V1.name} should have the same weights")
    weights.unlink()
    (out / TINY_V0.name / "WEIGHTS").write_text(WEIGHTS_NOTE)


def write_requests(out: Path, configuration: Configuration, evaluations: int) -> None:
    model = load_model(configuration.arch, out / configuration.name)
    write_end_to_end(model, load_vocoder(out / "vocos"), evaluations, out / "e2e")


def write_tiny(out: Path) -> None:
    write_vocoder(TINY, out / "vocos")
    for configuration in TINY_CONFIGURATIONS:
        write_configuration(configuration, out / configuration.name)
    keep_one_weight_file(out)
    write_requests(out, TINY_V1, 4)


def write_full(out: Path) -> None:
    write_vocoder(FULL, out / "vocos")
    write_configuration(V1_BASE, out / V1_BASE.name)
    write_model_directory(V1_BASE, out / V1_BASE.name, out / "vocos")
    write_requests(out, V1_BASE, 7)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=["all", "tiny", "tables", "audio", "full"], default="all")
    parser.add_argument("directory", nargs="?", type=Path, help="where `full` writes")
    parser.add_argument("--out", type=Path, default=GOLDENS)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.part == "full":
        if options.directory is None:
            parser.error("full needs a directory")
        write_full(options.directory)
        return
    if options.part in ("all", "tables"):
        write_tables(options.out / "tables")
    if options.part in ("all", "audio"):
        write_audio(options.out / "audio")
    if options.part in ("all", "tiny"):
        write_tiny(options.out)


if __name__ == "__main__":
    main()
