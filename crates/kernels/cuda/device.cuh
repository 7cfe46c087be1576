// What the kernels need of CUDA. `emulation.h` has the same for a CPU, so that each kernel can be tested where
// there is no GPU.
#pragma once

#ifdef F5TTS_EMULATION
#include "emulation.h"
#else

#include <cuda_fp16.h>
#include <math_constants.h>

typedef __half Half;

#define DEVICE static __device__ __forceinline__
#define DEVICE_METHOD __device__ __forceinline__
// A kernel takes one structure, so that launching is the same for all.
#define KERNEL(name, Arguments, threads) \
    extern "C" __global__ void __launch_bounds__(threads) name(const __grid_constant__ Arguments a)
// The same with so few registers that `blocks` blocks fit on a multiprocessor.
#define CROWDED_KERNEL(name, Arguments, threads, blocks) \
    extern "C" __global__ void __launch_bounds__(threads, blocks) name(const __grid_constant__ Arguments a)
#define SHARED_MEMORY(name) unsigned char* name = shared_memory

extern __shared__ __align__(16) unsigned char shared_memory[];

DEVICE float to_float(Half x) { return __half2float(x); }
DEVICE Half to_half(float x) { return __float2half_rn(x); }

// 2ˣ within 2 units of the last place, in one instruction; zero where that is less than a normal number.
DEVICE float power_of_two(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

// Two halves in one register, the first in the low bits.
DEVICE unsigned pack(float low, float high) {
    const __half2 pair = __floats2half2_rn(low, high);
    return *reinterpret_cast<const unsigned*>(&pair);
}

DEVICE void synchronize_block() { __syncthreads(); }

DEVICE void synchronize_warp() { __syncwarp(); }

DEVICE float shuffle_xor(float x, int mask) { return __shfl_xor_sync(0xffffffffu, x, mask); }

// Copies 16 bytes from global to shared memory, later; zeros if not `valid`. `from` must be an address in any case.
DEVICE void copy_async(void* to, const void* from, bool valid) {
    const unsigned shared = static_cast<unsigned>(__cvta_generic_to_shared(to));
    const int bytes = valid ? 16 : 0;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared), "l"(from), "r"(bytes) : "memory");
}

DEVICE void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Waits until at most `pending` of the committed groups are still under way.
template <int pending>
DEVICE void await_copies() {
    asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
}

// Loads four 8×8 matrices of halves; lane l gives the address of row l % 8 of matrix l / 8.
DEVICE void load_matrices(unsigned (&to)[4], const Half* row) {
    const unsigned shared = static_cast<unsigned>(__cvta_generic_to_shared(row));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(shared)
                 : "memory");
}

DEVICE void load_matrices_transposed(unsigned (&to)[4], const Half* row) {
    const unsigned shared = static_cast<unsigned>(__cvta_generic_to_shared(row));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(shared)
                 : "memory");
}

// sum += a·b for a 16×16, b 16×8, in the layout of PTX's mma.m16n8k16.
DEVICE void multiply_add(float (&sum)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

#endif
