#include "tensor/ops/index.h"

#include "tensor/kernels.h"

namespace tk {
namespace {

Shape with_rows(const Tensor& x, std::int64_t rows) {
  Shape shape = x.shape();
  shape[0] = rows;
  return shape;
}

}  // namespace

Tensor index_select(const Tensor& x, const Tensor& index) {
  TK_CHECK(x.rank() >= 1 && index.rank() == 1, "index_select: expected x [n, ...] and index [m], got ", x.shape(),
           " and ", index.shape());
  const Tensor y = empty(with_rows(x, index.numel()), x.dtype(), x.device());
  index_select_into(y, x, index);
  return y;
}

void index_select_into(const Tensor& y, const Tensor& x, const Tensor& index) {
  TK_CHECK(index.rank() == 1 && y.is_contiguous() && y.dtype() == x.dtype() && y.shape() == with_rows(x, index.numel()),
           "index_select: expected ", index.numel(), " rows like those of ", x.dtype(), ' ', x.shape(),
           " to write, got ", y.dtype(), ' ', y.shape());
  Tensor target = y;
  index_select_kernel(x.device(), target, x.contiguous(), index.contiguous());
}

Tensor index_add(const Tensor& x, const Tensor& index, std::int64_t rows) {
  const Tensor y = zeros(with_rows(x, rows), x.dtype(), x.device());
  index_add_to(y, x, index);
  return y;
}

void index_add_to(const Tensor& y, const Tensor& x, const Tensor& index) {
  TK_CHECK(index.rank() == 1 && x.rank() >= 1 && x.shape()[0] == index.numel() && y.is_contiguous() &&
               y.rank() == x.rank() && y.shape() == with_rows(x, y.shape()[0]) && y.dtype() == x.dtype(),
           "index_add: expected rows of ", y.dtype(), ' ', y.shape(), " for ", index.numel(), " indices, got ",
           x.dtype(), ' ', x.shape());
  Tensor target = y;
  index_add_kernel(y.device(), target, x.contiguous(), index.contiguous());
}

void spread_rows(const SumTarget& y, const Tensor& x, const Tensor& index) {
  TK_CHECK(index.rank() == 1 && index.dtype() == DType::kInt32 && y.out.is_contiguous() &&
               x.shape() == with_rows(y.out, index.numel()) && x.dtype() == y.out.dtype(),
           "spread_rows: expected int32 indices and as many rows like those of ", y.out.dtype(), ' ', y.out.shape(),
           ", got ", index.shape(), " and ", x.dtype(), ' ', x.shape());
  spread_rows_kernel(y.out.device(), y, x.contiguous(), index.contiguous());
}

Tensor index_copy(const Tensor& x, const Tensor& index, const Tensor& rows) {
  const Tensor y = x.clone();
  index_copy_to(y, index, rows);
  return y;
}

void index_copy_to(const Tensor& y, const Tensor& index, const Tensor& rows) {
  TK_CHECK(index.rank() == 1 && rows.dtype() == y.dtype() && rows.shape() == with_rows(y, index.numel()) &&
               y.is_contiguous(),
           "index_copy: expected ", index.numel(), " rows like those of ", y.dtype(), ' ', y.shape(), ", got ",
           rows.dtype(), ' ', rows.shape());
  Tensor target = y;
  index_copy_kernel(y.device(), target, rows.contiguous(), index.contiguous());
}

Tensor gather(const Tensor& x, std::int64_t dim, const Tensor& index) {
  dim = normalize_dim("gather", dim, x.rank());
  TK_CHECK(index.rank() == x.rank() && index.shape().without(dim) == x.shape().without(dim),
           "gather: expected indices of ", x.shape(), " but for dimension ", dim, ", got ", index.shape());
  const Tensor places = index.transpose(dim, -1).contiguous();
  Tensor y = empty(places.shape(), x.dtype(), x.device());
  gather_rows_kernel(x.device(), y, x.transpose(dim, -1).contiguous(), places);
  return y.transpose(dim, -1);
}

Tensor scatter_add(const Tensor& x, std::int64_t dim, const Tensor& index, std::int64_t extent) {
  dim = normalize_dim("scatter_add", dim, x.rank());
  TK_CHECK(index.shape() == x.shape(), "scatter_add: expected indices of ", x.shape(), ", got ", index.shape());
  const Tensor from = x.transpose(dim, -1).contiguous();
  Shape shape = from.shape();
  shape[shape.rank() - 1] = extent;
  Tensor y = zeros(shape, x.dtype(), x.device());
  scatter_add_rows_kernel(x.device(), y, from, index.transpose(dim, -1).contiguous());
  return y.transpose(dim, -1);
}

namespace {

void sum_runs_of(Tensor& y, const Tensor& x, const RowRuns& runs, bool by_id) {
  TK_CHECK(x.rank() >= 1 && x.shape()[0] == runs.order.numel() && x.dtype() == y.dtype(), "index_add: expected ",
           runs.order.numel(), " rows of ", y.dtype(), ", got ", x.dtype(), ' ', x.shape());
  sum_runs_kernel(y.device(), y, x.contiguous(), runs.ids, runs.first, runs.run, runs.order, by_id);
}

}  // namespace

RowRuns row_runs(const Tensor& index, std::int64_t size) {
  TK_CHECK(index.rank() == 1, "row_runs: expected an index [n], got ", index.shape());
  if (index.device() == Device::kCpu) return {};
  const auto ints = [&](std::int64_t n) { return empty({n}, DType::kInt32, index.device()); };
  const std::int64_t n = index.numel();
  RowRuns runs{ints(n), ints(n + 1), ints(n), ints(n)};
  row_runs_kernel(index.device(), runs.ids, runs.first, runs.run, runs.order, index.contiguous(), size);
  return runs;
}

void index_add_into(const SumTarget& y, const Tensor& x, const RowRuns& runs) {
  Tensor whole = y.out;
  TK_CHECK(whole.is_contiguous(), "index_add: expected a contiguous sum, got strides of ", whole.shape());
  if (!y.add) whole.fill(0);
  sum_runs_of(whole, x, runs, true);
}

SparseRows coalesce(const SparseRows& sparse, const RowRuns& runs) {
  TK_CHECK(sparse.ids.dtype() == DType::kInt32 && sparse.ids.rank() == 1 && sparse.rows.rank() == 2 &&
               sparse.rows.shape()[0] == sparse.ids.numel(),
           "coalesce: expected int32 ids [n] and rows [n, cols], got ", sparse.ids.shape(), " and ",
           sparse.rows.shape());
  SparseRows out{empty_like(sparse.ids), empty_like(sparse.rows), true};
  if (runs.defined()) {
    out.ids = runs.ids;
    sum_runs_of(out.rows, sparse.rows, runs, false);
    return out;
  }
  coalesce_kernel(sparse.rows.device(), out.ids, out.rows, sparse.ids.contiguous(), sparse.rows.contiguous());
  return out;
}

}  // namespace tk
