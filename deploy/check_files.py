"""Checks the files of the deployment against the program and each other: check_files.py, at the root of the repository.

JSON and YAML can be read; every variable that they and the pages set is one that the program or the platform knows;
what stands in two places is the same.
"""

import json
import re
import sys
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
# Read by RunPod itself, never by the worker.
OF_THE_PLATFORM = {"RUNPOD_INIT_TIMEOUT"}
# What RunPod's Hub takes, from its publishing guide.
HUB_CATEGORIES = {"audio", "embedding", "language", "video", "image"}
HUB_INPUT_TYPES = {"string", "number", "boolean", "huggingface"}
# What its REST API takes to create a template and an endpoint (version 1).
TEMPLATE_KEYS = {
    "category", "containerDiskInGb", "containerRegistryAuthId", "dockerEntrypoint", "dockerStartCmd", "env",
    "imageName", "isPublic", "isServerless", "name", "ports", "readme", "volumeInGb", "volumeMountPath",
}  # fmt: skip
ENDPOINT_KEYS = {
    "allowedCudaVersions", "computeType", "cpuFlavorIds", "dataCenterIds", "executionTimeoutMs", "flashboot",
    "gpuCount", "gpuTypeIds", "idleTimeout", "minCudaVersion", "name", "networkVolumeId", "networkVolumeIds",
    "scalerType", "scalerValue", "templateId", "vcpuCount", "workersMax", "workersMin",
}  # fmt: skip
CPU_FLAVORS = {"cpu3c", "cpu3g", "cpu5c", "cpu5g"}

problems: list[str] = []


def expect(condition: object, problem: str) -> None:
    if not condition:
        problems.append(problem)


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def known_variables() -> set[str]:
    """Those of docs/configuration.md, which the program writes, and those that the worker's crate reads."""
    page = read("docs/configuration.md")
    of_program = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", page))
    of_program |= {f"{name}_FILE" for name in re.findall(r"`([A-Z0-9_]+)`; or `_FILE`", page)}
    other_names = read("crates/app/src/config/environment.rs").split("OTHER_NAMES", 1)[1].split("];", 1)[0]
    of_program |= set(re.findall(r'"([A-Z_]+)"', other_names))
    of_worker = set(re.findall(r'"((?:RUNPOD|PORT)[A-Z_]*)"', read("crates/runpod-worker/src/settings.rs")))
    assert "HF_HOME" in of_program and "PORT_HEALTH" in of_worker
    return of_program | of_worker | OF_THE_PLATFORM


def hub(known: set[str]) -> None:
    listing = json.loads(read(".runpod/hub.json"))
    expect(listing["type"] == "serverless" and listing["category"] in HUB_CATEGORIES, "hub.json: type or category")
    config = listing["config"]
    expect(config["runsOn"] == "CPU" and config["cpuFlavor"] in CPU_FLAVORS, "hub.json: not a CPU that RunPod has")
    offered = {}
    for variable in config["env"]:
        offered[variable["key"]] = variable
        expect(variable["key"] in known, f"hub.json: nobody reads {variable['key']}")
        given = variable["input"]
        expect(given["type"] in HUB_INPUT_TYPES, f"hub.json: type of {variable['key']}")
        choices = [option["value"] for option in given.get("options", [])]
        expect(not choices or given["default"] in choices, f"hub.json: default of {variable['key']}")
    for preset in config["presets"]:
        for name, value in preset["defaults"].items():
            choices = [option["value"] for option in offered[name]["input"].get("options", [])]
            expect(value in choices, f"hub.json: {name} of preset {preset['name']}")
    tests = json.loads(read(".runpod/tests.json"))
    expect(tests["tests"] and all("input" in test for test in tests["tests"]), "tests.json: a test without input")
    expect(tests["config"]["cpuFlavor"] == config["cpuFlavor"], "tests.json: another CPU than in hub.json")
    for variable in tests["config"]["env"]:
        expect(variable["key"] in known, f"tests.json: nobody reads {variable['key']}")


