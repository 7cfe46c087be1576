// The emulation's scheduler and the instructions that a warp executes together.

// Its check of longjmp() takes a jump to another stack for a mistake.
#undef _FORTIFY_SOURCE

#define F5TTS_EMULATION
#include "kernels.cu"

#include <setjmp.h>
#include <ucontext.h>

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace emulation {

thread_local Dim3 thread_index;
thread_local Dim3 block_index;

namespace {

constexpr size_t STACK_BYTES = 64 * 1024;
constexpr unsigned WARP = 32;

struct Kernel {
    size_t argument_bytes;
    unsigned threads;
    Body body;
};

std::map<std::string, Kernel>& kernels() {
    static std::map<std::string, Kernel> all;
    return all;
}

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "CUDA emulation: %s, block (%u, %u, %u), thread %u\n", what, block_index.x, block_index.y,
                 block_index.z, thread_index.x);
    std::abort();
}

struct Copy {
    void* to;
    const void* from;
    bool valid;
};

// Where a stack goes on.
struct Context {
    ucontext_t begin;
    jmp_buf place;
    bool begun = false;
};

// Threads that wait for each other.
struct Barrier {
    unsigned arrived = 0;
    unsigned generation = 0;
    const char* instruction = nullptr;
};

// A CUDA thread, which is used again by the next block.
struct Fiber {
    Context context;
    unsigned char stack[STACK_BYTES];
    bool done = true;
    // What it waits for, if anything, and since when.
    const Barrier* barrier = nullptr;
    unsigned generation = 0;
    std::vector<Copy> open_copies;
    std::deque<std::vector<Copy>> groups;
};

// What each lane of a warp brings to an instruction and takes from it.
struct Warp {
    Barrier barrier;
    union Lane {
        float number;
        const Half* row;
        struct {
            unsigned a[4];
            unsigned b[2];
            float sum[4];
        } product;
        unsigned registers[4];
    } in[WARP], out[WARP];
};

struct Block {
    unsigned threads = 0;
    std::vector<Warp> warps;
    Barrier barrier;
    std::unique_ptr<unsigned char[]> shared;
    unsigned running = 0;
    Context scheduler;
    Body body = nullptr;
    const void* arguments = nullptr;
};

thread_local Block* block = nullptr;
thread_local std::vector<std::unique_ptr<Fiber>> fibers;

// Which of the threads that can run runs first: a missing barrier shows in one order or the other.
bool backwards() {
    static const char* order = std::getenv("F5TTS_EMULATION_ORDER");
    return order && std::string(order) == "backwards";
}

void switch_context(Context& from, Context& to, const void* bottom, size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
    void* fake = nullptr;
    __sanitizer_start_switch_fiber(&fake, bottom, bytes);
    swapcontext(&from.begin, &to.begin);
    __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#else
    (void)bottom;
    (void)bytes;
    // swapcontext() would do it, but with a system call for the mask of signals.
    from.begun = true;
    if (_setjmp(from.place) == 0) {
        if (to.begun) {
            _longjmp(to.place, 1);
        }
        to.begun = true;
        setcontext(&to.begin);
    }
#endif
}

#if defined(__SANITIZE_ADDRESS__)
thread_local const void* scheduler_bottom = nullptr;
thread_local size_t scheduler_bytes = 0;
#else
constexpr const void* scheduler_bottom = nullptr;
constexpr size_t scheduler_bytes = 0;
#endif

void yield() {
    const unsigned me = block->running;
    switch_context(fibers[me]->context, block->scheduler, scheduler_bottom, scheduler_bytes);
    block->running = me;
    thread_index = Dim3{me, 0, 0};
}

void fiber_main() {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(nullptr, &scheduler_bottom, &scheduler_bytes);
#endif
    for (;;) {
        block->body(block->arguments);
        fibers[block->running]->done = true;
        yield();
    }
}

// Waits for all `count` threads; the last to come does `work`.
template <typename Work>
void meet(Barrier& barrier, unsigned count, const char* instruction, Work work) {
    if (barrier.arrived == 0) {
        barrier.instruction = instruction;
    } else if (barrier.instruction != instruction) {
        fail("threads of a warp or block met at different instructions");
    }
    if (++barrier.arrived == count) {
        work();
        barrier.arrived = 0;
        barrier.generation++;
        return;
    }
    Fiber& fiber = *fibers[thread_index.x];
    fiber.barrier = &barrier;
    fiber.generation = barrier.generation;
    yield();
}

Warp& warp() { return block->warps[thread_index.x / WARP]; }

template <typename Work>
void meet_warp(const char* instruction, Work work) {
    meet(warp().barrier, WARP, instruction, work);
}

