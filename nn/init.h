#pragma once

#include <cstdint>

#include "tensor/tensor.h"

namespace tk {

/// What a module's parameters begin with: the distribution that PyTorch's module of that name has, or zeros, where
/// whoever makes the module then loads or draws all of them; kInt8Zeros: a weight of int8 (Parameter::int8).
enum class Init : std::uint8_t { kDefault, kZeros, kInt8Zeros };

/// Modules that this thread makes from here on begin with numbers of `seed`, each parameter with others; without a call
/// it is 0. The same calls and modules in the same order are the same numbers.
void manual_seed(std::uint64_t seed);

// The thread's next numbers.
/// Uniform in (-bound, bound).
void init_uniform(const Tensor& x, double bound);
/// Normal around 0.
void init_normal(const Tensor& x, double deviation);

}  // namespace tk
