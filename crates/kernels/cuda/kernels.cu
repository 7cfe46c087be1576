// All kernels, in one module. Their launches are in `src/cuda/`; each structure of arguments has its twin in
// `src/cuda/arguments.rs`.

#include "attention.cuh"
#include "conv.cuh"
#include "elementwise.cuh"
#include "gemm.cuh"
#include "istft.cuh"
#include "norm.cuh"
