#pragma once

#include <type_traits>

#include "tensor/binary_ops.h"
#include "tensor/kernel_arguments.h"
#include "tensor/profile.h"
#include "tensor/step_state.h"
#include "tensor/tensor.h"
#include "tensor/unary_ops.h"

namespace tk {

/// Throws if a tensor among the arguments lies on another device.
template <class Argument>
void check_device(const char* kernel, Device device, const Argument& argument) {
  if constexpr (std::is_same_v<Argument, Tensor>) {
    TK_CHECK(!argument.defined() || argument.device() == device, kernel, ": tensors on ", device, " and on ",
             argument.device());
  } else if constexpr (std::is_same_v<Argument, SumTarget>) {
    check_device(kernel, device, argument.out);
  }
}

template <class Signature>
struct Kernel;

/// One row of the table: the kernel's name and its function for each backend (null where a backend has none).
template <class... Args>
struct Kernel<void(Args...)> {
  using Function = void (*)(Args...);
  const char* name;
  Function cpu;
  Function cuda;

  void operator()(Device device, Args... args) const {
    const Function function = device == Device::kCpu ? cpu : cuda;
    TK_CHECK(function != nullptr, name, ": no kernel for device ", device);
    (check_device(name, device, args), ...);
    const KernelTimer timer(name, device);
    function(args...);
  }
};

// Symbols are strong, so a missing or drifted kernel is a link error.
#define TK_KERNEL_CPU(name, ...) \
  namespace cpu {                \
  void name(__VA_ARGS__);        \
  }                              \
  extern const Kernel<void(__VA_ARGS__)> name##_kernel;
#define TK_KERNEL_CUDA(name, ...) \
  namespace cuda {                \
  void name(__VA_ARGS__);         \
  }                               \
  extern const Kernel<void(__VA_ARGS__)> name##_kernel;
#define TK_KERNEL(name, ...) \
  namespace cuda {           \
  void name(__VA_ARGS__);    \
  }                          \
  TK_KERNEL_CPU(name, __VA_ARGS__)

#include "tensor/kernel_list.inc"

#undef TK_KERNEL
#undef TK_KERNEL_CPU
#undef TK_KERNEL_CUDA

}  // namespace tk
