#include "tensor/ops/residual_branch.h"

#include "tensor/kernels.h"
#include "tensor/ops/layer_norm.h"
#include "tensor/ops/row_major.h"

namespace tk {

void residual_branch_into(const Tensor& y, const Tensor& x, const Tensor& rows, const Tensor& input,
                          const ResidualBranch& branch) {
  constexpr const char* kOp = "residual_branch";
  check_layer_norm(kOp, x, branch.norm.gamma, branch.norm.beta);
  TK_CHECK(x.rank() == 2 && x.dtype() == DType::kFloat32 && y.shape() == x.shape() && y.dtype() == x.dtype() &&
               y.is_contiguous() && x.is_contiguous(),
           kOp, ": expected contiguous float32 x and y [n, hidden], got ", x.dtype(), ' ', x.shape(), " and ",
           y.dtype(), ' ', y.shape());
  TK_CHECK(!rows.defined() || (rows.rank() == 1 && rows.dtype() == DType::kInt32), kOp, ": expected int32 rows, got ",
           rows.dtype(), ' ', rows.shape());
  const PackedMatrix &inner = branch.inner, &last = branch.last;
  const std::int64_t hidden = x.shape()[1], n = rows.defined() ? rows.numel() : x.shape()[0];
  TK_CHECK(last.defined() && last.out == hidden && !last.bias.defined(), kOp, ": expected a last weight of ", hidden,
           " outputs, whose bias is the norm's");
  TK_CHECK(branch.norm.bias.shape() == Shape{hidden}, kOp, ": expected a bias [", hidden, "], got ",
           branch.norm.bias.shape());
  if (inner.defined()) {
    TK_CHECK(!input.defined() && inner.in == hidden && inner.out == last.in && inner.bias.defined() &&
                 inner.is_int8() == last.is_int8(),
             kOp, ": expected weights [", last.in, ", ", hidden, "] and [", hidden, ", ", last.in,
             "] of one kind, a bias of the first, and no input");
  } else {
    const Shape expected{n, last.in};
    TK_CHECK(input.defined() && input.shape() == expected && input.dtype() == x.dtype(), kOp,
             ": expected a float32 input ", expected, ", got ", input.dtype(), ' ', input.shape());
  }
  Tensor target = y;
  residual_branch_kernel(Device::kCpu, target, x, contiguous_if_given(rows), contiguous_if_given(input), branch);
}

}  // namespace tk