void run_block() {
    for (unsigned index = 0; index < block->threads; index++) {
        fibers[index]->done = false;
    }
    unsigned left = block->threads;
    // Every round lets each thread that can run do so to its next wait.
    while (left > 0) {
        bool waiting = true;
        for (unsigned turn = 0; turn < block->threads; turn++) {
            const unsigned index = backwards() ? block->threads - 1 - turn : turn;
            Fiber& fiber = *fibers[index];
            if (fiber.done || (fiber.barrier && fiber.barrier->generation == fiber.generation)) {
                continue;
            }
            waiting = false;
            fiber.barrier = nullptr;
            block->running = index;
            thread_index = Dim3{index, 0, 0};
            switch_context(block->scheduler, fiber.context, fiber.stack, STACK_BYTES);
            if (fiber.done) {
                left--;
                if (!fiber.open_copies.empty()) {
                    fail("a copy was never committed");
                }
                fiber.groups.clear();
            }
        }
        if (waiting) {
            fail("threads wait for each other for ever");
        }
    }
    if (block->barrier.arrived != 0) {
        fail("a thread ended while others wait for it");
    }
}

}  // namespace

Registration::Registration(const char* name, size_t argument_bytes, unsigned threads, Body body) {
    kernels()[name] = Kernel{argument_bytes, threads, body};
}

unsigned char* shared() { return block->shared.get(); }

void synchronize_block() {
    meet(block->barrier, block->threads, "synchronize_block", [] {});
}

void synchronize_warp() {
    meet_warp("synchronize_warp", [] {});
}

float shuffle_xor(float x, int mask) {
    Warp& all = warp();
    const unsigned lane = thread_index.x % WARP;
    all.in[lane].number = x;
    meet_warp("shuffle_xor", [&] {
        for (unsigned index = 0; index < WARP; index++) {
            all.out[index].number = all.in[index ^ static_cast<unsigned>(mask)].number;
        }
    });
    return all.out[lane].number;
}

void copy_async(void* to, const void* from, bool valid) {
    const auto address = reinterpret_cast<uintptr_t>(to) | reinterpret_cast<uintptr_t>(from);
    if (address % 16 != 0) {
        fail("an asynchronous copy is not aligned to 16 bytes");
    }
    fibers[thread_index.x]->open_copies.push_back(Copy{to, from, valid});
}

void commit_copies() {
    Fiber& fiber = *fibers[thread_index.x];
    fiber.groups.push_back(std::move(fiber.open_copies));
    fiber.open_copies.clear();
}

void await_copies(int pending) {
    auto& groups = fibers[thread_index.x]->groups;
    while (groups.size() > static_cast<size_t>(pending)) {
        for (const Copy& copy : groups.front()) {
            if (copy.valid) {
                std::memcpy(copy.to, copy.from, 16);
            } else {
                std::memset(copy.to, 0, 16);
            }
        }
        groups.pop_front();
    }
}

void load_matrices(unsigned (&to)[4], const Half* row, bool transposed) {
    if (reinterpret_cast<uintptr_t>(row) % 16 != 0) {
        fail("a row of a matrix is not aligned to 16 bytes");
    }
    Warp& all = warp();
    const unsigned lane = thread_index.x % WARP;
    all.in[lane].row = row;
    meet_warp(transposed ? "load_matrices_transposed" : "load_matrices", [&] {
        for (unsigned index = 0; index < WARP; index++) {
            for (unsigned matrix = 0; matrix < 4; matrix++) {
                const unsigned r = index / 4;
                const unsigned c = index % 4 * 2;
                unsigned pair = 0;
                for (unsigned element = 0; element < 2; element++) {
                    const Half value = transposed ? all.in[matrix * 8 + c + element].row[r]
                                                  : all.in[matrix * 8 + r].row[c + element];
                    pair |= static_cast<unsigned>(value.bits) << (16 * element);
                }
                all.out[index].registers[matrix] = pair;
            }
        }
    });
    std::memcpy(to, all.out[lane].registers, sizeof(to));
}

