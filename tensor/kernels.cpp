#include "tensor/kernels.h"

// The table of kernels: a column a device. TK_HAS_CUDA is set for this file and backend.cpp alone.
namespace tk {

#if TK_HAS_CUDA
#define TK_OF_CUDA(name) &cuda::name
#else
#define TK_OF_CUDA(name) nullptr
#endif
#define TK_ROW(name, of_cpu, of_cuda, ...) \
  constinit const Kernel<void(__VA_ARGS__)> name##_kernel{#name, {of_cpu, of_cuda}};
#define TK_KERNEL(name, ...) TK_ROW(name, &cpu::name, TK_OF_CUDA(name), __VA_ARGS__)
#define TK_KERNEL_CPU(name, ...) TK_ROW(name, &cpu::name, nullptr, __VA_ARGS__)
#define TK_KERNEL_CUDA(name, ...) TK_ROW(name, nullptr, TK_OF_CUDA(name), __VA_ARGS__)

#include "tensor/kernel_list.inc"

}  // namespace tk
