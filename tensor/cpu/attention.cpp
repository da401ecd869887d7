#include "tensor/cpu/attention_unit.h"

#include <algorithm>

#include "tensor/kernels.h"

// One unit of work is a (sentence, head) pair. Units share nothing, so the
// order in which threads take them does not matter; the one sum over heads, dweight, is made afterwards in order.
namespace tk::cpu {
namespace {

void check_offsets(const Tensor& offsets, std::int64_t rows) {
  const auto* bounds = offsets.data<std::int32_t>();
  const std::int64_t last = offsets.numel() - 1;
  TK_CHECK(bounds[0] == 0 && std::is_sorted(bounds, bounds + last + 1) && bounds[last] <= rows,
           "packed_attention: expected offsets that rise from 0 to at most ", rows, " rows, got ", bounds[0], " to ",
           bounds[last]);
}

// Rows behind the last sentence (a batch that was rounded up) belong to none: zeros.
void clear_rows_of_no_sentence(Tensor& x, const Tensor& offsets) {
  const std::int64_t used = offsets.data<std::int32_t>()[offsets.numel() - 1];
  if (used < x.shape()[0]) x.narrow(0, used, x.shape()[0] - used).fill(0);
}

// The unit's columns of its rows of queries, or of keys.
template <class T>
Rows<T> rows_of(const AttentionUnit<T>& p, const Tensor& x, std::int64_t first) {
  return {x.data<T>() + first * x.strides()[0] + p.head * p.head_size, x.strides()[0]};
}
template <class T>
Rows<T> queries(const AttentionUnit<T>& p, const Tensor& x) {
  return rows_of(p, x, p.first_q);
}
template <class T>
Rows<T> keys(const AttentionUnit<T>& p, const Tensor& x) {
  return rows_of(p, x, p.first_kv);
}

// Calls f(unit) for every sentence and head, in parallel.
template <class T, class F>
void for_each_head(const AttentionKey& key, std::int64_t head_size, const Tensor& weight, int threads, F&& f) {
  const auto* q_offsets = key.q_offsets.data<std::int32_t>();
  const auto* kv_offsets = key.kv_offsets.data<std::int32_t>();
  const std::int64_t sentences = key.q_offsets.numel() - 1;
  std::int64_t pairs = 0;
  for (std::int64_t s = 0; s < sentences; ++s) {
    pairs += std::int64_t{q_offsets[s + 1] - q_offsets[s]} * (kv_offsets[s + 1] - kv_offsets[s]);
  }
  // Twice the products of queries and keys, and as much again for what is done with each pair.
  threads = threads_for(key.heads * pairs * 4 * head_size, threads);
  parallel_for(sentences * key.heads, threads, [&](std::int64_t unit) {
    const std::int64_t s = unit / key.heads;
    AttentionUnit<T> p;
    p.head = unit % key.heads;
    p.head_size = head_size;
    p.first_q = q_offsets[s];
    p.first_kv = kv_offsets[s];
    p.q_rows = q_offsets[s + 1] - q_offsets[s];
    p.kv_rows = kv_offsets[s + 1] - kv_offsets[s];
    p.weight = weight.defined() ? weight.data<T>() + p.first_kv : nullptr;
    if (p.q_rows > 0 || p.kv_rows > 0) f(p);
  });
}

// With p = e / sum (per unit of weight), P = weight p, g = factor * (dy v^T) and D = sum(P g):
//   exact: dS = P (g - D), dweight = p (g - D);  paper: dS = P g - p D, dweight = p g.
// On entry `s` holds scores and `grad` dy v^T; on return P * factor and dS.
template <class T>
TK_SIMD void backward_row(T* grad, T* s, T* dweight, const T* weight, const T* factor, Normalizer<T> z, bool exact,
                          std::int64_t n) {
  const T inverse = z.inverse();
  for (std::int64_t i = 0; i < n; ++i) s[i] = math::exp(capped(s[i] - z.largest)) * inverse;
  if (factor != nullptr) {
    for (std::int64_t i = 0; i < n; ++i) grad[i] *= factor[i];
  }
  T dot = 0;
  if (weight != nullptr) {
#pragma omp simd reduction(+ : dot)
    for (std::int64_t i = 0; i < n; ++i) dot += s[i] * weight[i] * grad[i];
  } else {
#pragma omp simd reduction(+ : dot)
    for (std::int64_t i = 0; i < n; ++i) dot += s[i] * grad[i];
  }
  if (dweight != nullptr) {
    for (std::int64_t i = 0; i < n; ++i) dweight[i] += exact ? s[i] * (grad[i] - dot) : s[i] * grad[i];
  }
  for (std::int64_t i = 0; i < n; ++i) {
    const T unit = s[i];
    const T w = weight != nullptr ? weight[i] : T(1);
    s[i] = unit * w * (factor != nullptr ? factor[i] : T(1));
    grad[i] = exact ? unit * w * (grad[i] - dot) : unit * (w * grad[i] - dot);
  }
}

template <class T>
void backward_head(const AttentionUnit<T>& p, const AttentionKey& key, AttentionSpace<T>& workspace, const Tensor& q,
                   const Tensor& k, const Tensor& v, const Tensor& dy, const T* row_max, const T* row_sum, Tensor& dq,
                   Tensor& dk, Tensor& dv, T* dweight) {
  const Rows<T> scores = workspace.scores(p);
  const Rows<T> grad = workspace.grad(p);
  const Rows<T> upstream = queries(p, dy);
  multiply_keys(workspace, p, scores, queries(p, q), keys(p, k), p.scale(), kLowest<T>);
  multiply_keys(workspace, p, grad, upstream, keys(p, v), T(1), T(0));
  for (std::int64_t i = 0; i < p.q_rows; ++i) {
    backward_row(grad[i], scores[i], dweight, p.weight, workspace.factors(p, i), Normalizer<T>{row_max[i], row_sum[i]},
                 key.weighting == KeyWeighting::kExact, p.cols());
  }
  multiply<T>(workspace, queries(p, dq), p.q_rows, p.head_size, p.kv_rows, {grad}, {keys(p, k)}, p.scale());
  multiply<T>(workspace, keys(p, dk), p.kv_rows, p.head_size, p.q_rows, {grad, As::kTransposed}, {queries(p, q)},
              p.scale());
  multiply<T>(workspace, keys(p, dv), p.kv_rows, p.head_size, p.q_rows, {scores, As::kTransposed}, {upstream});
}

}  // namespace

void packed_attention(Tensor& y, Tensor& row_max, Tensor& row_sum, const Tensor& q, const Tensor& k, const Tensor& v,
                      const Tensor& key_weight, const AttentionKey& key) {
  dispatch_floating(y.dtype(), "packed_attention", [&]<class T>() {
    check_offsets(key.q_offsets, q.shape()[0]);
    check_offsets(key.kv_offsets, k.shape()[0]);
    const std::int64_t head_size = q.shape()[1] / key.heads;
    AttentionSpace<T> workspace(key, AttentionPass::kForward);
    for_each_head<T>(key, head_size, key_weight, workspace.threads(), [&](const AttentionUnit<T>& p) {
      const std::int64_t at = p.head * q.shape()[0] + p.first_q;
      attend(p, key, workspace, queries(p, q), keys(p, k), keys(p, v), queries(p, y), row_max.data<T>() + at,
             row_sum.data<T>() + at);
    });
    clear_rows_of_no_sentence(y, key.q_offsets);
  });
}

void packed_attention_backward(Tensor& dq, Tensor& dk, Tensor& dv, const SumTarget& dweight, const Tensor& dy,
                               const Tensor& /*y*/, const Tensor& q, const Tensor& k, const Tensor& v,
                               const Tensor& row_max, const Tensor& row_sum, const Tensor& key_weight,
                               const AttentionKey& key) {
  dispatch_floating(dy.dtype(), "packed_attention", [&]<class T>() {
    check_offsets(key.q_offsets, q.shape()[0]);
    check_offsets(key.kv_offsets, k.shape()[0]);
    const std::int64_t head_size = q.shape()[1] / key.heads;
    AttentionSpace<T> workspace(key, AttentionPass::kBackward);
    const std::int64_t kv_rows = k.shape()[0];
    Scratch<T> by_head(dweight ? key.heads * kv_rows : 0);  // dweight before the sum over heads
    if (dweight) std::fill(by_head.data(), by_head.data() + key.heads * kv_rows, T(0));
    for_each_head<T>(key, head_size, key_weight, workspace.threads(), [&](const AttentionUnit<T>& p) {
      const std::int64_t at = p.head * q.shape()[0] + p.first_q;
      backward_head(p, key, workspace, q, k, v, dy, row_max.data<T>() + at, row_sum.data<T>() + at, dq, dk, dv,
                    dweight ? by_head.data() + p.head * kv_rows + p.first_kv : nullptr);
    });
    clear_rows_of_no_sentence(dq, key.q_offsets);
    clear_rows_of_no_sentence(dk, key.kv_offsets);
    clear_rows_of_no_sentence(dv, key.kv_offsets);
    if (!dweight) return;
    for (std::int64_t row = 0; row < kv_rows; ++row) {
      T sum = 0;
      for (std::int64_t head = 0; head < key.heads; ++head) sum += by_head[head * kv_rows + row];
      T& at = dweight.out.data<T>()[row];
      at = dweight.add ? at + sum : sum;
    }
  });
}

}  // namespace tk::cpu
