#include "tensor/kernels.h"

// The table of kernels. TK_HAS_CUDA is set for this file and backend.cpp alone.
namespace tk {

#define TK_KERNEL_CPU(name, ...) const Kernel<void(__VA_ARGS__)> name##_kernel{#name, &cpu::name, nullptr};
#if TK_HAS_CUDA
#define TK_KERNEL(name, ...) const Kernel<void(__VA_ARGS__)> name##_kernel{#name, &cpu::name, &cuda::name};
#define TK_KERNEL_CUDA(name, ...) const Kernel<void(__VA_ARGS__)> name##_kernel{#name, nullptr, &cuda::name};
#else
#define TK_KERNEL_CUDA(name, ...) const Kernel<void(__VA_ARGS__)> name##_kernel{#name, nullptr, nullptr};
#define TK_KERNEL(name, ...) TK_KERNEL_CPU(name, __VA_ARGS__)
#endif

#include "tensor/kernel_list.inc"

}  // namespace tk
