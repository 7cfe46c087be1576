#!/usr/bin/env bash
# Tests the CUDA backend without a GPU: every kernel runs on the CPU, thread by thread, and is compared with the CPU
# backend. Three times: with the threads of a block in either order, where a missing barrier shows, and (with the
# argument `--sanitize`) under the address and undefined-behaviour sanitizers, where a wrong index shows.
set -euo pipefail
cd "$(dirname "$0")/../.."

emulated() {
    cargo test --quiet --package f5tts-kernels --features cuda-emulation --test it cuda
}

emulated
F5TTS_EMULATION_ORDER=backwards emulated
if [[ ${1:-} == --sanitize ]]; then
    # Rust's own allocations go through the sanitizer, too, so it must come before all other libraries. What the
    # test framework never frees is not ours.
    export F5TTS_CUDA_SANITIZE=1 ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0
    CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/sanitized
    export CARGO_TARGET_DIR
    cargo test --quiet --package f5tts-kernels --features cuda-emulation --test it --no-run
    LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)" emulated
fi
