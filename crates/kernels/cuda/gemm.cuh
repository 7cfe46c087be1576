// The matrix product out = finish(a · wᵀ) on tensor cores, with sums in single precision.
//
// Every sum runs over the depth in the same order, whatever the tile and the row, so an item's result does not
// depend on its batch.
#pragma once

#include "matrix.cuh"

struct GemmArguments {
    const Half* a;           // rows of `a_stride` halves, each beginning 16 bytes aligned
    const Half* weight;      // (columns, depth) of each group
    const int* row_item;     // if `gap` is not zero
    Finish finish;
    long long a_group;       // halves from one group of a to the next
    int a_stride;
    int rows;
    int columns;             // of one group
    int depth;               // a multiple of 8
    int gap;                 // rows that lie before row r in `a`, besides r: row_item[r] · gap
};

// A block computes a tile of BM × BN with WARPS_M × WARPS_N warps; blockIdx is (columns, rows, group).
template <int BM, int BN, int WARPS_M, int WARPS_N, int STAGES>
struct Gemm {
    static constexpr int THREADS = 32 * WARPS_M * WARPS_N;
    static constexpr int BK = 32;
    // Rows of 80 bytes fall on all banks in turn.
    static constexpr int PITCH = BK + 8;
    static constexpr int STAGE = (BM + BN) * PITCH;
    static constexpr int SHARED_BYTES = STAGES * STAGE * 2;
    static constexpr int WM = BM / WARPS_M;
    static constexpr int WN = BN / WARPS_N;
    static constexpr int TILES_M = WM / 16;
    static constexpr int TILES_N = WN / 8;
    static constexpr int EXCHANGE_PITCH = WN + 4;
    static_assert(THREADS / 32 * 16 * EXCHANGE_PITCH * 4 <= SHARED_BYTES, "the exchange fits");
    static_assert(WM % 16 == 0 && WN % 16 == 0, "warps take whole tiles");

    static DEVICE_METHOD void load_stage(const GemmArguments& a, Half* stage, int k0) {
        constexpr int CHUNKS = BK / 8;
        const Half* left = a.a + blockIdx.z * a.a_group;
        for (int chunk = threadIdx.x; chunk < BM * CHUNKS; chunk += THREADS) {
            const int r = chunk / CHUNKS;
            const int k = k0 + chunk % CHUNKS * 8;
            const int row = blockIdx.y * BM + r;
            const bool valid = row < a.rows && k < a.depth;
            const Half* from = left;
            if (valid) {
                const int place = a.gap ? row + a.gap * a.row_item[row] : row;
                from += static_cast<size_t>(place) * a.a_stride + k;
            }
            copy_async(stage + r * PITCH + chunk % CHUNKS * 8, from, valid);
        }
        const Half* right = a.weight + static_cast<size_t>(blockIdx.z) * a.columns * a.depth;
        for (int chunk = threadIdx.x; chunk < BN * CHUNKS; chunk += THREADS) {
            const int c = chunk / CHUNKS;
            const int k = k0 + chunk % CHUNKS * 8;
            const int column = blockIdx.x * BN + c;
            const bool valid = column < a.columns && k < a.depth;
            const Half* from = valid ? right + static_cast<size_t>(column) * a.depth + k : right;
            copy_async(stage + (BM + c) * PITCH + chunk % CHUNKS * 8, from, valid);
        }
    }

    static DEVICE_METHOD void compute_stage(
        const Half* stage, float (&sums)[TILES_M][TILES_N][4], int warp_m, int warp_n) {
        const int lane = threadIdx.x % 32;
        const Half* left = stage + (warp_m * WM + lane % 16) * PITCH + lane / 16 * 8;
        const Half* right = stage + (BM + warp_n * WN + lane % 8 + lane / 16 * 8) * PITCH + lane / 8 % 2 * 8;
#pragma unroll
        for (int k = 0; k < BK; k += 16) {
            unsigned a[TILES_M][4];
#pragma unroll
            for (int i = 0; i < TILES_M; i++) {
                load_matrices(a[i], left + i * 16 * PITCH + k);
            }
#pragma unroll
            for (int j = 0; j < TILES_N; j += 2) {
                unsigned b[4];
                load_matrices(b, right + j * 8 * PITCH + k);
#pragma unroll
                for (int i = 0; i < TILES_M; i++) {
                    multiply_add(sums[i][j], a[i], b[0], b[1]);
                    multiply_add(sums[i][j + 1], a[i], b[2], b[3]);
                }
            }
        }
    }

