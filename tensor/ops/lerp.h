#pragma once

#include "tensor/kernel_arguments.h"

namespace tk {

/// a + weight (b - a) of each row, computed as (1 - weight) a + weight b, which is a at 0 and b at 1. a, b [rows,
/// cols]; weight [rows] of their row_dtype.
Tensor lerp_rows(const Tensor& a, const Tensor& b, const Tensor& weight);

/// Sums that the backward makes where they are wanted: da = (1 - weight) dy, db = weight dy, dweight = sum(dy (b - a)).
struct LerpTargets {
  SumTarget da;
  SumTarget db;
  SumTarget dweight;
};
void lerp_rows_backward(const LerpTargets& to, const Tensor& dy, const Tensor& a, const Tensor& b,
                        const Tensor& weight);

}  // namespace tk
