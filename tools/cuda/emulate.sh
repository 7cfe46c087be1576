#!/usr/bin/env bash
# Tests the CUDA backend without a GPU: kernels run on the CPU, thread by thread. Every operation is compared with the
# CPU backend, and the whole engine with the official goldens. The operations once more with the threads of a block in
# the other order, where a missing barrier shows; and with the argument `--sanitize` operations and goldens under the
# address and undefined-behaviour sanitizers, where a wrong index shows.
set -euo pipefail
cd "$(dirname "$0")/../.."

# Both packages at once, so that all is compiled once.
tests=(--quiet --package f5tts-kernels --package f5tts-engine --features f5tts-engine/cuda-emulation --test it)
engine=(cuda::goldens cuda::memory cuda::sampling)

emulated() {
    cargo test "${tests[@]}" -- cuda "$@"
}

emulated
F5TTS_EMULATION_ORDER=backwards emulated "${engine[@]/#/--skip=}"
if [[ ${1:-} == --sanitize ]]; then
    # Rust's own allocations go through the sanitizer, too, so it must come before all other libraries. What the
    # test framework never frees is not ours, and a test asks for more memory than there is.
    export F5TTS_CUDA_SANITIZE=1
    export ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0:allocator_may_return_null=1
    cargo test "${tests[@]}" --no-run
    # The goldens have called every kernel; the rest of the engine's tests would take half an hour.
    LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)" \
        emulated --skip=cuda::memory --skip=cuda::sampling
fi
