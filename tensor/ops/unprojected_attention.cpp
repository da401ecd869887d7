#include "tensor/ops/unprojected_attention.h"

#include <cmath>

#include "tensor/kernels.h"
#include "tensor/ops/attention.h"
#include "tensor/ops/elementwise.h"

namespace tk {
namespace {

constexpr const char* kOp = "unprojected_attention";

void check(const Tensor& q, const Tensor& x, const Tensor& w_key, const Tensor& w_value, const Tensor& b_value,
           const AttentionKey& key) {
  TK_CHECK(q.device() == Device::kCpu, kOp, ": offsets are multiplied on the host, and q lies on ", q.device());
  TK_CHECK(q.rank() == 2 && x.rank() == 2 && q.shape()[1] == x.shape()[1], kOp,
           ": expected q [n, d] and x [m, d], got ", q.shape(), " and ", x.shape());
  const std::int64_t d = x.shape()[1];
  TK_CHECK(key.heads >= 1 && d % key.heads == 0, kOp, ": ", key.heads, " heads do not divide ", d, " columns");
  const Shape square{d, d};
  TK_CHECK(w_key.shape() == square && w_value.shape() == square && b_value.shape() == Shape{d}, kOp,
           ": expected weights [d, d] and a bias [d] of d = ", d, ", got ", w_key.shape(), ", ", w_value.shape(),
           " and ", b_value.shape());
  TK_CHECK(key.weighting == KeyWeighting::kExact && key.dropout.p == 0, kOp,
           ": its probabilities add up to one: exact weighting without dropout");
}

// Where each sentence's rows lie when a row is `heads` ones.
Tensor times(const Tensor& offsets, std::int64_t heads) {
  std::vector<std::int32_t> bounds = offsets.to_vector<std::int32_t>();
  for (std::int32_t& bound : bounds) bound *= static_cast<std::int32_t>(heads);
  return from_values(bounds);
}

// Each head's columns of y are those of x times its matrix of w [heads, k, n], or its transpose. Columns lie as they
// are: a batch of matrices whose rows are apart.
void multiply_heads(const Tensor& y, const Tensor& x, const Tensor& w, bool transpose_w) {
  const std::int64_t heads = w.shape()[0];
  const auto by_head = [&](const Tensor& z) {
    return z.reshape({z.shape()[0], heads, z.shape()[1] / heads}).transpose(0, 1);
  };
  Tensor target = by_head(y);
  batched_matmul_kernel(Device::kCpu, target, by_head(x), false, w, transpose_w);
}

}  // namespace

Tensor unprojected_attention(const Tensor& q, const Tensor& x, const Tensor& w_key, const Tensor& w_value,
                             const Tensor& b_value, const AttentionKey& key) {
  check(q, x, w_key, w_value, b_value, key);
  const std::int64_t n = q.shape()[0], d = x.shape()[1], heads = key.heads, head_size = d / heads;
  // One head of d columns divides its scores by sqrt(d), and ours are to be divided by sqrt(head_size).
  const Tensor scaled = affine(q, std::sqrt(static_cast<double>(heads)));
  const Tensor asking = empty({n, heads * d}, q.dtype());
  multiply_heads(asking, scaled, w_key.reshape({heads, head_size, d}), false);
  AttentionKey one = key;
  one.heads = 1;
  one.q_offsets = times(key.q_offsets, heads);
  const Tensor mixed = packed_attention(asking.reshape({n * heads, d}), x, x, Tensor(), one).y;
  const Tensor y = empty({n, d}, q.dtype());
  multiply_heads(y, mixed.reshape({n, heads * d}), w_value.reshape({heads, head_size, d}), true);
  return add(y, b_value);
}

}  // namespace tk