namespace {

float half_of(unsigned pair, unsigned element) {
    return emulation::to_float(Half{static_cast<uint16_t>(pair >> (16 * element))});
}

// In the layout that the manual of PTX draws for mma.m16n8k16 with 16-bit floating-point numbers.
void multiply_warp(Warp& all) {
    float a[16][16];
    float b[16][8];
    for (unsigned lane = 0; lane < WARP; lane++) {
        const unsigned group = lane / 4;
        const unsigned in_group = lane % 4;
        for (unsigned i = 0; i < 8; i++) {
            const unsigned row = (i < 2 || (i >= 4 && i < 6)) ? group : group + 8;
            const unsigned column = in_group * 2 + (i & 1) + (i >= 4 ? 8 : 0);
            a[row][column] = half_of(all.in[lane].product.a[i / 2], i & 1);
        }
        for (unsigned i = 0; i < 4; i++) {
            const unsigned row = in_group * 2 + (i & 1) + (i >= 2 ? 8 : 0);
            b[row][group] = half_of(all.in[lane].product.b[i / 2], i & 1);
        }
    }
    float sums[16][8];
    const auto each = [&](auto task) {
        for (unsigned lane = 0; lane < WARP; lane++) {
            for (unsigned i = 0; i < 4; i++) {
                task(lane, i, sums[lane / 4 + (i >= 2 ? 8 : 0)][lane % 4 * 2 + (i & 1)]);
            }
        }
    };
    each([&](unsigned lane, unsigned i, float& sum) { sum = all.in[lane].product.sum[i]; });
    for (unsigned row = 0; row < 16; row++) {
        for (unsigned k = 0; k < 16; k++) {
            for (unsigned column = 0; column < 8; column++) {
                sums[row][column] += a[row][k] * b[k][column];
            }
        }
    }
    each([&](unsigned lane, unsigned i, float& sum) { all.out[lane].product.sum[i] = sum; });
}

}  // namespace

void multiply_add(float (&sum)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    Warp& all = warp();
    auto& in = all.in[thread_index.x % WARP].product;
    std::memcpy(in.a, a, sizeof(a));
    in.b[0] = b0;
    in.b[1] = b1;
    std::memcpy(in.sum, sum, sizeof(sum));
    meet_warp("multiply_add", [&] { multiply_warp(all); });
    std::memcpy(sum, all.out[thread_index.x % WARP].product.sum, sizeof(sum));
}

float to_float(Half x) {
    // The fraction in its place, and the exponent by a product, which is right for subnormal numbers, too.
    uint32_t bits = (x.bits & 0x7fffu) << 13;
    const bool finite = bits < 0x0f800000;
    float value;
    std::memcpy(&value, &bits, sizeof(value));
    value *= 0x1p112f;
    if (!finite) {
        value = x.bits & 1023 ? NAN : INFINITY;
    }
    return x.bits & 0x8000 ? -value : value;
}

Half to_half(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof(bits));
    const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
    const float magnitude = std::fabs(x);
    uint16_t rest;
    if (std::isnan(x)) {
        rest = 0x7e00;
    } else if (magnitude >= 65520.0f) {
        rest = 0x7c00;
    } else if (magnitude < 6.103515625e-05f) {
        // The nearest multiple of 2⁻²⁴, ties to even; 1024 of them are the smallest normal number.
        rest = static_cast<uint16_t>(std::nearbyint(std::ldexp(magnitude, 24)));
    } else {
        uint32_t rounded = (bits & 0x7fffffff) + 0xfff + (bits >> 13 & 1);
        rest = static_cast<uint16_t>((rounded >> 13) - (112 << 10));
    }
    return Half{static_cast<uint16_t>(sign | rest)};
}

}  // namespace emulation

// 0: done; 1: no such kernel; 2: the arguments are of another size; 3: the block is.
extern "C" int f5tts_emulation_launch(
    const char* name, const unsigned* grid, unsigned threads, size_t shared_bytes, const void* arguments,
    size_t argument_bytes) {
    using namespace emulation;
    const auto found = kernels().find(name);
    if (found == kernels().end()) {
        return 1;
    }
    if (found->second.argument_bytes != argument_bytes) {
        return 2;
    }
    if (found->second.threads != threads) {
        return 3;
    }
    Block state;
    state.threads = threads;
    while (fibers.size() < threads) {
        fibers.emplace_back(new Fiber);
        Fiber& fiber = *fibers.back();
        ucontext_t& begin = fiber.context.begin;
        getcontext(&begin);
        begin.uc_stack.ss_sp = fiber.stack;
        begin.uc_stack.ss_size = STACK_BYTES;
        begin.uc_link = nullptr;
        makecontext(&begin, fiber_main, 0);
    }
    state.body = found->second.body;
    state.arguments = arguments;
    block = &state;
    for (unsigned z = 0; z < grid[2]; z++) {
        for (unsigned y = 0; y < grid[1]; y++) {
            for (unsigned x = 0; x < grid[0]; x++) {
                block_index = Dim3{x, y, z};
                state.warps.assign((threads + WARP - 1) / WARP, Warp());
                // Exactly as much as was asked for, so that a sanitizer sees what lies beyond. All bits set is not a
                // number in any precision.
                state.shared.reset(new unsigned char[shared_bytes]);
                std::memset(state.shared.get(), 0xff, shared_bytes);
                run_block();
            }
        }
    }
    block = nullptr;
    return 0;
}
