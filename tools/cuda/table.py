"""Prints what `first_run.sh` measured as one table: `python table.py OUT`."""

import json
import math
import pathlib
import sys


def rows(folder: pathlib.Path):
    for file in sorted(folder.glob("*.json")):
        # Those of compute-sanitizer have their own reports.
        if file.stem in ("memcheck", "racecheck", "initcheck", "synccheck"):
            lines = file.with_suffix(".txt").read_text().splitlines() if file.with_suffix(".txt").exists() else []
            print(f"{file.stem:18} {lines[-1] if lines else 'no report'}")
        try:
            result = json.loads(file.read_text())
        except ValueError:
            print(f"{file.name}: no result")
            continue
        for entry in result.get("checks", []):
            verdict = "ok" if entry["passed"] else "FAILED"
            # JSON has no word for what is not a number.
            error = math.nan if entry["error"] is None else entry["error"]
            print(f"{file.stem:18} {entry['what']:44} {error:.2e} (at most {entry['limit']:.0e}) {verdict}")
        for entry in result.get("times", []):
            yield file.stem, entry


def main() -> None:
    times = list(rows(pathlib.Path(sys.argv[1])))
    if times:
        print(f"\n{'program':18} {'frames':>6} {'steps':>5} {'batch':>5} {'ms':>9} {'RTF':>8} {'audio s/s':>9}")
    for name, entry in sorted(times, key=lambda item: (item[1]["frames"], item[1]["steps"], item[1]["batch"], item[0])):
        seconds = entry["batch"] * entry["generated_seconds"]
        print(
            f"{name:18} {entry['frames']:6} {entry['steps']:5} {entry['batch']:5} {entry['milliseconds']:9.2f} "
            f"{entry['milliseconds'] / 1e3 / seconds:8.5f} {seconds * 1e3 / entry['milliseconds']:9.1f}"
        )


main()
