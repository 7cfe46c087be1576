"""Does the last stage of deploy/Dockerfile in a clean Debian root directory, and tries the program in it.

image_root.py ROOT BINARY LIMIT_BYTES

Not a builder: it knows the instructions that the file has, and stops at any other. ROOT is a fresh minimal Debian of
the release that the file names (mmdebstrap). Needs root and a network namespace of its own (`unshare --net`), so that
whatever the program does, it does without a network.
"""

import fcntl
import gzip
import io
import json
import os
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tarfile
import time
import urllib.request
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
BUILT = "/src/target/release/f5tts"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def instructions(text: str) -> list[tuple[str, str]]:
    """Those of the last stage, without FROM."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    logical = "\n".join(lines).replace("\\\n", " ").splitlines()
    pairs = [tuple(line.strip().split(None, 1)) for line in logical if line.strip()]
    last = max(index for index, (name, *_) in enumerate(pairs) if name == "FROM")
    return pairs[last + 1 :]


class Image:
    """A root directory with what the instructions say about running it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = {"PATH": PATH}
        self.user = "0:0"
        self.directory = "/"
        self.command: list[str] = []
        self.health: list[str] = []

    def apply(self, name: str, rest: str, binary: Path) -> None:
        match name:
            case "RUN":
                # The packages came with the root directory, since there is no network here.
                steps = [step for step in rest.split("&&") if "apt-get" not in step]
                subprocess.run(["chroot", self.root, "/bin/sh", "-ec", "&&".join(steps)], check=True)
            case "COPY":
                self.copy(shlex.split(rest), binary)
            case "ENV":
                self.environment |= dict(pair.split("=", 1) for pair in shlex.split(rest))
            case "WORKDIR":
                self.directory = rest
            case "USER":
                self.user = rest
            case "HEALTHCHECK":
                self.health = json.loads(rest.split("CMD", 1)[1])
            case "CMD":
                self.command = json.loads(rest)
            case _:
                raise SystemExit(f"deploy/Dockerfile has {name}, which this check does not know")

    def copy(self, words: list[str], binary: Path) -> None:
        *sources, target = [word for word in words if not word.startswith("--from=")]
        to = self.root / target.lstrip("/")
        if target.endswith("/"):
            to.mkdir(parents=True, exist_ok=True)
        for source in sources:
            if source == BUILT:
                subprocess.run(["strip", "--strip-all", "-o", to, binary], check=True)
            else:
                shutil.copy(REPOSITORY / source, to)

    def start(self, command: list[str], **options: object) -> subprocess.Popen:
        environment = self.environment | options.pop("environment", {})
        inside = ["/usr/bin/env", "-C", self.directory, *command]
        return subprocess.Popen(["chroot", f"--userspec={self.user}", self.root, *inside], env=environment, **options)

    def run(self, *command: str, **environment: str) -> str:
        process = self.start(list(command), environment=environment, stdout=subprocess.PIPE, text=True)
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, f"{command}: exit status {process.returncode}\n{output}"
        return output

    def compressed_bytes(self) -> int:
        """As a registry keeps it: one layer or several make little difference."""
        counter = Counter()
        with (
            gzip.GzipFile(fileobj=counter, mode="wb", compresslevel=6) as packed,
            tarfile.open(fileobj=packed, mode="w|") as tar,
        ):
            tar.add(self.root, arcname=".", filter=None)
        return counter.bytes


class Counter(io.RawIOBase):
    bytes = 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:
        self.bytes += len(data)
        return len(data)


def loopback_up() -> None:
    with socket.socket() as any_socket:
        request = struct.pack("16sh14x", b"lo", 0x1 | 0x40)  # IFF_UP, IFF_RUNNING
        fcntl.ioctl(any_socket, 0x8914, request)  # SIOCSIFFLAGS


def no_network() -> None:
    interfaces = [name for _, name in socket.if_nameindex()]
    assert interfaces == ["lo"], f"there is a network: {interfaces}"
    loopback_up()


def speaks(image: Image) -> None:
    image.run("f5tts", "say", "Hello from a container.", "-o", "/app/data/hello.wav", "--seed", "1")
    assert (image.root / "app/data/hello.wav").stat().st_size > 48_000
    print(image.run("f5tts", "doctor").strip())
    job = '{"input": {"text": "One job."}}'
    answer = json.loads(image.run("f5tts", "worker", "--test-input", job, RUNPOD_LOG_LEVEL="ERROR"))
    assert answer["output"]["status"] == "COMPLETED", answer
    assert image.run("id", "-u").strip() == "10001"
    denied = image.start(["touch", "/usr/local/bin/f5tts"], stderr=subprocess.DEVNULL)
    assert denied.wait() != 0, "the user of the image may change the program"


def serves(image: Image, port: int, arguments: list[str], check: list[str], environment: dict[str, str]) -> None:
    """The image's command is healthy once it has loaded, and ends at SIGTERM."""
    worker = image.start([*image.command, *arguments], environment=environment, stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while image.start(check, environment=environment, stderr=subprocess.DEVNULL).wait() != 0:
            assert worker.poll() is None and time.monotonic() < end, "the worker does not become healthy"
            time.sleep(0.2)
        body = json.dumps({"input": {"text": "Hello."}}).encode()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/runsync", body, timeout=60) as response:
            assert json.load(response)["status"] == "COMPLETED"
    finally:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=30) == 0, "the worker did not end well"
    assert image.start(check, environment=environment, stderr=subprocess.DEVNULL).wait() != 0, (
        "healthy without a worker"
    )


def main() -> None:
    root, binary, limit = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    image = Image(root)
    for name, rest in instructions((REPOSITORY / "deploy/Dockerfile").read_text()):
        image.apply(name, rest, binary)
    assert image.command == ["f5tts", "worker"] and image.health, "CMD or HEALTHCHECK is missing"
    packed = image.compressed_bytes()
    print(f"the image would have {packed / 1e6:.1f} MB compressed, {limit / 1e6:.0f} are allowed")
    assert packed <= limit
    no_network()
    speaks(image)
    # A worker of the queue listens nowhere; its end is what tells.
    image.run(*image.health)
    serves(image, 8080, [], image.health, {"PORT": "8080"})
    serves(image, 8000, ["--serve-api", "--api-host", "0.0.0.0"], ["f5tts-health", "8000", "/health"], {})
    print("spoke, worked and served as user 10001 without a network")


if __name__ == "__main__":
    os.umask(0o022)
    main()
