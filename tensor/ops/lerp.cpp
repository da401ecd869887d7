#include "tensor/ops/lerp.h"

#include "tensor/kernels.h"
#include "tensor/ops/sum_target.h"

namespace tk {

Tensor lerp_rows(const Tensor& a, const Tensor& b, const Tensor& weight) {
  TK_CHECK(a.rank() == 2 && b.shape() == a.shape() && b.dtype() == a.dtype(), "lerp_rows: expected two tensors of ",
           "rows, got ", a.dtype(), ' ', a.shape(), " and ", b.dtype(), ' ', b.shape());
  TK_CHECK(weight.shape() == Shape{a.size(0)} && weight.dtype() == row_dtype(a.dtype()), "lerp_rows: expected ",
           a.size(0), " weights of ", row_dtype(a.dtype()), ", got ", weight.dtype(), ' ', weight.shape());
  Tensor y = empty_like(a);
  lerp_rows_kernel(a.device(), y, a.contiguous(), b.contiguous(), weight.contiguous());
  return y;
}

void lerp_rows_backward(const LerpTargets& to, const Tensor& dy, const Tensor& a, const Tensor& b,
                        const Tensor& weight) {
  check_target("lerp_rows", to.da, a);
  check_target("lerp_rows", to.db, b);
  check_target("lerp_rows", to.dweight, weight);
  lerp_rows_backward_kernel(dy.device(), to.da, to.db, to.dweight, dy.contiguous(), a.contiguous(), b.contiguous(),
                            weight.contiguous());
}

}  // namespace tk
