#!/usr/bin/env python3
"""Measures workers under the simulated RunPod platform, in turns: ours, the official one, and what is possible at all.

    cargo build --release -p runpod-worker --examples
    target/e2e/bin/python tools/bench/runpod.py [--rounds 3] [--sdk PROGRAM] [--out FILE.md]

The interpreter is that of tests/e2e/runpod.sh, with aiohttp and the official package. The handlers answer every job
with its input at once. "bare" takes and answers and does nothing else: the most that this platform on this machine
lets a client do. PROGRAM is runpod_peers/sdk, the worker of the crate runpod-sdk, built with `cargo build --release`.
"""

import argparse
import asyncio
import json
import math
import platform
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# This folder has a module called `runpod`, too.
sys.path = [entry for entry in sys.path if Path(entry or ".").resolve() != HERE]
sys.path.insert(0, str(ROOT / "crates" / "runpod-worker" / "tests" / "sim"))

import runpod_sim  # noqa: E402

MANY = 50
HOLD_S = 5


@dataclass
class Worker:
    """How to start a worker, and how many jobs it does in a few seconds."""

    name: str
    one: str
    many: str
    jobs_one: int
    jobs_many: int
    environment: dict[str, str] = field(default_factory=dict)


def workers(options: argparse.Namespace) -> list[Worker]:
    examples = options.examples.resolve()
    quick = {"jobs_one": options.jobs, "jobs_many": 4 * options.jobs}
    official = f"{sys.executable} {HERE / 'runpod_peers' / 'official.py'}"
    found = [
        Worker("runpod-worker", f"{examples}/echo", f"{examples}/echo --concurrency {MANY}", **quick),
        Worker("bare", f"{examples}/bare 1", f"{examples}/bare {MANY}", **quick),
        Worker("runpod (official)", f"{official} 1", f"{official} {MANY}", 8, 200),
    ]
    if options.sdk:
        at_once = {"RUNPOD_WORKER_CONCURRENCY": str(MANY)}
        found.append(Worker("runpod-sdk", str(options.sdk), str(options.sdk), **quick, environment=at_once))
    return found


def simulate(command: str, jobs: int, *more: str) -> tuple[dict, list[dict]]:
    """The summary, and the transcript of all requests."""
    with tempfile.TemporaryDirectory() as folder:
        transcript = Path(folder, "transcript")
        # Some messages cost what some requests cost; here the requests are of interest.
        common = ["--env", "RUNPOD_LOG_LEVEL=ERROR", "--wait-exit", "30", "--timeout", "120", "--linger", "1"]
        # A worker may keep its last result until its next poll ends.
        common += ["--hold", str(HOLD_S)]
        arguments = ["--spawn", command, "--gen", str(jobs), *common, *more]
        if jobs <= 1000:
            arguments += ["--transcript", str(transcript)]
        summary = asyncio.run(runpod_sim.simulate(runpod_sim.parse(arguments)))
        if summary["completed"] != jobs:
            raise SystemExit(f"{command}: {summary['completed']} of {jobs} jobs: {json.dumps(summary)}")
        rows = transcript.read_text().splitlines() if transcript.exists() else []
        return summary, [json.loads(row) for row in rows]


def posted_to_next_take_ms(rows: list[dict]) -> float:
    """Median time from the arrival of a result to that of the next take."""
    arrivals = sorted((row["t"], row["kind"]) for row in rows if row["kind"] in ("job-take", "job-done"))
    gaps = [
        1000 * (later[0] - earlier[0])
        for earlier, later in zip(arrivals, arrivals[1:], strict=False)
        if (earlier[1], later[1]) == ("job-done", "job-take")
    ]
    # A worker that takes while it works has none.
    return median(gaps) if gaps else math.nan


def measure(worker: Worker) -> dict[str, float]:
    one_at_once, rows = simulate(worker.one, min(worker.jobs_one, 200))
    fast_one, _ = simulate(worker.one, worker.jobs_one)
    environment = [part for name, value in worker.environment.items() for part in ("--env", f"{name}={value}")]
    fast_many, _ = simulate(worker.many, worker.jobs_many, *environment)
    first, last = one_at_once["processes"][0], fast_many["processes"][0]
    # A negative status: it died of the signal.
    to_exit = first["exited_s"] - first["signals"][0][1] if first["exit_code"] == 0 else math.nan
    return {
        "start to first take, s": first["start_to_first_take_s"],
        "result to next take, ms": posted_to_next_take_ms(rows),
        "jobs/s, 1 at once": fast_one["jobs_per_s"],
        f"jobs/s, {MANY} at once": fast_many["jobs_per_s"],
        "memory, MB": first["rss_tree_max"] / 1e6,
        f"memory, {MANY} at once, MB": last["rss_tree_max"] / 1e6,
        "SIGTERM to orderly exit, s": to_exit,
    }


def table(results: dict[str, list[dict[str, float]]]) -> str:
    names = list(results)
    lines = ["| |" + "".join(f" {name} |" for name in names), "|---|" + "---:|" * len(names)]
    for key in next(iter(results.values()))[0]:
        values = [median(round_[key] for round_ in results[name]) for name in names]
        cells = ["–" if math.isnan(value) else f"{value:,.0f}" if value >= 100 else f"{value:.3g}" for value in values]
        lines.append(f"| {key} |" + "".join(f" {cell} |" for cell in cells))
    ours, bare = (results[name] for name in ("runpod-worker", "bare"))
    for key in ("jobs/s, 1 at once", f"jobs/s, {MANY} at once"):
        share = median(mine[key] / possible[key] for mine, possible in zip(ours, bare, strict=True))
        lines.append(f"\n{key}: {100 * share:.0f} % of what is possible (median of the rounds).")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=Path, default=ROOT / "target" / "release" / "examples")
    parser.add_argument("--sdk", type=Path, help="the program of runpod_peers/sdk")
    parser.add_argument("--jobs", type=int, default=2500, help="one after the other; four times as many at once")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found = workers(options)
    results: dict[str, list[dict[str, float]]] = {worker.name: [] for worker in found}
    for number in range(1, options.rounds + 1):
        for worker in found:
            results[worker.name].append(measure(worker))
            print(f"round {number}, {worker.name}: {results[worker.name][-1]}", file=sys.stderr, flush=True)
    text = f"{platform.machine()}, Python {platform.python_version()}, {options.rounds} rounds\n\n{table(results)}\n"
    print(text)
    if options.out:
        options.out.write_text(text)


if __name__ == "__main__":
    main()
