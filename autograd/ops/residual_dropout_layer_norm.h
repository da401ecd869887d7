#pragma once

#include "autograd/variable.h"
#include "tensor/kernel_arguments.h"

namespace tk {

/// layer_norm(residual + scale * dropout(x + bias)): see tensor/ops/residual_dropout_layer_norm.h. scale [rows] and
/// bias [cols] may be undefined.
Variable residual_dropout_layer_norm(const Variable& x, const Variable& bias, const Variable& residual,
                                     const Variable& scale, const Variable& gamma, const Variable& beta, double epsilon,
                                     const DropoutKey& key);

/// The same from single ops: the fused one's oracle.
Variable residual_dropout_layer_norm_composed(const Variable& x, const Variable& bias, const Variable& residual,
                                              const Variable& scale, const Variable& gamma, const Variable& beta,
                                              double epsilon, const DropoutKey& key);

}  // namespace tk
