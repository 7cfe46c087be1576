"""Runs the aligner: `cargo build --release -p f5tts-engine --example align` makes its program."""

import json
import os
import pathlib
import resource
import subprocess

ROOT = pathlib.Path(__file__).parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PROGRAM = TARGET / "release" / "examples" / "align"


def align(utterances, program=PROGRAM):
    """What the aligner says of each utterance, in order."""
    jobs = (json.dumps({"audio": u["audio"], "text": u["text"]}) for u in utterances)
    result = subprocess.run([program], input="\n".join(jobs) + "\n", capture_output=True, text=True, check=True)
    return [json.loads(line) for line in result.stdout.splitlines()]


def usage(utterance):
    """CPU seconds of the search, and the megabytes that it takes beyond what decoding takes."""
    alone = peak_megabytes(dict(utterance, text="—"))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    (answer,) = align([utterance])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    del answer
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, peak_megabytes(utterance) - alone


def peak_megabytes(utterance):
    """The largest memory of a run. A text without sound is refused once the audio is decoded."""
    job = json.dumps({"audio": utterance["audio"], "text": utterance["text"]})
    run = ["/usr/bin/time", "-f", "%M", PROGRAM]
    result = subprocess.run(run, input=job + "\n", capture_output=True, text=True, check=True)
    return int(result.stderr.split()[-1]) / 1024