    // Each warp brings its sums into the order of rows, 16 at a time, through a part of shared memory of its own.
    static DEVICE_METHOD void write(
        const GemmArguments& a, const float (&sums)[TILES_M][TILES_N][4], float* exchange, int warp_m, int warp_n) {
        const int lane = threadIdx.x % 32;
        float* to = exchange + lane / 4 * EXCHANGE_PITCH + lane % 4 * 2;
#pragma unroll
        for (int i = 0; i < TILES_M; i++) {
            synchronize_warp();
#pragma unroll
            for (int j = 0; j < TILES_N; j++) {
                *reinterpret_cast<float2*>(to + j * 8) = make_float2(sums[i][j][0], sums[i][j][1]);
                *reinterpret_cast<float2*>(to + 8 * EXCHANGE_PITCH + j * 8) = make_float2(sums[i][j][2], sums[i][j][3]);
            }
            synchronize_warp();
            write_rows(a, exchange, blockIdx.y * BM + warp_m * WM + i * 16, blockIdx.x * BN + warp_n * WN);
        }
    }

    // Finishes 16 rows of a warp's columns.
    static DEVICE_METHOD void write_rows(const GemmArguments& a, const float* exchange, int first_row, int first_column) {
        const int group_column = blockIdx.z * a.columns;
        const bool paired = a.columns % 2 == 0;
#pragma unroll 1
        for (int pair = threadIdx.x % 32; pair < 16 * WN / 2; pair += 32) {
            const int r = pair / (WN / 2);
            const int c = pair % (WN / 2) * 2;
            const int row = first_row + r;
            const int column = first_column + c;
            if (row >= a.rows || column >= a.columns) {
                continue;
            }
            const float2 y = *reinterpret_cast<const float2*>(exchange + r * EXCHANGE_PITCH + c);
            if (paired) {
                finish_pair(a.finish, y.x, y.y, row, group_column + column);
                continue;
            }
            finish(a.finish, y.x, row, group_column + column);
            if (column + 1 < a.columns) {
                finish(a.finish, y.y, row, group_column + column + 1);
            }
        }
    }

    static DEVICE_METHOD void run(const GemmArguments& a) {
        SHARED_MEMORY(shared);
        Half* stages = reinterpret_cast<Half*>(shared);
        const int warp = threadIdx.x / 32;
        const int warp_m = warp / WARPS_N;
        const int warp_n = warp % WARPS_N;
        float sums[TILES_M][TILES_N][4] = {};
        const int tiles = (a.depth + BK - 1) / BK;
        for (int tile = 0; tile < STAGES - 1; tile++) {
            if (tile < tiles) {
                load_stage(a, stages + tile * STAGE, tile * BK);
            }
            commit_copies();
        }
        for (int tile = 0; tile < tiles; tile++) {
            await_copies<STAGES - 2>();
            // After this, all have their part of this tile, and nobody reads the one before it any more.
            synchronize_block();
            const int ahead = tile + STAGES - 1;
            if (ahead < tiles) {
                load_stage(a, stages + ahead % STAGES * STAGE, ahead * BK);
            }
            commit_copies();
            compute_stage(stages + tile % STAGES * STAGE, sums, warp_m, warp_n);
        }
        // The tiles are not read any more.
        synchronize_block();
        float* exchange = reinterpret_cast<float*>(shared) + warp * 16 * EXCHANGE_PITCH;
        write(a, sums, exchange, warp_m, warp_n);
    }
};

typedef Gemm<128, 128, 2, 4, 3> GemmLarge;
typedef Gemm<64, 64, 2, 2, 3> GemmSmall;
static_assert(GemmLarge::SHARED_BYTES == 61440 && GemmLarge::THREADS == 256, "as `launch.rs` has it");
static_assert(GemmSmall::SHARED_BYTES == 30720 && GemmSmall::THREADS == 128, "as `launch.rs` has it");

KERNEL(gemm_large, GemmArguments, 256) { GemmLarge::run(a); }
CROWDED_KERNEL(gemm_small, GemmArguments, 128, 5) { GemmSmall::run(a); }

struct CombineArguments {
    Matrix product;
    Finish finish;
    int rows;
};

// What the product of another library lacks: the finish. blockIdx is (row, columns).
KERNEL(combine, CombineArguments, 256) {
    const int columns = a.product.columns;
    const int row = blockIdx.x;
    const int column = (blockIdx.y * 256 + threadIdx.x) * 2;
    if (row >= a.rows || column >= columns) {
        return;
    }
    const float first = load(a.product, row, column);
    if (columns % 2 == 0) {
        finish_pair(a.finish, first, load(a.product, row, column + 1), row, column);
    } else {
        finish(a.finish, first, row, column);
        if (column + 1 < columns) {
            finish(a.finish, load(a.product, row, column + 1), row, column + 1);
        }
    }
}
