#pragma once

#include "tensor/kernel_arguments.h"

namespace tk {

/// The end of a half of an encoder layer in evaluation, float32 on the CPU, by packed weights: with r = rows[i], or i
/// without `rows`,
///
///     y[r] = LN(x[r] + (last input[i] + bias))              where the branch is one product,
///     y[r] = LN(x[r] + (last f(inner x[r] + b) + bias))     where it has two, and no input.
///
/// x, y [n, hidden], and y may be x; rows int32, none of them twice, and -1 names none. The bits of linear,
/// bias_activation and residual_dropout_layer_norm. Other rows of y stay. Throws on a row out of range.
void residual_branch_into(const Tensor& y, const Tensor& x, const Tensor& rows, const Tensor& input,
                          const ResidualBranch& branch);

}  // namespace tk
