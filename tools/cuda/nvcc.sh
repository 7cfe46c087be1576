#!/usr/bin/env bash
# Fetches CUDA's compiler from PyPI, without the rest of the toolkit, and prints its path:
#
#     export NVCC=$(bash tools/cuda/nvcc.sh)
#
# The folder is the first argument, `target/cuda-toolkit` by default. It takes 270 MB, and half a minute.
set -euo pipefail
cd "$(dirname "$0")/../.."

folder=${1:-${CARGO_TARGET_DIR:-target}/cuda-toolkit}
nvcc=$folder/nvidia/cu13/bin/nvcc
if [[ ! -x $nvcc ]]; then
    "${PYTHON:-python3}" -m pip install --quiet --no-deps --target "$folder" \
        nvidia-cuda-nvcc==13.0.* nvidia-cuda-crt==13.0.* nvidia-nvvm==13.0.* nvidia-cuda-cccl==13.0.* \
        nvidia-cuda-runtime==13.0.* >&2
fi
realpath "$nvcc"
