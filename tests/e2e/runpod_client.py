"""Drives the local API of the example worker with the official client. Started by runpod.sh."""

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import aiohttp
import runpod
from runpod import AsyncioEndpoint, AsyncioJob

STARTS_WITHIN_S = 30


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def api(*worker: str) -> Iterator[str]:
    port = free_port()
    command = [*worker, "--rp_serve_api", "--rp_api_host", "127.0.0.1", "--rp_api_port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        base = f"http://127.0.0.1:{port}"
        end = time.monotonic() + STARTS_WITHIN_S
        while True:
            try:
                urllib.request.urlopen(f"{base}/health", timeout=5).close()
                break
            except OSError:
                if time.monotonic() > end or process.poll() is not None:
                    raise
                time.sleep(0.05)
        try:
            yield base
        finally:
            process.terminate()
            process.wait(timeout=30)
    assert process.returncode == 0, f"exit status {process.returncode}"


def synchronous(endpoint: runpod.Endpoint) -> None:
    assert endpoint.run_sync({"input": {"n": 1}}) == {"n": 1}
    assert endpoint.run_sync({"n": 2}) == {"n": 2}

    job = endpoint.run({"input": {"sleep_ms": 300}})
    assert job.status() in ("IN_QUEUE", "IN_PROGRESS")
    assert job.output(timeout=30) == {"sleep_ms": 300}
    assert job.status() == "COMPLETED"

    parts = list(endpoint.run({"input": {"stream": 4, "sleep_ms": 200}}).stream())
    assert parts == [{"part": n} for n in range(4)], parts

    failed = endpoint.run({"input": {"fail": True}})
    assert failed.output(timeout=30) is None
    assert failed.status() == "FAILED"

    running = endpoint.run({"input": {"sleep_ms": 60000, "blocking": True}})
    waiting = endpoint.run({"input": {"n": 3}})
    while running.status() != "IN_PROGRESS":
        time.sleep(0.02)
    assert running.cancel()["status"] == "CANCELLED"
    assert running.status() == "CANCELLED"
    # The place of the cancelled job is free.
    assert waiting.output(timeout=30) == {"n": 3}

    health = endpoint.health()
    assert health["jobs"]["completed"] == 5, health
    assert health["jobs"]["failed"] == 1, health
    assert endpoint.purge_queue() == {"removed": 0, "status": "completed"}


async def asynchronous(name: str) -> None:
    async with aiohttp.ClientSession() as session:
        endpoint = AsyncioEndpoint(name, session)
        job: AsyncioJob = await endpoint.run({"n": 4})
        assert await job.output(timeout=30) == {"n": 4}
        assert await job.status() == "COMPLETED"
        parts = [part async for part in (await endpoint.run({"stream": 3, "sleep_ms": 100})).stream()]
        assert parts == [{"part": n} for n in range(3)], parts
        running = await endpoint.run({"sleep_ms": 60000})
        assert (await running.cancel())["status"] == "CANCELLED"


def webhook(base: str) -> None:
    calls = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self):  # noqa: N802, the name that http.server calls
            calls.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        body = json.dumps({"input": {"n": 5}, "webhook": f"http://127.0.0.1:{server.server_port}/"}).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{base}/run", data=body)) as answer:
            job = json.load(answer)
        thread.join(timeout=30)
    assert [call["id"] for call in calls] == [job["id"]], calls
    assert calls[0]["output"] == {"n": 5}, calls


def test_input(worker: str) -> None:
    def run(job: str) -> subprocess.CompletedProcess:
        return subprocess.run([worker, "--test_input", job], capture_output=True, text=True, check=False)

    fine = run('{"input": {"n": 6}}')
    assert fine.returncode == 0, fine
    assert fine.stdout.splitlines()[-1] == '{"output":{"n":6}}', fine
    for bad in ('{"input": {"fail": true}}', "{}", "{"):
        assert run(bad).returncode == 1, bad


def main() -> int:
    worker = sys.argv[1]
    start = time.monotonic()
    runpod.api_key = "any"
    test_input(worker)
    with api(worker) as base:
        runpod.endpoint_url_base = f"{base}/v2"
        synchronous(runpod.Endpoint("local"))
        asyncio.run(asynchronous("local"))
        webhook(base)
    print(f"ok     the official client drives the local API ({time.monotonic() - start:.1f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
