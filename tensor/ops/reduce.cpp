#include "tensor/ops/reduce.h"

#include "tensor/kernels.h"

namespace tk {
namespace {

void check_offsets(const char* op, const Tensor& offsets, std::int64_t n) {
  TK_CHECK(offsets.dtype() == DType::kInt32 && offsets.rank() == 1 && offsets.numel() >= 1, op,
           ": expected int32 offsets of [segments + 1], got ", offsets.dtype(), ' ', offsets.shape());
  if (offsets.device() != Device::kCpu) return;  // reading them back would stall the device
  const auto* bounds = offsets.data<std::int32_t>();
  for (std::int64_t s = 0; s + 1 < offsets.numel(); ++s) {
    TK_CHECK(bounds[s] <= bounds[s + 1], op, ": offsets descend at segment ", s);
  }
  TK_CHECK(bounds[0] == 0 && bounds[offsets.numel() - 1] == n, op, ": offsets must run from 0 to ", n, ", got ",
           bounds[0], " to ", bounds[offsets.numel() - 1]);
}

// x with dimension `dim` moved to the end, the others in order.
Tensor move_last(const Tensor& x, std::int64_t dim) {
  std::vector<std::int64_t> order;
  for (std::int64_t i = 0; i < x.rank(); ++i) {
    if (i != dim) order.push_back(i);
  }
  order.push_back(dim);
  return x.permute(order).contiguous();
}

}  // namespace

Tensor sum(const Tensor& x) {
  Tensor y = empty({1}, x.dtype(), x.device());
  sum_rows_kernel(x.device(), y, x.reshape({1, x.numel()}));
  return y.reshape({});
}

Tensor sum(const Tensor& x, std::int64_t dim) {
  dim = normalize_dim("sum", dim, x.rank());
  Tensor y = empty(x.shape().without(dim), x.dtype(), x.device());
  if (dim == 0 && x.rank() > 1) {
    Tensor flat = y.reshape({y.numel()});
    sum_columns_kernel(x.device(), flat, x.contiguous().reshape({x.shape()[0], y.numel()}), false);
    return y;
  }
  sum_rows_kernel(x.device(), y, move_last(x, dim));
  return y;
}

Tensor max(const Tensor& x, std::int64_t dim) {
  dim = normalize_dim("max", dim, x.rank());
  TK_CHECK(x.shape()[dim] > 0, "max: dimension ", dim, " of ", x.shape(), " has no entries");
  Tensor y = empty(x.shape().without(dim), x.dtype(), x.device());
  max_rows_kernel(x.device(), y, move_last(x, dim));
  return y;
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  TK_CHECK(broadcast_shapes("sum_to", x.shape(), shape) == x.shape(), "sum_to: ", shape, " does not expand to ",
           x.shape());
  Tensor y = x;
  while (y.rank() > shape.rank()) y = sum(y, 0);
  for (std::int64_t i = 0; i < shape.rank(); ++i) {
    if (shape[i] != y.shape()[i]) y = sum(y, i).unsqueeze(i);
  }
  return y;
}

void sum_columns(const Tensor& y, const Tensor& x, bool add) {
  TK_CHECK(x.rank() >= 1 && y.shape() == Shape{x.shape().back()} && y.is_contiguous(), "sum_columns: ", x.shape(),
           " does not reduce to ", y.shape());
  TK_CHECK(y.dtype() == x.dtype() || y.dtype() == row_dtype(x.dtype()), "sum_columns: expected a sum of ", x.dtype(),
           " in its own dtype or ", row_dtype(x.dtype()), ", got ", y.dtype());
  Tensor target = y;
  sum_columns_kernel(x.device(), target, x.contiguous(), add);
}

Tensor segment_sum(const Tensor& x, const Tensor& offsets) {
  TK_CHECK(x.rank() == 1, "segment_sum: expected a rank of 1, got ", x.shape());
  check_offsets("segment_sum", offsets, x.numel());
  Tensor y = empty({offsets.numel() - 1}, x.dtype(), x.device());
  segment_sum_kernel(x.device(), y, x.contiguous(), offsets);
  return y;
}

Tensor segment_broadcast(const Tensor& x, const Tensor& offsets, std::int64_t n) {
  check_offsets("segment_broadcast", offsets, n);
  TK_CHECK(x.shape() == Shape{offsets.numel() - 1}, "segment_broadcast: expected [", offsets.numel() - 1, "], got ",
           x.shape());
  Tensor y = empty({n}, x.dtype(), x.device());
  segment_broadcast_kernel(x.device(), y, x.contiguous(), offsets);
  return y;
}

}  // namespace tk
