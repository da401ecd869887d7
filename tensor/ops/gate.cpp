#include "tensor/ops/gate.h"

#include "tensor/kernels.h"

namespace tk {
namespace {

void check_key(const char* op, const DropoutKey& key) {
  TK_CHECK(key.state.defined() && key.example.defined() && key.example.rank() == 1 &&
               key.position.shape() == key.example.shape(),
           op, ": expected a step state and the ids of each row");
}

}  // namespace

void check_gates_of_rows(const char* op, const Tensor& z, const DropoutKey& key) {
  check_key(op, key);
  const std::int64_t rows = key.example.numel();
  TK_CHECK(rows == 0 ? z.numel() == 0 : z.numel() % rows == 0, op, ": expected gates ", z.shape(), " that belong to ",
           rows, " rows");
}

Tensor logistic_noise(const DropoutKey& key, std::int64_t cols, DType dtype) {
  check_key("logistic_noise", key);
  Tensor y = empty({key.example.numel(), cols}, dtype, key.example.device());
  logistic_noise_kernel(y.device(), y, key);
  return y;
}

Tensor gumbel_noise(const DropoutKey& key, std::int64_t cols, DType dtype) {
  check_key("gumbel_noise", key);
  Tensor y = empty({key.example.numel(), cols}, dtype, key.example.device());
  gumbel_noise_kernel(y.device(), y, key);
  return y;
}

Tensor one_hot_of_largest(const Tensor& x) {
  TK_CHECK(x.rank() >= 1 && x.shape().back() >= 1, "one_hot_of_largest: expected classes in the last dimension, got ",
           x.shape());
  Tensor y = empty_like(x);
  one_hot_of_largest_kernel(x.device(), y, x.contiguous());
  return y;
}

Tensor gate_margin(const Tensor& z, const Tensor& state) {
  Tensor y = empty_like(z);
  gate_margin_kernel(z.device(), y, z.contiguous(), state);
  return y;
}

GateOutput hard_gate(const Tensor& z, const Tensor& noise, const Tensor& state) {
  TK_CHECK(z.shape() == noise.shape() && z.dtype() == noise.dtype(), "hard_gate: expected noise like z ", z.dtype(),
           ' ', z.shape(), ", got ", noise.dtype(), ' ', noise.shape());
  GateOutput out{empty_like(z), empty_like(z)};
  hard_gate_kernel(z.device(), out.hard, out.soft, z.contiguous(), noise.contiguous(), state, {});
  return out;
}

GateOutput hard_gate(const Tensor& z, const DropoutKey& key) {
  check_gates_of_rows("hard_gate", z, key);
  GateOutput out{empty_like(z), empty_like(z)};
  hard_gate_kernel(z.device(), out.hard, out.soft, z.contiguous(), {}, key.state, key);
  return out;
}

Tensor hard_gate_backward(const Tensor& dy, const Tensor& soft, const Tensor& state) {
  Tensor dz = empty_like(soft);
  hard_gate_backward_kernel(soft.device(), dz, dy.contiguous(), soft, state);
  return dz;
}

Tensor passing_rows(const Tensor& z, const Tensor& state, const Tensor& offsets, bool first_pass) {
  TK_CHECK(z.rank() == 1 && offsets.rank() == 1, "passing_rows: expected z [rows] and offsets [sentences + 1], got ",
           z.shape(), " and ", offsets.shape());
  Tensor mask = empty(z.shape(), DType::kBool, z.device());
  passing_rows_kernel(z.device(), mask, z, state, offsets, first_pass);
  return mask;
}

Tensor evenly_spread_rows(std::int64_t rows, const Tensor& offsets, const Tensor& original_offsets, double share) {
  TK_CHECK(offsets.rank() == 1 && offsets.shape() == original_offsets.shape(),
           "evenly_spread_rows: expected offsets of the same sentences, got ", offsets.shape(), " and ",
           original_offsets.shape());
  Tensor mask = empty({rows}, DType::kBool, offsets.device());
  evenly_spread_rows_kernel(offsets.device(), mask, offsets, original_offsets, share);
  return mask;
}

}  // namespace tk
