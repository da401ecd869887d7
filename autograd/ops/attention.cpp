#include "autograd/ops/attention.h"

#include <cmath>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/join.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape.h"
#include "autograd/ops/softmax.h"
#include "tensor/ops/attention.h"

namespace tk {
namespace {

// Column range `part` of `parts` equal ones.
Tensor columns(const Tensor& x, std::int64_t part, std::int64_t parts) {
  const std::int64_t width = x.shape()[1] / parts;
  return x.narrow(1, part * width, width);
}

void check_columns(const Variable& x, std::int64_t parts) {
  TK_CHECK(x.shape().rank() == 2 && x.shape()[1] % parts == 0, "packed_attention: expected [rows, ", parts, " d], got ",
           x.shape());
}

}  // namespace

Variable packed_attention(const Variable& q, const Variable& kv, const Variable& key_weight, const AttentionKey& key) {
  enum : std::size_t { kQuery, kKeyValue, kWeight };
  check_columns(kv, 2);
  const AttentionOutput out =
      packed_attention(q.value(), columns(kv.value(), 0, 2), columns(kv.value(), 1, 2), key_weight.value(), key);
  return record(
      "packed_attention", out.y, {{kQuery, q}, {kKeyValue, kv}, {kWeight, key_weight}},
      [y = Saved(out.y), q = Saved(q), saved_kv = Saved(kv), weight = Saved(key_weight), row_max = out.row_max,
       row_sum = out.row_sum, key](const Tensor& dy, Destinations& to) {
        const Tensor kv = saved_kv;
        const Tensor dkv = empty_like(kv);
        const AttentionGradients d = packed_attention_backward(
            dy, {y, row_max, row_sum}, q, columns(kv, 0, 2), columns(kv, 1, 2), weight, key,
            {.dq = {}, .dk = columns(dkv, 0, 2), .dv = columns(dkv, 1, 2), .dweight = to.target_if_wanted(kWeight)});
        to.add_if_wanted(kQuery, d.dq);
        to.add_if_wanted(kKeyValue, dkv);
      });
}

Variable packed_attention(const Variable& qkv, const Variable& key_weight, const AttentionKey& key) {
  check_columns(qkv, 3);
  const Tensor& x = qkv.value();
  const AttentionOutput out =
      packed_attention(columns(x, 0, 3), columns(x, 1, 3), columns(x, 2, 3), key_weight.value(), key);
  enum : std::size_t { kAll, kWeight };
  return record("packed_attention", out.y, {{kAll, qkv}, {kWeight, key_weight}},
                [y = Saved(out.y), saved_qkv = Saved(qkv), weight = Saved(key_weight), row_max = out.row_max,
                 row_sum = out.row_sum, key](const Tensor& dy, Destinations& to) {
                  const Tensor qkv = saved_qkv;
                  const Tensor dqkv = empty_like(qkv);
                  packed_attention_backward(dy, {y, row_max, row_sum}, columns(qkv, 0, 3), columns(qkv, 1, 3),
                                            columns(qkv, 2, 3), weight, key,
                                            {.dq = columns(dqkv, 0, 3),
                                             .dk = columns(dqkv, 1, 3),
                                             .dv = columns(dqkv, 2, 3),
                                             .dweight = to.target_if_wanted(kWeight)});
                  to.add_if_wanted(kAll, dqkv);
                });
}

Variable packed_attention_composed(const Variable& q, const Variable& k, const Variable& v, const Variable& key_weight,
                                   const AttentionKey& key) {
  TK_CHECK(key.dropout.p == 0, "packed_attention_composed: expected no dropout, got p = ", key.dropout.p);
  const std::vector<std::int32_t> q_offsets = key.q_offsets.to_vector<std::int32_t>();
  const std::vector<std::int32_t> kv_offsets = key.kv_offsets.to_vector<std::int32_t>();
  const std::int64_t head_size = q.shape()[1] / key.heads;
  const double scale = 1.0 / std::sqrt(static_cast<double>(head_size));
  Variables sentences;
  for (std::size_t s = 0; s + 1 < q_offsets.size(); ++s) {
    const std::int64_t queries = q_offsets[s + 1] - q_offsets[s];
    const std::int64_t keys = kv_offsets[s + 1] - kv_offsets[s];
    Variables heads;
    for (std::int64_t h = 0; h < key.heads; ++h) {
      const auto part = [&](const Variable& x, std::int64_t start, std::int64_t rows) {
        return narrow(narrow(x, 0, start, rows), 1, h * head_size, head_size);
      };
      const Variable scores =
          matmul(part(q, q_offsets[s], queries), transpose(part(k, kv_offsets[s], keys), 0, 1)) * scale;
      Variable p = softmax(scores);
      if (key_weight.defined()) {
        p = p * reshape(narrow(key_weight, 0, kv_offsets[s], keys), {1, keys});
        if (key.weighting == KeyWeighting::kExact) p = p / reshape(sum(p, 1), {queries, 1});
      }
      heads.push_back(matmul(p, part(v, kv_offsets[s], keys)));
    }
    sentences.push_back(join(heads, 1));
  }
  return join(sentences, 0);
}

}  // namespace tk
