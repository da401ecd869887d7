#include "tensor/ops/attention.h"

#include "tensor/kernels.h"
#include "tensor/ops/dropout.h"
#include "tensor/ops/row_major.h"
#include "tensor/ops/sum_target.h"

namespace tk {
namespace {

constexpr const char* kOp = "packed_attention";

// A given output, or a new one.
Tensor output(const Tensor& given, const Tensor& like) {
  if (!given.defined()) return empty(like.shape(), like.dtype(), like.device());
  TK_CHECK(given.shape() == like.shape() && given.dtype() == like.dtype() && is_row_major(given), kOp,
           ": expected a row-major gradient of ", like.dtype(), ' ', like.shape(), ", got ", given.dtype(), ' ',
           given.shape(), " with strides ", given.strides());
  return given;
}

void check(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& key_weight, const AttentionKey& key) {
  TK_CHECK(q.rank() == 2 && k.rank() == 2 && v.shape() == k.shape() && q.shape()[1] == k.shape()[1], kOp,
           ": expected q [n, d] and k, v [m, d], got ", q.shape(), ", ", k.shape(), " and ", v.shape());
  TK_CHECK(q.dtype() == k.dtype() && q.dtype() == v.dtype(), kOp, ": dtypes of q, k and v differ");
  TK_CHECK(key.heads >= 1 && q.shape()[1] % key.heads == 0, kOp, ": ", key.heads, " heads do not divide ", q.shape()[1],
           " columns");
  TK_CHECK(key.q_offsets.rank() == 1 && key.q_offsets.shape() == key.kv_offsets.shape(), kOp,
           ": expected offsets of the same sentences, got ", key.q_offsets.shape(), " and ", key.kv_offsets.shape());
  const DType weight_dtype = row_dtype(q.dtype());
  TK_CHECK(!key_weight.defined() || (key_weight.shape() == Shape{k.shape()[0]} && key_weight.dtype() == weight_dtype),
           kOp, ": expected a ", weight_dtype, " key weight of [", k.shape()[0], "], got ", key_weight.shape());
  check_dropout(kOp, key.dropout, q.shape()[0]);
  TK_CHECK(key.dropout.p == 0 || key.kv_position.shape() == Shape{k.shape()[0]}, kOp,
           ": dropout needs the positions of ", k.shape()[0], " keys");
}

}  // namespace

AttentionOutput packed_attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& key_weight,
                                 const AttentionKey& key) {
  check(q, k, v, key_weight, key);
  const Shape rows{key.heads, q.shape()[0]};
  const DType dtype = row_dtype(q.dtype());
  AttentionOutput out{empty(q.shape(), q.dtype(), q.device()), empty(rows, dtype, q.device()),
                      empty(rows, dtype, q.device())};
  packed_attention_kernel(q.device(), out.y, out.row_max, out.row_sum, row_major(q), row_major(k), row_major(v),
                          contiguous_if_given(key_weight), key);
  return out;
}

AttentionGradients packed_attention_backward(const Tensor& dy, const AttentionOutput& out, const Tensor& q,
                                             const Tensor& k, const Tensor& v, const Tensor& key_weight,
                                             const AttentionKey& key, AttentionGradients d) {
  d.dq = output(d.dq, q);
  d.dk = output(d.dk, k);
  d.dv = output(d.dv, v);
  if (key_weight.defined() && !d.dweight) d.dweight = {empty_like(key_weight), false};
  check_target("packed_attention", d.dweight, key_weight);
  packed_attention_backward_kernel(q.device(), d.dq, d.dk, d.dv, d.dweight, row_major(dy), out.y, row_major(q),
                                   row_major(k), row_major(v), out.row_max, out.row_sum,
                                   contiguous_if_given(key_weight), key);
  return d;
}

}  // namespace tk
