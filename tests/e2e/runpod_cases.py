"""Runs the cases of runpod.toml against the simulated platform. Started by runpod.sh."""

import argparse
import asyncio
import collections
import json
import sys
import tempfile
import time
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "crates" / "runpod-worker" / "tests" / "sim"))

import runpod_sim  # noqa: E402

# The polls are held for 20 s. How fast the end really is, the bench measures.
EXIT_WITHIN_S = 5.0
# What the simulator's transcript calls the requests that a fault of this kind meets.
REQUESTS = {
    "take": ["job-take", "job-take-batch"],
    "stop": ["job-stop"],
    "done": ["job-done"],
    "stream": ["job-stream"],
    "ping": ["ping"],
}
NOTHING_WRONG = {
    "ended_because": "all jobs resolved",
    "failed": 0,
    "cancelled": 0,
    "lost": [],
    "never_taken": 0,
    "offered_more_than_once": 0,
    "duplicate_results": 0,
    "results_after_cancel": [],
    "results_for_unknown_jobs": 0,
    "progress_after_result": 0,
    "stop_pod": 0,
    "unhealthy": None,
}


def arguments(case: dict, worker: str, folder: str) -> list[str]:
    jobs = case.get("jobs", 3)
    if isinstance(jobs, list):
        path = Path(folder, "jobs.json")
        path.write_text(json.dumps(jobs))
        jobs = ["--jobs", str(path)]
    else:
        jobs = ["--gen", str(jobs), "--gen-input", json.dumps(case.get("input", {}))]
    faults = [part for fault in case.get("faults", []) for part in ("--fault", fault)]
    spawn = " ".join([worker, *case.get("worker", [])])
    common = ["--linger", "0.2", "--timeout", "120", "--wait-exit", "15", "--worker-log", f"{folder}/log"]
    return ["--spawn", spawn, *common, *jobs, *faults, *case.get("sim", [])]


def flattened(summary: dict) -> dict:
    """The numbers that cases may name."""
    worker = next(iter(summary["workers"].values()), {})
    unhealthy = worker.get("unhealthy") or {}
    extra = {"stop_pod": worker.get("stop_pod", 0), "unhealthy": unhealthy.get("check")}
    counts = {kind: summary["requests"].get(kind, 0) for kinds in REQUESTS.values() for kind in kinds}
    return {**summary, **counts, **extra}


def expected(case: dict) -> dict:
    jobs = case.get("jobs", 3)
    jobs = len(jobs) if isinstance(jobs, list) else jobs
    values = {**NOTHING_WRONG, "completed": jobs, **case.get("expect", {})}
    if case.get("mix"):
        for key in ("offered_more_than_once", "duplicate_results"):
            values[key] = "any"
    return values


def faults_missed(case: dict, summary: dict) -> list[str]:
    used = collections.Counter(summary["faults_used"])
    missed = []
    for fault in case.get("faults", []):
        kind, action, *often = fault.split(":")
        action = action.split("=")[0]
        # "slow" and "hang" are counted under the short name; what has a chance need not happen.
        happened = used[f"{kind}:{action}"] + sum(used[f"{request}:{action}"] for request in REQUESTS[kind])
        if not happened and not (often and often[0].startswith("p")):
            missed.append(f"the fault {fault} has not happened")
    return missed


def unexplained_duplicates(summary: dict, log: str) -> list[str]:
    repeated = sum(count for name, count in summary["faults_used"].items() if name.endswith((":lostack", ":dup")))
    # What was not acknowledged in time may have arrived.
    late = sum("will deliver again" in line and "did not answer" in line for line in log.splitlines())
    # A result that was late for one offer answers the next one, too.
    allowed = repeated + late + summary["offered_more_than_once"]
    if summary["duplicate_results"] > allowed:
        return [f"{summary['duplicate_results']} results arrived twice, {allowed} can be explained"]
    return []


def exit_problems(case: dict, summary: dict) -> list[str]:
    process = summary["processes"][0]
    if process.get("exit_code") != case.get("exit", 0):
        return [f"exit status {process.get('exit_code')}, not {case.get('exit', 0)}"]
    if case.get("busy") or not process.get("signals"):
        return []
    seconds = process["exited_s"] - process["signals"][0][1]
    return [f"took {seconds:.2f} s to end"] if seconds > EXIT_WITHIN_S else []


def problems(case: dict, summary: dict, log: str) -> list[str]:
    values = flattened(summary)
    found = [
        f"{key} is {values[key]!r}, not {value!r}"
        for key, value in expected(case).items()
        if value != "any" and values[key] != value
    ]
    for key, (least, most) in case.get("between", {}).items():
        if not least <= values[key] <= most:
            found.append(f"{key} is {values[key]}, not {least} to {most}")
    if case.get("mix"):
        found += unexplained_duplicates(summary, log)
    return found + faults_missed(case, summary) + exit_problems(case, summary)


async def run(case: dict, worker: str, places: asyncio.Semaphore) -> bool:
    async with places:
        with tempfile.TemporaryDirectory() as folder:
            start = time.monotonic()
            summary = await runpod_sim.simulate(runpod_sim.parse(arguments(case, worker, folder)))
            log = "".join(path.read_text() for path in Path(folder).glob("log.*"))
            found = problems(case, summary, log)
            print(f"{'FAILED' if found else 'ok    '} {case['name']} ({time.monotonic() - start:.1f} s)", flush=True)
            if found:
                print("\n".join(f"       {problem}" for problem in found))
                print("\n".join(f"       | {line}" for line in log.splitlines()[-15:]))
                print(f"       {json.dumps(summary)}", flush=True)
    return not found


async def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--worker", required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--parallel", type=int, default=6)
    options = parser.parse_args()
    cases = tomllib.loads((HERE / "runpod.toml").read_text())["case"]
    cases = [case for case in cases if options.only in case["name"]]
    # The longest first, so that nothing long is left for the end.
    cases.sort(key=lambda case: "mix" not in case)
    places = asyncio.Semaphore(options.parallel)
    passed = await asyncio.gather(*(run(case, options.worker, places) for case in cases))
    print(f"{sum(passed)} of {len(passed)} cases passed")
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
