// Matrices in single or half precision, and what becomes of a result.
#pragma once

#include "device.cuh"

// Row-major, without gaps between rows.
struct Matrix {
    void* data;
    int columns;
    int half;
};

DEVICE float load(const Matrix& m, int row, int column) {
    const size_t at = static_cast<size_t>(row) * m.columns + column;
    return m.half ? to_float(static_cast<const Half*>(m.data)[at]) : static_cast<const float*>(m.data)[at];
}

DEVICE void store(const Matrix& m, int row, int column, float value) {
    const size_t at = static_cast<size_t>(row) * m.columns + column;
    if (m.half) {
        static_cast<Half*>(m.data)[at] = to_half(value);
    } else {
        static_cast<float*>(m.data)[at] = value;
    }
}

// Two columns that lie next to each other, the first of them even, of a matrix with an even number of columns.
DEVICE void store_pair(const Matrix& m, int row, int column, float first, float second) {
    const size_t at = static_cast<size_t>(row) * m.columns + column;
    if (m.half) {
        *reinterpret_cast<unsigned*>(static_cast<Half*>(m.data) + at) = pack(first, second);
    } else {
        *reinterpret_cast<float2*>(static_cast<float*>(m.data) + at) = make_float2(first, second);
    }
}

// The last item that begins at or before `row`, where item i begins at starts[i] + i · gap.
DEVICE int item_of(const int* starts, int items, int row, int gap) {
    int low = 0;
    int high = items;
    while (high - low > 1) {
        const int middle = (low + high) / 2;
        if (starts[middle] + middle * gap <= row) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

DEVICE float warp_sum(float x) {
    for (int mask = 16; mask > 0; mask /= 2) {
        x += shuffle_xor(x, mask);
    }
    return x;
}

// `x / (1 + exp(−2u))` is `x/2 · (1 + tanh u)`.
DEVICE float gelu_tanh(float x) {
    const float u = 0.7978845608028654f * (x + 0.044715f * x * x * x);
    return x / (1.0f + expf(-2.0f * u));
}

DEVICE float gelu_erf(float x) { return 0.5f * x * (1.0f + erff(x * 0.7071067811865476f)); }

// x · tanh(ln(1 + eˣ)); beyond 20 the factor is 1.
DEVICE float mish(float x) {
    const float e = expf(fminf(x, 20.0f));
    const float n = e * (e + 2.0f);
    return x * (n / (n + 2.0f));
}

enum Mode {
    STORE = 0,
    GELU_TANH = 1,
    GELU_ERF = 2,
    PLUS = 3,
    RESIDUAL = 4,
    SCALED_RESIDUAL = 5,
    GATED_RESIDUAL = 6,
    MISH = 7,
    MISH_RESIDUAL = 8,
};

// What becomes of a product y: where it goes, and what is done to it before.
struct Finish {
    const float* bias;     // or none
    const int* row_item;   // GATED_RESIDUAL
    Matrix out;
    Matrix operand;        // PLUS: an addend; SCALED_RESIDUAL: one row; GATED_RESIDUAL: one row an item
    int operand_column;    // GATED_RESIDUAL: the first column
    int mode;
};

DEVICE float finished(const Finish& f, float y, int row, int column) {
    if (f.bias) {
        y += f.bias[column];
    }
    switch (f.mode) {
        case GELU_TANH: return gelu_tanh(y);
        case GELU_ERF: return gelu_erf(y);
        case PLUS: return y + load(f.operand, row, column);
        case RESIDUAL: return load(f.out, row, column) + y;
        case SCALED_RESIDUAL: return load(f.out, row, column) + load(f.operand, 0, column) * y;
        case GATED_RESIDUAL:
            return load(f.out, row, column) + load(f.operand, f.row_item[row], f.operand_column + column) * y;
        case MISH: return mish(y);
        case MISH_RESIDUAL: return load(f.out, row, column) + mish(y);
        default: return y;
    }
}

DEVICE void finish(const Finish& f, float y, int row, int column) {
    store(f.out, row, column, finished(f, y, row, column));
}

// The same for two columns, as `store_pair` takes them.
DEVICE void finish_pair(const Finish& f, float first, float second, int row, int column) {
    first = finished(f, first, row, column);
    second = finished(f, second, row, column + 1);
    store_pair(f.out, row, column, first, second);
}
