#include "tensor/ops/reduce.h"

#include <limits>

#include "tensor/kernels.h"
#include "tensor/ops/elementwise.h"

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

// How x is reduced: over the dimensions whose bit is set.
struct Reduction {
  const char* op;
  std::uint32_t bits;
  std::int64_t kept = 1, reduced = 1;  // elements
  Shape out;
  std::vector<std::int64_t> order;  // the dimensions, those that are kept first

  Reduction(const char* op, const Shape& shape, const Dims& dims, bool keepdim)
      : op(op), bits(dims.bits(op, shape.rank())) {
    for (const bool reduces : {false, true}) {
      for (std::int64_t i = 0; i < shape.rank(); ++i) {
        if ((bits >> i & 1) != reduces) continue;
        order.push_back(i);
        (reduces ? reduced : kept) *= shape[i];
      }
    }
    for (std::int64_t i = 0; i < shape.rank(); ++i) {
      if ((bits >> i & 1) == 0) {
        out.push_back(shape[i]);
      } else if (keepdim) {
        out.push_back(1);
      }
    }
  }

  // Whether the dimensions named are the first ones, and not all.
  bool over_columns(const Shape& shape) const {
    return bits != 0 && (bits & (bits + 1)) == 0 && bits + 1 != 1u << shape.rank();
  }

  // [kept, reduced], of a copy unless x lies so.
  Tensor rows(const Tensor& x) const { return x.permute(order).contiguous().reshape({kept, reduced}); }

  void check_not_empty(const Tensor& x) const {
    TK_CHECK(reduced > 0, op, ": the dimensions to go over have no entries in ", x.shape());
  }
};

}  // namespace

Tensor sum(const Tensor& x, const Dims& dims, bool keepdim) {
  const Reduction reduction("sum", x.shape(), dims, keepdim);
  Tensor y = empty({reduction.kept}, x.dtype(), x.device());
  if (reduction.over_columns(x.shape())) {
    sum_columns_kernel(x.device(), y, x.contiguous().reshape({reduction.reduced, reduction.kept}), false);
  } else {
    sum_rows_kernel(x.device(), y, reduction.rows(x));
  }
  return y.reshape(reduction.out);
}

Tensor mean(const Tensor& x, const Dims& dims, bool keepdim) {
  const Reduction reduction("mean", x.shape(), dims, keepdim);
  return affine(sum(x, dims, keepdim), 1.0 / static_cast<double>(reduction.reduced));
}

Tensor max(const Tensor& x, const Dims& dims, bool keepdim) {
  const Reduction reduction("max", x.shape(), dims, keepdim);
  reduction.check_not_empty(x);
  Tensor y = empty({reduction.kept}, x.dtype(), x.device());
  max_rows_kernel(x.device(), y, reduction.rows(x));
  return y.reshape(reduction.out);
}

Tensor max_backward(const Tensor& dy, const Tensor& x, const Dims& dims) {
  const Reduction reduction("max", x.shape(), dims, false);
  Tensor place = empty({reduction.kept, 1}, DType::kInt64, x.device());
  argmax_rows_kernel(x.device(), place, reduction.rows(x));
  const Tensor is_largest = eq(arange(reduction.reduced, DType::kInt64, x.device()), place);
  Shape permuted;
  std::vector<std::int64_t> back(reduction.order.size());
  for (std::size_t i = 0; i < back.size(); ++i) {
    permuted.push_back(x.shape()[reduction.order[i]]);
    back[static_cast<std::size_t>(reduction.order[i])] = static_cast<std::int64_t>(i);
  }
  return where(is_largest, dy.reshape({reduction.kept, 1}), 0).reshape(permuted).permute(back);
}

Tensor min(const Tensor& x, const Dims& dims, bool keepdim) {
  Reduction("min", x.shape(), dims, keepdim).check_not_empty(x);
  return neg(max(neg(x), dims, keepdim));
}

Tensor var(const Tensor& x, const Dims& dims, bool keepdim, double correction) {
  const Reduction reduction("var", x.shape(), dims, keepdim);
  const Tensor squares = square(sub(x, mean(x, dims, true)));
  return affine(sum(squares, dims, keepdim), 1 / (static_cast<double>(reduction.reduced) - correction));
}

// The largest element is taken out of the sum, where it is finite.
Tensor logsumexp(const Tensor& x, const Dims& dims, bool keepdim) {
  Reduction("logsumexp", x.shape(), dims, keepdim).check_not_empty(x);
  const Tensor largest = max(x, dims, true);
  const Tensor shift = where(eq(abs(largest), std::numeric_limits<double>::infinity()), 0, largest);
  const Tensor sums = sum(exp(sub(x, shift)), dims, keepdim);
  return add(log(sums), shift.reshape(sums.shape()));
}

Tensor norm(const Tensor& x, const Dims& dims, bool keepdim) { return sqrt(sum(square(x), dims, keepdim)); }

Tensor argmax(const Tensor& x, std::int64_t dim, bool keepdim) {
  const Reduction reduction("argmax", x.shape(), dim, keepdim);
  reduction.check_not_empty(x);
  Tensor place = empty({reduction.kept}, DType::kInt64, x.device());
  argmax_rows_kernel(x.device(), place, reduction.rows(x));
  return place.reshape(reduction.out);
}

Tensor argmin(const Tensor& x, std::int64_t dim, bool keepdim) { return argmax(neg(x), dim, keepdim); }

Tensor with_reduced_dims(const Tensor& y, const Shape& shape, const Dims& dims) {
  if (y.rank() == shape.rank()) return y;
  const std::uint32_t bits = dims.bits("sum", shape.rank());
  Tensor view = y;
  for (std::int64_t i = 0; i < shape.rank(); ++i) {
    if ((bits >> i & 1) != 0) view = view.unsqueeze(i);
  }
  return view;
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
