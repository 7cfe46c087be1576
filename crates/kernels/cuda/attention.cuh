// Attention within each item, without a matrix of all scores.
#pragma once

#include "matrix.cuh"

struct HeadsArguments {
    Matrix qkv;              // q ‖ k ‖ v
    Half* query;             // (rows, heads · padded_dim)
    Half* key;
    Half* value;             // or none, where the kernel of attention reads `qkv` itself
    const float* rotary;     // cos, sin, … of each position
    const float* query_norm; // RMS norm weights, or none
    const float* key_norm;
    const int* row_item;
    const int* starts;
    int rows;
    int heads;
    int head_dim;
    int padded_dim;
    int rotated_heads;
};

DEVICE void prepare_head(
    const HeadsArguments& a, int row, int head, int part, const float* norm, Half* out) {
    const int lane = threadIdx.x % 32;
    const int first = (part * a.heads + head) * a.head_dim;
    float factor = 1.0f;
    if (norm) {
        float squares = 0.0f;
        for (int column = lane; column < a.head_dim; column += 32) {
            const float x = load(a.qkv, row, first + column);
            squares += x * x;
        }
        factor = 1.0f / sqrtf(warp_sum(squares) / a.head_dim + 1e-6f);
    }
    const bool rotated = part < 2 && head < a.rotated_heads;
    const int position = row - a.starts[a.row_item[row]];
    const float* angles = a.rotary + static_cast<size_t>(position) * a.head_dim;
    Half* to = out + (static_cast<size_t>(row) * a.heads + head) * a.padded_dim;
    for (int column = lane * 2; column < a.padded_dim; column += 64) {
        float x = 0.0f;
        float y = 0.0f;
        if (column < a.head_dim) {
            x = load(a.qkv, row, first + column) * factor;
            y = load(a.qkv, row, first + column + 1) * factor;
            if (norm) {
                x *= norm[column];
                y *= norm[column + 1];
            }
            if (rotated) {
                const float cosine = angles[column];
                const float sine = angles[column + 1];
                const float turned = x * cosine - y * sine;
                y = y * cosine + x * sine;
                x = turned;
            }
        }
        *reinterpret_cast<unsigned*>(to + column) = pack(x, y);
    }
}

// Normalises and rotates queries and keys, and rounds them. A warp takes one head of one row.
KERNEL(heads, HeadsArguments, 256) {
    const int task = blockIdx.x * 8 + threadIdx.x / 32;
    const int row = task / a.heads;
    const int head = task % a.heads;
    if (row >= a.rows) {
        return;
    }
    prepare_head(a, row, head, 0, a.query_norm, a.query);
    prepare_head(a, row, head, 1, a.key_norm, a.key);
    if (a.value) {
        prepare_head(a, row, head, 2, nullptr, a.value);
    }
}

// Some queries of one item: its rows, and the first of the queries.
struct AttentionTile {
    int start;
    int end;
    int first;
};

struct AttentionArguments {
    const Half* query;
    const Half* key;
    const Half* value;
    const AttentionTile* tiles;
    Matrix out;              // (rows, heads · head_dim)
    int query_stride;        // halves from row to row; heads lie `DIM` apart
    int key_stride;
    int value_stride;
    int head_dim;
    float scale;             // of scores, times log2(e)
};

// A block takes 64 queries of one head, 16 a warp; blockIdx is (head, tile).
template <int DIM>
struct AttentionBlock {
    static constexpr int QUERIES = 64;
    static constexpr int KEYS = 64;
    static constexpr int THREADS = 128;
    // Rows of 16 bytes more than a power of two fall on all banks in turn.
    static constexpr int PITCH = DIM + 8;
    static constexpr int TILE = KEYS * PITCH;
    static constexpr int SHARED_BYTES = 5 * TILE * 2;

