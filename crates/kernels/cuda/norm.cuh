// Layer norm and global response normalisation.
#pragma once

#include "matrix.cuh"

struct NormaliseArguments {
    Matrix x;
    Matrix out;              // at least as many columns as `x`; those beyond become zero
    Matrix scale;            // one row an item, or one for all
    Matrix shift;
    const int* row_item;     // or none, where one row is for all
    int scale_column;
    int shift_column;
    int rows;
    float base;              // (x − mean) / √(variance + ε) · (base + scale) + shift
};

// A warp takes one row, and reads it three times: from the second time on it is in the cache.
KERNEL(normalise, NormaliseArguments, 256) {
    const int row = blockIdx.x * 8 + threadIdx.x / 32;
    const int lane = threadIdx.x % 32;
    if (row >= a.rows) {
        return;
    }
    const int columns = a.x.columns;
    float sum = 0.0f;
    for (int column = lane; column < columns; column += 32) {
        sum += load(a.x, row, column);
    }
    const float mean = warp_sum(sum) / columns;
    float squares = 0.0f;
    for (int column = lane; column < columns; column += 32) {
        const float x = load(a.x, row, column) - mean;
        squares += x * x;
    }
    const float factor = 1.0f / sqrtf(warp_sum(squares) / columns + 1e-6f);
    const int item = a.row_item ? a.row_item[row] : 0;
    for (int column = lane; column < a.out.columns; column += 32) {
        float y = 0.0f;
        if (column < columns) {
            const float x = (load(a.x, row, column) - mean) * factor;
            y = x * (a.base + load(a.scale, item, a.scale_column + column)) +
                load(a.shift, item, a.shift_column + column);
        }
        store(a.out, row, column, y);
    }
}

struct ColumnNormsArguments {
    Matrix x;
    const int* starts;
    float* norms;            // (items, columns)
};

// The 2-norms of 32 columns over the rows of an item; blockIdx is (columns, item).
KERNEL(column_norms, ColumnNormsArguments, 256) {
    SHARED_MEMORY(shared);
    float* parts = reinterpret_cast<float*>(shared);
    const int lane = threadIdx.x % 32;
    const int part = threadIdx.x / 32;
    const int column = blockIdx.x * 32 + lane;
    const int end = a.starts[blockIdx.y + 1];
    float squares = 0.0f;
    if (column < a.x.columns) {
        for (int row = a.starts[blockIdx.y] + part; row < end; row += 8) {
            const float x = load(a.x, row, column);
            squares += x * x;
        }
    }
    parts[part * 32 + lane] = squares;
    synchronize_block();
    if (part == 0 && column < a.x.columns) {
        float sum = 0.0f;
        for (int index = 0; index < 8; index++) {
            sum += parts[index * 32 + lane];
        }
        a.norms[static_cast<size_t>(blockIdx.y) * a.x.columns + column] = sqrtf(sum);
    }
}

struct ResponseFactorsArguments {
    float* norms;            // (items, columns); become the factors γ · norm / (mean norm + ε)
    Matrix gamma;
};

// A warp takes an item.
KERNEL(response_factors, ResponseFactorsArguments, 32) {
    const int columns = a.gamma.columns;
    float* norms = a.norms + static_cast<size_t>(blockIdx.x) * columns;
    float sum = 0.0f;
    for (int column = threadIdx.x; column < columns; column += 32) {
        sum += norms[column];
    }
    const float mean = warp_sum(sum) / columns + 1e-6f;
    for (int column = threadIdx.x; column < columns; column += 32) {
        norms[column] = norms[column] / mean * load(a.gamma, 0, column);
    }
}

struct ResponseArguments {
    Matrix x;
    const float* factors;    // (items, columns)
    Matrix beta;
    const int* row_item;
    int rows;
};

// x += x · factor + β; blockIdx is (row, columns).
KERNEL(apply_response, ResponseArguments, 256) {
    const int row = blockIdx.x;
    const int column = blockIdx.y * 256 + threadIdx.x;
    if (column >= a.x.columns || row >= a.rows) {
        return;
    }
    const float x = load(a.x, row, column);
    const float factor = a.factors[static_cast<size_t>(a.row_item[row]) * a.x.columns + column];
    store(a.x, row, column, x + (x * factor + load(a.beta, 0, column)));
}
