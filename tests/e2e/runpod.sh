#!/usr/bin/env bash
# The RunPod worker end to end: against the simulated platform, and its local API against the official client; then
# `f5tts worker`, with both and with a worker that is killed.
#
#     tests/e2e/runpod.sh [--only TEXT] [--parallel N]
#
# What is expected stands in runpod.toml. The virtual environment with requirements.txt is made below the target folder.
# WORKER names an example `echo` that is built already.
set -euo pipefail
cd "$(dirname "$0")/../.."

target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
requirements=tests/e2e/requirements.txt
environment=$target/e2e

if [[ -z ${WORKER:-} ]]; then
    # The whole workspace chooses the features, so that what `cargo test --workspace` built is used again.
    cargo build --quiet --locked --workspace --example echo --bin f5tts
    WORKER=$target/debug/examples/echo
fi
if ! cmp --quiet "$requirements" "$environment/made-from"; then
    python3 -m venv --clear "$environment"
    "$environment/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements"
    cp "$requirements" "$environment/made-from"
fi

"$environment/bin/python" tests/e2e/runpod_cases.py --worker "$WORKER" "$@"
if [[ $# -eq 0 ]]; then
    "$environment/bin/python" tests/e2e/runpod_client.py "$WORKER"
    "$environment/bin/python" tests/e2e/speech.py "${F5TTS:-$target/debug/f5tts}"
fi