    static DEVICE_METHOD void load_tile(Half* to, const Half* from, int stride, int first, int end, int head) {
        constexpr int CHUNKS = DIM / 8;
        for (int chunk = threadIdx.x; chunk < KEYS * CHUNKS; chunk += THREADS) {
            const int r = chunk / CHUNKS;
            const int column = chunk % CHUNKS * 8;
            const bool valid = first + r < end;
            const Half* source = valid ? from + static_cast<size_t>(first + r) * stride + head * DIM + column : from;
            copy_async(to + r * PITCH + column, source, valid);
        }
    }

    static DEVICE_METHOD void run(const AttentionArguments& a) {
        SHARED_MEMORY(shared);
        Half* query_tile = reinterpret_cast<Half*>(shared);
        Half* key_tiles = query_tile + TILE;
        Half* value_tiles = key_tiles + 2 * TILE;
        const AttentionTile tile = a.tiles[blockIdx.y];
        const int head = blockIdx.x;
        const int lane = threadIdx.x % 32;
        const int warp = threadIdx.x / 32;

        load_tile(query_tile, a.query, a.query_stride, tile.first, tile.end, head);
        load_tile(key_tiles, a.key, a.key_stride, tile.start, tile.end, head);
        load_tile(value_tiles, a.value, a.value_stride, tile.start, tile.end, head);
        commit_copies();

        unsigned query[DIM / 16][4];
        float out[DIM / 8][4] = {};
        // Of the two rows that this lane has a part of.
        float largest[2] = {-INFINITY, -INFINITY};
        float total[2] = {0.0f, 0.0f};

        const int steps = (tile.end - tile.start + KEYS - 1) / KEYS;
        for (int step = 0; step < steps; step++) {
            const int first = tile.start + step * KEYS;
            const int stage = step % 2;
            await_copies<0>();
            // After this, all have their part of these keys, and nobody reads the ones before any more.
            synchronize_block();
            if (step + 1 < steps) {
                const int next = (1 - stage) * TILE;
                load_tile(key_tiles + next, a.key, a.key_stride, first + KEYS, tile.end, head);
                load_tile(value_tiles + next, a.value, a.value_stride, first + KEYS, tile.end, head);
            }
            commit_copies();
            if (step == 0) {
                const Half* row = query_tile + (warp * 16 + lane % 16) * PITCH + lane / 16 * 8;
#pragma unroll
                for (int k = 0; k < DIM / 16; k++) {
                    load_matrices(query[k], row + k * 16);
                }
            }
            float scores[KEYS / 8][4] = {};
            score(query, key_tiles + stage * TILE, scores, lane);
            weigh(scores, out, largest, total, tile.end - first, a.scale, lane);
            gather(scores, value_tiles + stage * TILE, out, lane);
        }
        write(a, tile, out, total, head, warp, lane);
    }

    // scores = query · keyᵀ
    static DEVICE_METHOD void score(
        const unsigned (&query)[DIM / 16][4], const Half* keys, float (&scores)[KEYS / 8][4], int lane) {
        const Half* row = keys + (lane % 8 + lane / 16 * 8) * PITCH + lane / 8 % 2 * 8;
#pragma unroll
        for (int k = 0; k < DIM / 16; k++) {
#pragma unroll
            for (int j = 0; j < KEYS / 8; j += 2) {
                unsigned b[4];
                load_matrices(b, row + j * 8 * PITCH + k * 16);
                multiply_add(scores[j], query[k], b[0], b[1]);
                multiply_add(scores[j + 1], query[k], b[2], b[3]);
            }
        }
    }

    // Gives no weight to what lies beyond the last of the keys.
    static DEVICE_METHOD void mask(float (&scores)[KEYS / 8][4], int keys, int lane) {
#pragma unroll
        for (int j = 0; j < KEYS / 8; j++) {
#pragma unroll
            for (int c = 0; c < 4; c++) {
                if (j * 8 + lane % 4 * 2 + c % 2 >= keys) {
                    scores[j][c] = -INFINITY;
                }
            }
        }
    }

