// Convolutions over the rows of each item.
//
// Rows that lie one after the other, each with the channels of one group, already are the matrix that a convolution
// multiplies by its weights: its row n is the run of `kernel · channels` values from row n on. So a group's rows are
// copied together once, with zeros between the items, and `gemm` reads overlapping rows.
#pragma once

#include "matrix.cuh"

struct SpreadArguments {
    Matrix x;
    Half* out;               // (groups, rows + items · gap, padded channels)
    const int* starts;
    int items;
    int rows;                // of `out`, in one group
    int channels;            // of one group
    int padded_channels;
    int gap;                 // zero rows between two items, half of them before the first
};

// blockIdx is (row, channels, group).
KERNEL(spread, SpreadArguments, 64) {
    const int row = blockIdx.x;
    const int channel = blockIdx.y * 64 + threadIdx.x;
    if (channel >= a.padded_channels || row >= a.rows) {
        return;
    }
    const int item = item_of(a.starts, a.items, row, a.gap);
    const int from = row - item * a.gap - a.gap / 2;
    float x = 0.0f;
    if (channel < a.channels && from >= a.starts[item] && from < a.starts[item + 1]) {
        x = load(a.x, from, blockIdx.z * a.channels + channel);
    }
    const size_t place = static_cast<size_t>(blockIdx.z) * a.rows + row;
    a.out[place * a.padded_channels + channel] = to_half(x);
}

struct DepthwiseArguments {
    Matrix x;
    const float* taps;       // (kernel, channels)
    Finish finish;
    const int* row_item;
    const int* starts;
    int rows;
    int kernel;
};

// Every channel by itself; blockIdx is (row, channels).
KERNEL(depthwise, DepthwiseArguments, 128) {
    const int channels = a.x.columns;
    const int row = blockIdx.x;
    const int channel = blockIdx.y * 128 + threadIdx.x;
    if (channel >= channels || row >= a.rows) {
        return;
    }
    const int item = a.row_item[row];
    float sum = 0.0f;
    for (int tap = 0; tap < a.kernel; tap++) {
        const int from = row + tap - a.kernel / 2;
        if (from >= a.starts[item] && from < a.starts[item + 1]) {
            sum += a.taps[static_cast<size_t>(tap) * channels + channel] * load(a.x, from, channel);
        }
    }
    finish(a.finish, sum, row, channel);
}

struct ConvWeightsArguments {
    const float* weight;     // (outputs, channels, kernel), as in the file
    Half* out;               // (outputs, kernel · padded channels)
    int channels;
    int padded_channels;
    int kernel;
};

// Brings weights into the order of the spread rows; blockIdx is (output, values).
KERNEL(conv_weights, ConvWeightsArguments, 256) {
    const int depth = a.kernel * a.padded_channels;
    const int at = blockIdx.y * 256 + threadIdx.x;
    if (at >= depth) {
        return;
    }
    const int tap = at / a.padded_channels;
    const int channel = at % a.padded_channels;
    float value = 0.0f;
    if (channel < a.channels) {
        value = a.weight[(static_cast<size_t>(blockIdx.x) * a.channels + channel) * a.kernel + tap];
    }
    a.out[static_cast<size_t>(blockIdx.x) * depth + at] = to_half(value);
}
