#pragma once

#include <optional>
#include <type_traits>

#include "tensor/activation.h"
#include "tensor/binary_ops.h"
#include "tensor/compare_ops.h"
#include "tensor/gate_rule.h"
#include "tensor/kernel_arguments.h"
#include "tensor/mac_coefficients.h"
#include "tensor/profile.h"
#include "tensor/tensor.h"
#include "tensor/threads.h"
#include "tensor/unary_ops.h"

namespace tk {

/// Calls f(tensor) for every tensor of a kernel's argument: itself, or those that it names by a member of this name.
template <class Argument, class F>
void for_each_tensor(const Argument& argument, F&& f) {
  if constexpr (std::is_same_v<Argument, Tensor>) {
    f(argument);
  } else if constexpr (requires { argument.for_each_tensor(f); }) {
    argument.for_each_tensor(f);
  } else {
    static_assert(std::is_trivially_copyable_v<Argument>, "what holds tensors names them by for_each_tensor");
  }
}

/// Throws if a tensor among the arguments lies on another device.
template <class Argument>
void check_device(const char* op, Device device, const Argument& argument) {
  for_each_tensor(argument, [&](const Tensor& tensor) {
    TK_CHECK(!tensor.defined() || tensor.device() == device, op, ": tensors on ", device, " and on ", tensor.device());
  });
}

/// What messages call a kernel: the function that its op names, if it takes one.
template <class... Args>
const char* op_name(const char* kernel, const Args&... args) {
  const auto look = [&](const auto& argument) {
    if constexpr (requires { tk::name(argument); }) kernel = tk::name(argument);
  };
  (look(args), ...);
  return kernel;
}

/// Whether a kernel writes an argument that it declares as Arg.
template <class Arg>
inline constexpr bool is_output = std::is_same_v<Arg, Tensor&> || std::is_same_v<Arg, const SumTarget&> ||
                                  std::is_same_v<Arg, const ChosenRows&> || std::is_same_v<Arg, const MaskTargets&>;

/// Counts the write to an output that is given.
template <class Arg>
void bump_if_output(const std::remove_reference_t<Arg>& argument) {
  if constexpr (is_output<Arg>) {
    for_each_tensor(argument, [](const Tensor& output) {
      if (output.defined()) output.bump_version();
    });
  }
}

template <class Signature>
struct Kernel;

/// One row of the table: the kernel's name and its function for each device (null where a backend has none). A call
/// checks that all its tensors lie on the device, and counts a write to each output.
template <class... Args>
struct Kernel<void(Args...)> {
  using Function = void (*)(Args...);
  const char* name;
  PerDevice<Function> functions;

  void operator()(Device device, Args... args) const {
    const char* const op = op_name(name, args...);
    (check_device(op, device, args), ...);
    const Function function = functions[device];
    TK_CHECK(function != nullptr, op, ": no kernel for device ", device);
    (bump_if_output<Args>(args), ...);  // before: one that throws may have written some
    adopt_num_threads();
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