    // Turns scores into weights relative to the largest score so far, and what was summed before with them.
    static DEVICE_METHOD void weigh(
        float (&scores)[KEYS / 8][4],
        float (&out)[DIM / 8][4],
        float (&largest)[2],
        float (&total)[2],
        int keys,
        float scale,
        int lane) {
        // Only the last step has less.
        if (keys < KEYS) {
            mask(scores, keys, lane);
        }
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float most = largest[half];
#pragma unroll
            for (int j = 0; j < KEYS / 8; j++) {
                most = fmaxf(most, fmaxf(scores[j][half * 2], scores[j][half * 2 + 1]));
            }
            // The four lanes of a row; each step has at least one key, so the largest is a number.
            most = fmaxf(most, shuffle_xor(most, 1));
            most = fmaxf(most, shuffle_xor(most, 2));
            const float shrink = power_of_two((largest[half] - most) * scale);
            const float offset = -most * scale;
            largest[half] = most;
            float sum = 0.0f;
#pragma unroll
            for (int j = 0; j < KEYS / 8; j++) {
#pragma unroll
                for (int c = 0; c < 2; c++) {
                    float& score = scores[j][half * 2 + c];
                    score = power_of_two(fmaf(score, scale, offset));
                    sum += score;
                }
            }
            total[half] = total[half] * shrink + sum;
#pragma unroll
            for (int j = 0; j < DIM / 8; j++) {
                out[j][half * 2] *= shrink;
                out[j][half * 2 + 1] *= shrink;
            }
        }
    }

    // out += weights · values
    static DEVICE_METHOD void gather(
        const float (&weights)[KEYS / 8][4], const Half* values, float (&out)[DIM / 8][4], int lane) {
        const Half* row = values + (lane % 8 + lane / 8 % 2 * 8) * PITCH + lane / 16 * 8;
#pragma unroll
        for (int k = 0; k < KEYS / 16; k++) {
            const unsigned a[4] = {
                pack(weights[2 * k][0], weights[2 * k][1]),
                pack(weights[2 * k][2], weights[2 * k][3]),
                pack(weights[2 * k + 1][0], weights[2 * k + 1][1]),
                pack(weights[2 * k + 1][2], weights[2 * k + 1][3]),
            };
#pragma unroll
            for (int j = 0; j < DIM / 8; j += 2) {
                unsigned b[4];
                load_matrices_transposed(b, row + k * 16 * PITCH + j * 8);
                multiply_add(out[j], a, b[0], b[1]);
                multiply_add(out[j + 1], a, b[2], b[3]);
            }
        }
    }

    static DEVICE_METHOD void write(
        const AttentionArguments& a,
        const AttentionTile& tile,
        const float (&out)[DIM / 8][4],
        const float (&total)[2],
        int head,
        int warp,
        int lane) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float sum = total[half];
            sum += shuffle_xor(sum, 1);
            sum += shuffle_xor(sum, 2);
            const int row = tile.first + warp * 16 + lane / 4 + half * 8;
            if (row >= tile.end) {
                continue;
            }
            const float factor = 1.0f / sum;
#pragma unroll
            for (int j = 0; j < DIM / 8; j++) {
                const int column = j * 8 + lane % 4 * 2;
                if (column < a.head_dim) {
                    store_pair(
                        a.out, row, head * a.head_dim + column, out[j][half * 2] * factor, out[j][half * 2 + 1] * factor);
                }
            }
        }
    }
};

static_assert(AttentionBlock<64>::SHARED_BYTES == 46080, "as `launch.rs` has it");
static_assert(AttentionBlock<128>::SHARED_BYTES == 87040, "as `launch.rs` has it");

CROWDED_KERNEL(attention_64, AttentionArguments, 128, 4) { AttentionBlock<64>::run(a); }
KERNEL(attention_128, AttentionArguments, 128) { AttentionBlock<128>::run(a); }
