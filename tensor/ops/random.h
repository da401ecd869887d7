#pragma once

#include "tensor/kernel_arguments.h"

namespace tk {

/// The name of random numbers: what has the same name and shape has the same numbers, on every device and for any
/// number of threads. Different steps, or streams, are different numbers.
struct Draw {
  std::uint64_t seed = 0;
  std::int64_t step = 0;
  Stream stream = {};
  Tensor state = {};  ///< step_state: if given, seed and step are read there, so that a recorded step draws anew
};

/// The random numbers of a tensor on a device: a row for each of its rows, the last dimension. p is dropout's rate.
DropoutKey key_of(const Draw& draw, const Shape& shape, Device device, double p = 0);

/// Uniform numbers in (0, 1), neither of which comes out.
Tensor rand(const Shape& shape, const Draw& draw, DType dtype = DType::kFloat32, Device device = Device::kCpu);
/// Standard normal numbers, by Box-Muller.
Tensor randn(const Shape& shape, const Draw& draw, DType dtype = DType::kFloat32, Device device = Device::kCpu);
/// Standard Gumbel noise -log(-log u).
Tensor gumbel_noise(const Shape& shape, const Draw& draw, DType dtype = DType::kFloat32, Device device = Device::kCpu);
/// Logistic noise log u - log(1 - u).
Tensor logistic_noise(const Shape& shape, const Draw& draw, DType dtype = DType::kFloat32,
                      Device device = Device::kCpu);

/// n classes for each row of weights [..., classes] >= 0, which need not sum to 1: [..., n] int64. Each drawn anew, or
/// with `distinct` without replacement (n is then at most the number of classes that have a weight). By Gumbel's
/// maximum: the largest of log(weight) + noise.
Tensor multinomial(const Tensor& weights, std::int64_t n, const Draw& draw, bool distinct = false);

}  // namespace tk
