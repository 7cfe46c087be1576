#!/usr/bin/env python3
"""Exports the aligner's acoustic model from the `pocketsphinx` wheel (5.1.1).

The wheel holds CMU Sphinx's generic US English model, of which only the context-independent part
is taken: 42 phones of three states, each phone with a codebook of 128 Gaussians in each of three
feature streams of 13 numbers. Written are, little-endian and in this order:

    means                 f16  [phone 42][stream 3][gaussian 128][dimension 13]
    variances             f16  the same
    mixture weights       u8   [senone 126][stream 3][gaussian 128], -log(weight) / (1024 log 1.0001)
    transitions           f32  [phone 42][state 3][to itself, to the next]

    pip install pocketsphinx==5.1.1 numpy
    python tools/align/export_model.py crates/engine/src/align/model
"""

import hashlib
import pathlib
import shutil
import struct
import sys

import numpy as np
import pocketsphinx

PHONES, STATES, STREAMS, GAUSSIANS, DIMENSIONS = 42, 3, 3, 128, 13
SENONES = PHONES * STATES
VARIANCE_FLOOR = 1e-4


def body_of_s3(path):
    """The bytes after the text header and the byte-order mark."""
    data = path.read_bytes()
    end = data.index(b"endhdr\n") + len(b"endhdr\n")
    (order,) = struct.unpack_from("<I", data, end)
    assert order == 0x11223344, f"{path} is not little-endian"
    return data[end + 4 :]


def gaussians(path):
    body = body_of_s3(path)
    codebooks, streams, densities = struct.unpack_from("<3i", body, 0)
    lengths = struct.unpack_from(f"<{streams}i", body, 12)
    assert (codebooks, streams, densities) == (PHONES, STREAMS, GAUSSIANS), path
    assert lengths == (DIMENSIONS,) * STREAMS, path
    count = PHONES * STREAMS * GAUSSIANS * DIMENSIONS
    # The number of values stands before them.
    return np.frombuffer(body, "<f4", count, 12 + 4 * streams + 4)


def mixture_weights(path):
    data, at = path.read_bytes(), 0
    while True:  # Strings with their length before them; an empty one ends the header.
        (length,) = struct.unpack_from("<i", data, at)
        at += 4
        if length == 0:
            break
        at += length
    densities, senones = struct.unpack_from("<2i", data, at)
    assert densities == GAUSSIANS, (densities, senones)
    weights = np.frombuffer(data, np.uint8, STREAMS * GAUSSIANS * senones, at + 8)
    weights = weights.reshape(STREAMS, GAUSSIANS, senones)[:, :, :SENONES]
    return weights.transpose(2, 0, 1)


def transitions(path):
    body = body_of_s3(path)
    matrices, rows, columns, count = struct.unpack_from("<4i", body, 0)
    assert (matrices, rows, columns) == (PHONES, STATES, STATES + 1), path
    counts = np.frombuffer(body, "<f4", count, 16).reshape(PHONES, STATES, STATES + 1)
    probabilities = counts / counts.sum(2, keepdims=True)
    stay = np.stack([probabilities[:, state, state] for state in range(STATES)], 1)
    leave = np.stack([probabilities[:, state, state + 1] for state in range(STATES)], 1)
    return np.stack([stay, leave], 2)


def main():
    target = pathlib.Path(sys.argv[1])
    source = pathlib.Path(pocketsphinx.get_model_path()) / "en-us" / "en-us"
    variances = np.maximum(gaussians(source / "variances"), VARIANCE_FLOOR)
    data = b"".join(
        [
            gaussians(source / "means").astype("<f2").tobytes(),
            variances.astype("<f2").tobytes(),
            mixture_weights(source / "sendump").tobytes(),
            transitions(source / "transition_matrices").astype("<f4").tobytes(),
        ]
    )
    (target / "en-us.bin").write_bytes(data)
    shutil.copyfile(source / "README", target / "LICENSE-en-us")
    print(len(data), "bytes, sha256", hashlib.sha256(data).hexdigest())


if __name__ == "__main__":
    main()
