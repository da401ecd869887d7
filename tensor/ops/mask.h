#pragma once

#include "tensor/tensor.h"

namespace tk {

/// `value` where the bool mask, broadcast, is true, else x.
Tensor masked_fill(const Tensor& x, const Tensor& mask, double value);

/// [rows, cols] bool: true on and above the diagonal that lies k to the right of the main one (to the left if
/// negative).
Tensor upper_triangle(std::int64_t rows, std::int64_t cols, std::int64_t k = 0, Device device = Device::kCpu);
/// The matrices of the last two dimensions with zeros below diagonal k, or above it.
Tensor triu(const Tensor& x, std::int64_t k = 0);
Tensor tril(const Tensor& x, std::int64_t k = 0);

/// The identity matrix.
Tensor eye(std::int64_t n, DType dtype = DType::kFloat32, Device device = Device::kCpu);
/// [..., classes] from labels [...] int32 or int64: 1 at the label, else 0; a label that is no class has zeros alone.
Tensor one_hot(const Tensor& labels, std::int64_t classes, DType dtype = DType::kFloat32);

}  // namespace tk
