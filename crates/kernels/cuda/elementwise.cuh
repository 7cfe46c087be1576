// Copies and updates of rows.
#pragma once

#include "matrix.cuh"

struct ConvertArguments {
    Matrix x;
    Matrix out;              // at least as many columns as `x`; those beyond become zero
    int rows;
};

// Copies a matrix, and changes its precision; blockIdx is (row, columns).
KERNEL(convert, ConvertArguments, 256) {
    const int row = blockIdx.x;
    const int column = blockIdx.y * 256 + threadIdx.x;
    if (column >= a.out.columns || row >= a.rows) {
        return;
    }
    store(a.out, row, column, column < a.x.columns ? load(a.x, row, column) : 0.0f);
}

struct AdvanceArguments {
    Matrix state;
    Matrix conditional;
    Matrix unconditional;    // without data, if there is no guidance
    Matrix out;
    int rows;
    float guidance;
    float step;
};

// out = state + step · (v + (v − u) · guidance); blockIdx is (row, columns).
KERNEL(advance, AdvanceArguments, 128) {
    const int row = blockIdx.x;
    const int column = blockIdx.y * 128 + threadIdx.x;
    if (column >= a.state.columns || row >= a.rows) {
        return;
    }
    float v = load(a.conditional, row, column);
    if (a.unconditional.data) {
        v += (v - load(a.unconditional, row, column)) * a.guidance;
    }
    store(a.out, row, column, load(a.state, row, column) + a.step * v);
}

struct FiniteArguments {
    Matrix x;
    int* broken;             // becomes 1 if a value is infinite or not a number
    int rows;
};

// blockIdx is (row, columns).
KERNEL(find_broken, FiniteArguments, 128) {
    const int row = blockIdx.x;
    const int column = blockIdx.y * 128 + threadIdx.x;
    if (column >= a.x.columns || row >= a.rows) {
        return;
    }
    // False for what is not a number, too.
    if (!(fabsf(load(a.x, row, column)) <= 3.402823466e38f)) {
        *a.broken = 1;
    }
}
