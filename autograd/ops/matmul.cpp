#include "autograd/ops/matmul.h"

#include "autograd/ops/shape.h"
#include "tensor/ops/matmul.h"
#include "tensor/ops/reduce.h"

namespace tk {

namespace {

// [n, last] from [..., last].
Variable as_rows(const Variable& x) {
  std::int64_t rows = 1;
  for (std::int64_t i = 0; i + 1 < x.shape().rank(); ++i) rows *= x.shape()[i];
  return reshape(x, {rows, x.shape().back()});
}

Shape with_last(Shape shape, std::int64_t extent) {
  shape[shape.rank() - 1] = extent;
  return shape;
}

// The batches of both, which broadcast, in front of their matrices.
Variable batched(const Variable& a, const Variable& b) {
  const auto batch_of = [](const Shape& shape) { return Shape(std::span(shape.begin(), shape.end() - 2)); };
  const Shape batch = broadcast_shapes("matmul", batch_of(a.shape()), batch_of(b.shape()));
  const auto matrices = [&](const Variable& x) {
    Shape shape = batch;
    shape.push_back(x.size(-2));
    shape.push_back(x.size(-1));
    const Variable wide = shape == x.shape() ? x : expand(x, shape);
    return reshape(wide, {batch.numel(), x.size(-2), x.size(-1)});
  };
  Shape shape = batch;
  shape.push_back(a.size(-2));
  shape.push_back(b.size(-1));
  return reshape(matmul(matrices(a), matrices(b)), shape);
}

}  // namespace

Variable matmul(const Variable& a, const Variable& b) {
  const std::int64_t a_rank = a.shape().rank(), b_rank = b.shape().rank();
  if (a_rank > 2 && b_rank == 2) return reshape(matmul(as_rows(a), b), with_last(a.shape(), b.size(1)));
  const bool one_batch = a_rank == 3 && b_rank == 3 && a.size(0) == b.size(0);
  if (a_rank >= 2 && b_rank > 2 && !one_batch) return batched(a, b);
  return record("matmul", matmul(a.value(), b.value()), {a, b},
                [a = Saved(a), b = Saved(b)](const Tensor& dy, Destinations& to) {
                  if (to.wanted(0)) to.add(0, matmul(dy, b, false, true));  // da = dy b^T
                  if (to.wanted(1)) to.add(1, matmul(a, dy, true, false));  // db = a^T dy
                });
}

Variable linear(const Variable& x, const Variable& w, const Variable& bias) {
  if (x.shape().rank() > 2 && w.shape().rank() == 2) {
    return reshape(linear(as_rows(x), w, bias), with_last(x.shape(), w.size(0)));
  }
  enum : std::size_t { kX, kW, kBias };
  return record("linear", linear(x.value(), w.value(), bias.value()), {{kX, x}, {kW, w}, {kBias, bias}},
                [x = Saved(x), w = Saved(w)](const Tensor& dy, Destinations& to) {
                  to.sum_beside(kW, [dy, x](const SumTarget& dw) {
                    matmul_into(dw.out, dw.add, dy, x, true, false);  // dw = dy^T x
                  });
                  to.sum_beside(kBias, [dy](const SumTarget& db) { sum_columns(db.out, dy, db.add); });
                  if (to.wanted(kX)) {
                    const SumTarget dx = to.target(kX);
                    matmul_into(dx.out, dx.add, dy, w, false, false);  // dx = dy w
                  }
                });
}

}  // namespace tk
