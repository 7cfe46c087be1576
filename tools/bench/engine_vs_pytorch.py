"""Times one evaluation of the network and the vocoder: the official PyTorch model against `f5tts bench`, in turns.

    engine_vs_pytorch.py DIR --f5tts target/release/f5tts [--vox PYTHON] [--frames 500 1000] [--rounds 5]

DIR is what `tools/goldens/make.py full DIR` wrote. An evaluation is one step of the sampler with guidance (a batch of
two) after the text embeddings are known. Machines drift, so every round runs all of them one after the other, and the
ratios are medians of the ratios within a round. Without --f5tts only PyTorch is timed. PYTHON of --vox is an
interpreter with vox-tts==0.19.5; its model is converted once into DIR/f5.tmod.
"""

import argparse
import json
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

VOX_SCRIPT = Path(__file__).with_name("peer_vox.py")
PYTORCH, OURS, VOX = "PyTorch", "f5tts", "vox-tts"


@dataclass
class Timings:
    """Milliseconds a round, by implementation."""

    evaluation: dict[str, list[float]] = field(default_factory=dict)
    vocoder: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, report: dict) -> None:
        self.evaluation.setdefault(name, []).append(report["evaluation_ms"]["median"])
        if "vocoder_ms" in report:
            self.vocoder.setdefault(name, []).append(report["vocoder_ms"]["median"])


def run_json(command: list[str]) -> dict:
    """Returns the last line of the output as JSON."""
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(output.splitlines()[-1])


def row(name: str, times: list[float], reference: list[float] | None) -> str:
    ratio = ""
    if reference and len(reference) == len(times):
        ratio = f"{median(r / t for r, t in zip(reference, times, strict=True)):.2f}x"
    return f"| {name} | {median(times):.0f} | {min(times):.0f} | {ratio} |"


def print_table(title: str, times: dict[str, list[float]]) -> None:
    print(f"\n{title}\n| | median ms | least ms | against PyTorch |\n|---|---|---|---|")
    for name, values in times.items():
        print(row(name, values, times.get(PYTORCH)))


def print_costs(reports: dict[str, dict]) -> None:
    """What else each of them says about itself, such as memory and the time until it is ready."""
    print()
    for name, report in reports.items():
        other = {key: value for key, value in report.items() if key not in ("evaluation_ms", "vocoder_ms")}
        print(f"{name}: {json.dumps(other)}")


def ours_command(options: argparse.Namespace, frames: int) -> list[str]:
    arguments = ["bench", "--model", str(options.directory / "v1_base"), "--frames", str(frames)]
    return shlex.split(options.f5tts) + arguments + ["--repeat", str(options.repeat), "--json"]


def vox_command(options: argparse.Namespace, frames: int) -> list[str]:
    arguments = [str(VOX_SCRIPT), str(options.directory), "--frames", str(frames), "--dtype", options.vox_dtype]
    return [options.vox, *arguments, "--threads", str(options.threads)]


def compare(options: argparse.Namespace, frames: int) -> dict:
    from pytorch import Official  # Here, so that `--help` needs no PyTorch.

    official, timings, reports = Official(options.directory, options.threads), Timings(), {}
    official.time(frames, 1)
    for _ in range(options.rounds):
        reports[PYTORCH] = official.time(frames, options.repeat)
        timings.add(PYTORCH, reports[PYTORCH])
        for name, command in ((OURS, options.f5tts and ours_command), (VOX, options.vox and vox_command)):
            if command:
                reports[name] = run_json(command(options, frames))
                timings.add(name, reports[name])
    print_table(f"One evaluation, {frames} frames", timings.evaluation)
    print_table(f"Vocoder, {frames} frames", timings.vocoder)
    print_costs(reports)
    return {"frames": frames, "evaluation_ms": timings.evaluation, "vocoder_ms": timings.vocoder, "last": reports}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--f5tts", help="the command to compare, such as target/release/f5tts")
    parser.add_argument("--vox", metavar="PYTHON")
    parser.add_argument("--vox-dtype", default="f32", choices=["f32", "f16", "bf16", "q8"])
    parser.add_argument("--frames", type=int, nargs="+", default=[500, 1000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeat", type=int, default=3, help="evaluations in each turn")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write all times here")
    options = parser.parse_args()
    results = [compare(options, frames) for frames in options.frames]
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
