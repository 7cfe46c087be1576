"""`f5tts worker` end to end: the official client, the simulated platform, a worker that is killed.

python speech.py F5TTS, in the environment of runpod.sh, which starts it.
"""

import asyncio
import base64
import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
import wave
from pathlib import Path

import runpod

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "crates" / "runpod-worker" / "tests" / "sim"))

import runpod_client  # noqa: E402
import runpod_sim  # noqa: E402

QUICK = {"nfe_step": 4, "seed": 1}
VOICE = ROOT / "models" / "demo" / "voices" / "slt"


def seconds_of(answer: dict) -> float:
    """The audio of an answer is a WAV file as long as the answer says."""
    with wave.open(io.BytesIO(base64.b64decode(answer["audio_base64"]))) as audio:
        assert audio.getframerate() == answer["sample_rate"] == 22050
        seconds = audio.getnframes() / audio.getframerate()
    assert abs(seconds - answer["duration"]) < 0.01, (seconds, answer["duration"])
    return seconds


def client(endpoint: runpod.Endpoint) -> None:
    def ask(**fields: object) -> dict:
        return endpoint.run_sync({"input": fields}, timeout=60)

    answer = ask(text="Hello there, my friend.", **QUICK)
    seconds = seconds_of(answer)
    words = [timing["word"] for timing in answer["word_timings"] or []]
    assert words in ([], ["Hello", "there,", "my", "friend."]), words
    assert all(0 <= t["start_time"] <= t["end_time"] <= seconds + 0.001 for t in answer["word_timings"] or [])

    uploaded = ask(
        endpoint="upload",
        voice_name="Änna",
        file=base64.b64encode(VOICE.with_suffix(".wav").read_bytes()).decode(),
        ref_text=VOICE.with_suffix(".txt").read_text().strip(),
    )
    assert uploaded["status"] == "Voice 'Änna.wav' uploaded successfully.", uploaded
    assert "Änna.wav" in [voice["name"] for voice in ask(endpoint="list_voices")["voices"]]

    job = endpoint.run({"input": {"text": "A second sentence.", "local_voice": "Änna", **QUICK}})
    first = job.output(timeout=60)
    assert first["voice"] == "Änna.wav", first
    assert ask(endpoint="status", job_id=job.job_id)["status"] == "COMPLETED"
    again = ask(endpoint="result", job_id=job.job_id)
    assert again["audio_base64"] == first["audio_base64"]

    failed = endpoint.run({"input": {"text": "Hello.", "speed": 9}})
    assert failed.output(timeout=60) is None
    assert failed.status() == "FAILED"

    long = endpoint.run({"input": {"text": "One more long sentence. " * 40, "nfe_step": 64}})
    while long.status() != "IN_PROGRESS":
        time.sleep(0.05)
    assert long.cancel()["status"] == "CANCELLED"
    # The model is free at once.
    assert ask(text="Free again.", **QUICK)["status"] == "COMPLETED"


def simulate(folder: str, program: str, jobs: list[dict], *more: str) -> dict:
    """What the simulated platform says of one worker on the store in `folder`."""
    path = Path(folder, "jobs.json")
    path.write_text(json.dumps(jobs))
    spawn = f"{program} worker --data-dir {folder}/store --lease-seconds 3"
    common = ["--linger", "0.2", "--wait-exit", "15", "--worker-log", f"{folder}/log"]
    arguments = ["--spawn", spawn, "--jobs", str(path), *common, *more]
    return asyncio.run(runpod_sim.simulate(runpod_sim.parse(arguments)))


def platform(program: str) -> None:
    jobs = [{"id": f"job-{n}", "input": {"text": f"Sentence number {n}.", **QUICK}} for n in range(4)]
    jobs.append({"id": "bad", "input": {"text": ""}})
    jobs.append({"id": "dialect", "input": {"openai_route": "/v1/audio/speech", "openai_input": {}}})
    with tempfile.TemporaryDirectory() as folder:
        faults = ["--fault", "take:500:2", "--fault", "done:lostack:1", "--fault", "done:429:1", "--fault", "take:dup:1"]
        summary = simulate(folder, program, jobs, "--timeout", "60", *faults)
        assert (summary["completed"], summary["failed"], summary["lost"]) == (4, 2, []), summary
        assert summary["processes"][0]["exit_code"] == 0, summary


