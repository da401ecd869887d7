#pragma once

#include <optional>

#include "tensor/activation.h"
#include "tensor/packed_weight.h"
#include "tensor/tensor.h"

namespace tk {

/// a [m, k] @ b [k, n], or their transposes as stored when the flags say so. Rank 3 multiplies batch by batch.
Tensor matmul(const Tensor& a, const Tensor& b, bool transpose_a = false, bool transpose_b = false);
/// The same into y (rank 2), or added to it: how a weight's gradient is accumulated by the product itself. The product
/// of bfloat16 matrices may go to a float32 y.
void matmul_into(const Tensor& y, bool add, const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b);
/// x [n, in] @ w [out, in]^T + bias [out]; bias may be undefined.
Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias);
/// The same bits with a weight that is packed already: float32 on the CPU; those of bias_activation after it with an
/// activation, which needs a bias. Throws unless w.serves().
Tensor linear(const Tensor& x, const PackedWeight& w, const Tensor& bias, std::optional<Activation> activation = {});
/// The same of rows x that are rounded to int8, each by its own scale max |x| / 127, and an int8 weight: float32 on the
/// CPU, with the same bits on every instruction set, through an activation if one is given. A row with a NaN or an
/// infinity makes a row of NaN.
Tensor linear(const Tensor& x, const PackedInt8Weight& w, const Tensor& bias,
              std::optional<Activation> activation = {});

}  // namespace tk