def templates(known: set[str]) -> None:
    template = json.loads(read("deploy/runpod/template.json"))
    expect(template.keys() <= TEMPLATE_KEYS, f"template.json: {sorted(template.keys() - TEMPLATE_KEYS)}")
    for name, value in template["env"].items():
        expect(name in known, f"template.json: nobody reads {name}")
        is_secret = "KEY" in name
        expect(
            is_secret == value.startswith("{{ RUNPOD_SECRET_"), f"template.json: {name} must be a reference to a secret"
        )
    endpoint = json.loads(read("deploy/runpod/endpoint.json"))
    expect(endpoint.keys() <= ENDPOINT_KEYS, f"endpoint.json: {sorted(endpoint.keys() - ENDPOINT_KEYS)}")
    expect(set(endpoint["cpuFlavorIds"]) <= CPU_FLAVORS, "endpoint.json: not a CPU that RunPod has")
    limit_s = int(template["env"]["PROCESSING_TIMEOUT"])
    expect(
        endpoint["executionTimeoutMs"] > 1000 * limit_s, "endpoint.json: RunPod would stop a job before the worker does"
    )
    policy = json.loads(read("deploy/runpod/bucket-policy.json"))
    shown = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```$", read("docs/runpod.md"), re.M | re.S)]
    expect(policy in shown, "docs/runpod.md: shows another policy than bucket-policy.json")
    actions = policy["Statement"][0]["Action"]
    expect(
        sorted(actions) == ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
        "bucket-policy.json: more than is needed",
    )


def compose(known: set[str]) -> None:
    services = yaml.safe_load(read("deploy/compose.yaml"))["services"]
    for name in services["worker"]["environment"]:
        expect(name in known, f"compose.yaml: nobody reads {name}")
    for name, service in services.items():
        image = service["image"]
        expect(":" in image or "build" in service, f"compose.yaml: the image of {name} has no version")
        expect(not image.endswith(":latest"), f"compose.yaml: the image of {name} has no version")
        for port in service.get("ports", []):
            expect(port.startswith("127.0.0.1:"), f"compose.yaml: {name} would be reachable from outside")
        for other in service.get("depends_on", {}):
            expect(other in services, f"compose.yaml: {name} needs {other}")


def dockerfile(known: set[str]) -> None:
    text = read("deploy/Dockerfile")
    channel = tomllib.loads(read("rust-toolchain.toml"))["toolchain"]["channel"]
    expect(f"FROM rust:{channel}-" in text, f"Dockerfile: not Rust {channel}, which rust-toolchain.toml names")
    expect(f"RUSTUP_TOOLCHAIN={channel}\n" in text, f"Dockerfile: RUSTUP_TOOLCHAIN is not {channel}")
    debian = re.findall(r"^FROM \S*?(bookworm|trixie|forky)", text, re.MULTILINE)
    expect(len(debian) == 2 and len(set(debian)) == 1, "Dockerfile: built and run on two releases of Debian")
    for name in re.findall(r"\b([A-Z][A-Z0-9_]+)=", text):
        expect(name in known | {"RUSTUP_TOOLCHAIN"}, f"Dockerfile: nobody reads {name}")


def pages(known: set[str]) -> None:
    """Variables in code on the pages of the deployment; the migration page also names those that ended."""
    ended = set(re.findall(r"^\| `([A-Z_]+)`.*\| \*\*none\*\*", read("docs/migration.md"), re.MULTILINE))
    for path in ["docs/runpod.md", "docs/migration.md"]:
        named = set(re.findall(r"`([A-Z][A-Z0-9]*_[A-Z0-9_]+)`", read(path)))
        states = {"IN_QUEUE", "IN_PROGRESS", "TIMED_OUT"}
        unknown = named - known - ended - states
        expect(not unknown, f"{path}: nobody reads {sorted(unknown)}")


def main() -> int:
    known = known_variables()
    hub(known)
    templates(known)
    compose(known)
    dockerfile(known)
    pages(known)
    for problem in problems:
        print(f"deploy: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
