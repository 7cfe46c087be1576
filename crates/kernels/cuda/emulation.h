// CUDA on a CPU, for tests: every thread of a block is a fiber, so that barriers and the instructions of a whole warp
// do what they do on a GPU. Memory that nobody wrote is not a number, and asynchronous copies arrive only when waited
// for: what a GPU would punish now and then fails here every time.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

struct Dim3 {
    unsigned x;
    unsigned y;
    unsigned z;
};

struct float2 {
    float x;
    float y;
} __attribute__((aligned(8)));

inline float2 make_float2(float x, float y) { return float2{x, y}; }

// A number in half precision, as its bits.
struct Half {
    uint16_t bits;
};

namespace emulation {

extern thread_local Dim3 thread_index;
extern thread_local Dim3 block_index;

typedef void (*Body)(const void* arguments);

struct Registration {
    Registration(const char* name, size_t argument_bytes, unsigned threads, Body body);
};

unsigned char* shared();
void synchronize_block();
void synchronize_warp();
float shuffle_xor(float x, int mask);
void copy_async(void* to, const void* from, bool valid);
void commit_copies();
void await_copies(int pending);
void load_matrices(unsigned (&to)[4], const Half* row, bool transposed);
void multiply_add(float (&sum)[4], const unsigned (&a)[4], unsigned b0, unsigned b1);
float to_float(Half x);
Half to_half(float x);

}  // namespace emulation

#define DEVICE static inline
#define DEVICE_METHOD inline
#define threadIdx (::emulation::thread_index)
#define blockIdx (::emulation::block_index)
#define KERNEL(name, Arguments, threads)                                                      \
    static void name(const Arguments& a);                                                     \
    static const ::emulation::Registration register_##name(                                   \
        #name, sizeof(Arguments), threads,                                                    \
        [](const void* arguments) { name(*static_cast<const Arguments*>(arguments)); });      \
    static void name(const Arguments& a)
#define CROWDED_KERNEL(name, Arguments, threads, blocks) KERNEL(name, Arguments, threads)
#define SHARED_MEMORY(name) unsigned char* name = ::emulation::shared()

DEVICE float to_float(Half x) { return emulation::to_float(x); }
DEVICE Half to_half(float x) { return emulation::to_half(x); }
DEVICE float power_of_two(float x) { return x < -126.0f ? 0.0f : std::exp2(x); }
DEVICE unsigned pack(float low, float high) {
    return to_half(low).bits | static_cast<unsigned>(to_half(high).bits) << 16;
}
DEVICE void synchronize_block() { emulation::synchronize_block(); }
DEVICE void synchronize_warp() { emulation::synchronize_warp(); }
DEVICE float shuffle_xor(float x, int mask) { return emulation::shuffle_xor(x, mask); }
DEVICE void copy_async(void* to, const void* from, bool valid) { emulation::copy_async(to, from, valid); }
DEVICE void commit_copies() { emulation::commit_copies(); }
template <int pending>
DEVICE void await_copies() {
    emulation::await_copies(pending);
}
DEVICE void load_matrices(unsigned (&to)[4], const Half* row) { emulation::load_matrices(to, row, false); }
DEVICE void load_matrices_transposed(unsigned (&to)[4], const Half* row) { emulation::load_matrices(to, row, true); }
DEVICE void multiply_add(float (&sum)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    emulation::multiply_add(sum, a, b0, b1);
}
