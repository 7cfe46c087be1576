#!/usr/bin/env bash
# The first run on a GPU, in one command. It needs an NVIDIA GPU of compute capability 8.0 or later, a driver of
# 580 or later, and for the comparison Python with PyTorch; no Rust and no nvcc where the program is brought along:
#
#     cargo build --release --package f5tts-engine --features cuda --example cuda_check   # where Rust is
#     bash tools/cuda/first_run.sh target/release/examples/cuda_check OUT                 # where the GPU is
#
# All parts together take about a quarter of an hour on an H100. Words after OUT name those to run: `check`, `time`,
# `sanitize`, `peer`, or single ones such as `time-own`. Each writes its JSON and log to OUT, and one that fails, or
# takes longer than PART_SECONDS (400), does not keep the others from running.
set -uo pipefail
program=$(realpath "${1:?the program cuda_check}")
out=${2:?a folder for the results}
mkdir -p "$out"
out=$(realpath "$out")
shift 2
wanted=" ${*:-check time sanitize peer} "
cd "$(dirname "$0")/../.."
python=${PYTHON:-python3}
failures=0

part() {
    local group=$1 name=$2 start=$SECONDS
    shift 2
    [[ $wanted == *" $group "* || $wanted == *" $name "* ]] || return
    echo "== $name"
    timeout "${PART_SECONDS:-400}" "$@" >"$out/$name.json" 2>"$out/$name.log" \
        || { echo "== $name FAILED ($?)"; tail -5 "$out/$name.log"; failures=$((failures + 1)); }
    echo "== $name: $((SECONDS - start)) s"
}

# PyTorch's wheels bring cuBLASLt along.
libraries=$("$python" -c 'import nvidia, pathlib
print(":".join(sorted({str(p.parent) for d in nvidia.__path__ for p in pathlib.Path(d).rglob("libcublasLt.so*")})))' 2>/dev/null)
export LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}

nvidia-smi >"$out/nvidia-smi.txt" 2>&1
# Correctness first: what is wrong need not be measured. Small sizes, then the real ones; own products, then cuBLASLt's.
part check small-own "$program" small --products own
part check small-cublaslt "$program" small --products cublaslt
part check check-own "$program" check --products own
part check check-cublaslt "$program" check --products cublaslt
part time time-cublaslt "$program" time --products cublaslt
part time time-own "$program" time --products own
# Whether recording an evaluation pays.
part time time-eager "$program" time --products cublaslt --eager
if command -v compute-sanitizer >/dev/null; then
    for tool in memcheck racecheck initcheck synccheck; do
        part sanitize "$tool" compute-sanitizer --tool "$tool" --error-exitcode 9 --log-file "$out/$tool.txt" \
            "$program" small --products own
    done
else
    echo "== compute-sanitizer is not installed: left out"
fi
if "$python" -c 'import torch' 2>/dev/null; then
    part peer peer-eager "$python" tools/cuda/peer.py
    part peer peer-compiled "$python" tools/cuda/peer.py --compile
else
    echo "== PyTorch is not installed: left out"
fi
"$python" tools/cuda/table.py "$out"
exit "$failures"