def load_balanced(program: str) -> None:
    """Without a queue: `/ping` says 204 while the model is loaded and 200 from then on."""
    port = runpod_client.free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "worker", "--data-dir", folder]
        environment = {"PATH": os.environ["PATH"], "HOME": folder, "PORT": str(port)}
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
            seen = []
            while seen[-1:] != [200]:
                time.sleep(0.02)
                with contextlib.suppress(OSError):
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5) as answer:
                        seen.append(answer.status)
                assert process.poll() is None, process.returncode
            assert set(seen) <= {204, 200}, seen
            body = json.dumps({"input": {"text": "Hello.", **QUICK}}).encode()
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/runsync", body, timeout=60) as answer:
                assert json.load(answer)["status"] == "COMPLETED"
            process.terminate()
            assert process.wait(timeout=15) == 0


def unfit(program: str) -> None:
    """A worker that cannot work takes no job, says why in one line and exits with 1."""
    jobs = [{"id": "never", "input": {"text": "Hello."}}]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "jobs.json").write_text(json.dumps(jobs))
        spawn = f"{program} worker --data-dir {folder}/store --voice nobody"
        arguments = ["--spawn", spawn, "--jobs", f"{folder}/jobs.json", "--timeout", "5", "--worker-log", f"{folder}/log"]
        summary = asyncio.run(runpod_sim.simulate(runpod_sim.parse(arguments)))
        log = "".join(path.read_text() for path in Path(folder).glob("log.*"))
        assert summary["never_taken"] == 1, summary
        assert summary["processes"][0]["exit_code"] == 1, summary
        assert "there is no voice `nobody`" in log, log


def killed(program: str) -> None:
    """The job of a worker that was killed is done by the next one, once."""
    text = "This is a long sentence which takes a while to speak, and then some more. " * 3
    jobs = [{"id": "long", "input": {"text": text, "nfe_step": 16, "seed": 5}}]
    with tempfile.TemporaryDirectory() as folder:
        lost = simulate(folder, program, jobs, "--kill-after", "0.5", "--timeout", "3")
        assert lost["completed"] == 0, lost
        records = Path(folder, "store", "jobs", "long")
        assert json.loads((records / "0001.json").read_text())["state"] == "PROCESSING"
        found = simulate(folder, program, jobs, "--timeout", "90")
        assert found["completed"] == 1, found
        states = [json.loads(path.read_text())["state"] for path in sorted(records.iterdir())]
        assert states.count("COMPLETED") == 1, states
        assert [path.name for path in Path(folder, "store", "output").iterdir()] == ["long.wav"]


def page(program: str) -> None:
    """The blocks of bash and Python in docs/runpod.md, one after the other, as a stranger would run them."""
    text = (ROOT / "docs" / "runpod.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(bash|python)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert {language for language, _ in blocks} == {"bash", "python"}
    with (
        tempfile.TemporaryDirectory() as folder,
        runpod_client.api(program, "worker", "--data-dir", f"{folder}/store") as base,
    ):
        for suffix in (".wav", ".txt"):
            shutil.copy(VOICE.with_suffix(suffix), Path(folder, f"anna{suffix}"))
        known = {"ENDPOINT": f"{base}/v2/local", "RUNPOD_ENDPOINT_BASE_URL": f"{base}/v2", "ENDPOINT_ID": "local"}
        environment = os.environ | known | {"RUNPOD_API_KEY": "any"}
        options = {"cwd": folder, "env": environment, "capture_output": True, "text": True, "timeout": 120}
        for language, block in blocks:
            start = ["bash", "-euc"] if language == "bash" else [sys.executable, "-c"]
            done = subprocess.run([*start, block], **options)
            assert done.returncode == 0, f"{block}\n{done.stderr}"
            assert '"FAILED"' not in done.stdout, f"{block}\n{done.stdout}"
        with wave.open(f"{folder}/hello.wav") as audio:
            assert audio.getnframes() > 0


def main() -> int:
    program = os.path.realpath(sys.argv[1])
    runpod.api_key = "any"
    cases = {
        "the official client": speech_client,
        "the platform": platform,
        "a load balancer": load_balanced,
        "a missing voice": unfit,
        "a killed worker": killed,
        "docs/runpod.md": page,
    }
    for name, case in cases.items():
        start = time.monotonic()
        case(program)
        print(f"ok     f5tts worker and {name} ({time.monotonic() - start:.1f} s)", flush=True)
    return 0


def speech_client(program: str) -> None:
    with tempfile.TemporaryDirectory() as folder, runpod_client.api(program, "worker", "--data-dir", folder) as base:
        runpod.endpoint_url_base = f"{base}/v2"
        client(runpod.Endpoint("local"))


if __name__ == "__main__":
    sys.exit(main())
