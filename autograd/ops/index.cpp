#include "autograd/ops/index.h"

#include <memory>

#include "autograd/grad_mode.h"
#include "tensor/beside.h"
#include "tensor/ops/index.h"

namespace tk {

namespace {

// Made beside a walk back, long before it has the rows.
class EarlyRuns {
 public:
  EarlyRuns(const Variable& x, const Tensor& index) : device_(x.device()) {
    if (!grad_enabled() || !x.requires_grad() || device_ == Device::kCpu) return;
    number_ = run_beside_later(device_, [runs = runs_, index, rows = x.size(0)] { *runs = row_runs(index, rows); });
  }
  RowRuns get() const {
    join_beside(device_, number_);
    return *runs_;
  }

 private:
  Device device_;
  std::shared_ptr<RowRuns> runs_ = std::make_shared<RowRuns>();
  BesideNumber number_ = 0;
};

}  // namespace

Variable index_select(const Variable& x, const Tensor& index) {
  return record(
      "index_select", index_select(x.value(), index), {x},
      [index = Saved(index), rows = x.shape()[0], early = EarlyRuns(x, index)](const Tensor& dy, Destinations& to) {
        const RowRuns runs = early.get();
        if (to.sparse_allowed(0)) {
          const SparseRows all{index.get().to(DType::kInt32), dy.contiguous()};
          to.add_sparse(0, runs.defined() ? coalesce(all, runs) : all);
        } else if (runs.defined()) {
          to.sum_beside(0, [dy, runs](const SumTarget& sum) { index_add_into(sum, dy, runs); });
        } else {
          to.add(0, index_add(dy, index, rows));
        }
      });
}

Variable take_rows(const Variable& x, const Tensor& rows) {
  return record("take_rows", index_select(x.value(), rows), {x},
                [rows = Saved(rows)](const Tensor& dy, Destinations& to) { spread_rows(to.target(0), dy, rows); });
}

Variable index_copy(const Variable& x, const Tensor& index, const Variable& rows) {
  return record("index_copy", index_copy(x.value(), index, rows.value()), {x, rows},
                [index = Saved(index)](const Tensor& dy, Destinations& to) {
                  const Tensor drows = index_select(dy, index);
                  if (to.wanted(0)) to.add(0, index_copy(dy, index, zeros_like(drows)));
                  if (to.wanted(1)) to.add(1, drows);
                });
}

Variable index_add(const Variable& x, const Tensor& index, const Variable& rows) {
  const Tensor y = x.value().clone();
  index_add_to(y, rows.value(), index);
  return record("index_add", y, {x, rows}, [index = Saved(index)](const Tensor& dy, Destinations& to) {
    if (to.wanted(0)) to.add(0, dy);
    if (to.wanted(1)) to.add(1, index_select(dy, index));
  });
}

Variable gather(const Variable& x, std::int64_t dim, const Tensor& index) {
  return record("gather", gather(x.value(), dim, index), {x},
                [dim, index = Saved(index), extent = x.size(dim)](const Tensor& dy) -> Tensors {
                  return {scatter_add(dy, dim, index, extent)};
                });
}

}  // namespace tk
