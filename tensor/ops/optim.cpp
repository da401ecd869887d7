#include "tensor/ops/optim.h"

#include "tensor/kernels.h"

namespace tk {
namespace {

void check_flat(const char* op, const Tensor& value, const Tensor& other) {
  TK_CHECK(value.rank() == 1 && value.dtype() == DType::kFloat32 && value.is_contiguous() &&
               other.shape() == value.shape() && other.dtype() == DType::kFloat32 && other.is_contiguous(),
           op, ": expected flat float32 buffers of ", value.shape(), ", got ", other.dtype(), ' ', other.shape());
}

void check_segments(const char* op, const Tensor& segments, std::int64_t n) {
  TK_CHECK(segments.rank() == 2 && segments.shape()[1] == 4 && segments.dtype() == DType::kInt64, op,
           ": expected int64 segments [k, 4], got ", segments.dtype(), ' ', segments.shape());
  if (segments.device() != Device::kCpu) return;  // reading them back would stall the device
  const auto* rows = segments.data<std::int64_t>();
  for (std::int64_t i = 0; i < segments.shape()[0]; ++i) {
    const std::int64_t begin = rows[4 * i], end = rows[4 * i + 1], group = rows[4 * i + 2], decays = rows[4 * i + 3];
    TK_CHECK(begin >= 0 && begin <= end && end <= n && group >= 0 && group < StepState::kGroups &&
                 (decays == 0 || decays == 1),
             op, ": segment ", i, " does not fit ", n, " elements and ", int{StepState::kGroups}, " groups");
  }
}

void check_sparse(const char* op, const SparseRows& grad, std::int64_t cols, std::int64_t group) {
  TK_CHECK(grad.ids.rank() == 1 && grad.ids.dtype() == DType::kInt32 && grad.rows.dtype() == DType::kFloat32 &&
               grad.rows.shape() == (Shape{grad.ids.numel(), cols}),
           op, ": expected int32 ids [n] and float32 rows [n, ", cols, "], got ", grad.ids.dtype(), ' ',
           grad.ids.shape(), " and ", grad.rows.dtype(), ' ', grad.rows.shape());
  TK_CHECK(group >= 0 && group < StepState::kGroups, op, ": no group ", group);
}

}  // namespace

void grad_norm(const Tensor& state, std::span<const Tensor> parts) {
  std::int64_t chunks = 0;
  for (const Tensor& part : parts) chunks += norm_chunks(part.numel());
  const Tensor partial = empty({chunks}, DType::kFloat64, state.device());
  std::int64_t done = 0;
  for (const Tensor& part : parts) {
    const Tensor range = partial.narrow(0, done, norm_chunks(part.numel()));
    squared_norms(range, part);
    done += range.numel();
  }
  set_grad_norm(state, partial);
}

void squared_norms(const Tensor& partial, const Tensor& x) {
  TK_CHECK(partial.shape() == Shape{norm_chunks(x.numel())} && partial.dtype() == DType::kFloat64,
           "squared_norms: expected float64 partial sums ", Shape{norm_chunks(x.numel())}, ", got ", partial.dtype(),
           ' ', partial.shape());
  Tensor out = partial;
  squared_norm_kernel(x.device(), out, x.contiguous());
}

void set_grad_norm(const Tensor& state, const Tensor& partial) {
  Tensor out = state;
  grad_norm_kernel(state.device(), out, partial);
}

void adamw(const Tensor& value, const Tensor& grad, const Tensor& m, const Tensor& v, const Tensor& copy,
           const Tensor& segments, const Tensor& state, const AdamWConstants& constants) {
  for (const Tensor* other : {&grad, &m, &v}) check_flat("adamw", value, *other);
  TK_CHECK(
      !copy.defined() || (copy.shape() == value.shape() && copy.dtype() == DType::kBFloat16 && copy.is_contiguous()),
      "adamw: expected a flat bfloat16 copy of ", value.shape(), ", got ", copy.dtype(), ' ', copy.shape());
  check_segments("adamw", segments, value.numel());
  Tensor value_out = value, m_out = m, v_out = v, copy_out = copy;
  adamw_kernel(value.device(), value_out, m_out, v_out, copy_out, grad, segments, state, constants);
}

void adamw_rows(const Tensor& value, const Tensor& m, const Tensor& v, const Tensor& touched, const SparseRows& grad,
                const StepGroup& group, const Tensor& state, const AdamWConstants& constants) {
  for (const Tensor* table : {&value, &m, &v}) {
    TK_CHECK(table->rank() == 2 && table->shape() == value.shape() && table->dtype() == DType::kFloat32 &&
                 table->is_contiguous(),
             "adamw_rows: expected float32 tables [rows, cols], value and moments alike, got ", table->dtype(), ' ',
             table->shape(), " beside ", value.shape());
  }
  TK_CHECK(touched.shape() == Shape{value.shape()[0]} && touched.dtype() == DType::kBool,
           "adamw_rows: expected a bool of [", value.shape()[0], "] for the touched rows, got ", touched.dtype(), ' ',
           touched.shape());
  check_sparse("adamw_rows", grad, value.shape()[1], group.index);
  Tensor value_out = value, m_out = m, v_out = v, touched_out = touched;
  adamw_rows_kernel(value.device(), value_out, m_out, v_out, touched_out, grad.ids.contiguous(), grad.rows.contiguous(),
                    group, state, constants);
}

void sgd(const Tensor& value, const Tensor& grad, const Tensor& momentum, const Tensor& segments, const Tensor& state,
         double momentum_factor) {
  for (const Tensor* other : {&grad, &momentum}) check_flat("sgd", value, *other);
  check_segments("sgd", segments, value.numel());
  Tensor value_out = value, momentum_out = momentum;
  sgd_kernel(value.device(), value_out, momentum_out, grad, segments, state, momentum_factor);
}

void sgd_rows(const Tensor& value, const SparseRows& grad, std::int64_t group, const Tensor& state) {
  TK_CHECK(value.rank() == 2 && value.dtype() == DType::kFloat32 && value.is_contiguous(),
           "sgd_rows: expected a float32 table [rows, cols], got ", value.dtype(), ' ', value.shape());
  check_sparse("sgd_rows", grad, value.shape()[1], group);
  Tensor value_out = value;
  sgd_rows_kernel(value.device(), value_out, grad.ids.contiguous(), grad.rows.contiguous(), group, state);
}

void moving_average(const Tensor& average, const Tensor& value, const Tensor& state, double decay) {
  for (const Tensor* x : {&average, &value}) {
    TK_CHECK(x->shape() == value.shape() && x->dtype() == DType::kFloat32 && x->is_contiguous(),
             "moving_average: expected contiguous float32 tensors of one shape, got ", x->dtype(), ' ', x->shape(),
             " beside ", value.shape());
  }
  TK_CHECK(decay >= 0 && decay < 1, "moving_average: expected a decay in [0, 1), got ", decay);
  Tensor average_out = average;
  moving_average_kernel(value.device(), average_out, value, state, decay);
}

BudgetOutput budget_loss(const Tensor& cost, const Tensor& state) {
  TK_CHECK(cost.numel() == 1, "budget_loss: expected one cost, got ", cost.shape());
  BudgetOutput out{empty_like(cost), empty_like(cost)};
  budget_loss_kernel(cost.device(), out.loss, out.dcost, cost, state);
  return out;
}

void budget_controller(const Tensor& state, const Tensor& cost) {
  TK_CHECK(cost.numel() == 1, "budget_controller: expected one cost, got ", cost.shape());
  Tensor state_out = state;
  budget_controller_kernel(state.device(), state_out, cost);
}

}  // namespace tk
