#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/cpu/dropout_row.h"
#include "tensor/cpu/gemm.h"
#include "tensor/kernels.h"

// One unit of work is a (sentence, head) pair: small products, rows by vectorised loops. Units share nothing, so the
// order in which threads take them does not matter; the one sum over heads, dweight, is made afterwards in order.
namespace tk::cpu {
namespace {

// Rows of scores are this many elements apart, or a multiple: loops over them have no remainder. Behind the last key a
// score is -inf and a gradient 0, so neither has a share in anything. With key weights, which have no such padding,
// loops end at the last key.
constexpr std::int64_t kRowUnit = 16;

template <class T>
constexpr T kLowest = -std::numeric_limits<T>::infinity();

std::int64_t row_stride(std::int64_t keys) { return (keys + kRowUnit - 1) / kRowUnit * kRowUnit; }

template <class T>
struct Normalizer {
  T largest;
  T sum;
  T inverse() const { return sum <= T(0) ? T(0) : T(1) / sum; }  // NaN stays
};

// NaN, which comparisons let pass, makes a row's sum NaN, and so all of its results.
template <class T>
T capped(T exponent) {
  constexpr T kMost = AttentionKey::kMostExponent;
  return exponent > kMost ? kMost : exponent;
}

// Loops that a pointer's presence tells apart are written apart: to a vector instruction whose mask is empty and whose
// address is null a processor gives hundreds of cycles.

// s becomes weight * e * factor / sum(e), the probabilities that meet v, with e = exp(min(s - largest, 30)). Largest
// and sum are taken over `counted`, the weights where they count (a weight of 0 is no key), or null.
template <class T>
TK_SIMD Normalizer<T> softmax_row(T* s, const T* weight, const T* counted, const T* factor, std::int64_t n) {
  T largest = kLowest<T>;
  if (counted == nullptr) {
#pragma omp simd reduction(max : largest)
    for (std::int64_t i = 0; i < n; ++i) largest = s[i] > largest ? s[i] : largest;
  } else {
#pragma omp simd reduction(max : largest)
    for (std::int64_t i = 0; i < n; ++i) {
      const T seen = counted[i] > T(0) ? s[i] : kLowest<T>;
      largest = seen > largest ? seen : largest;
    }
  }
  T sum = 0;
  if (counted == nullptr) {
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < n; ++i) {
      s[i] = math::exp(capped(s[i] - largest));
      sum += s[i];
    }
  } else {
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < n; ++i) {
      s[i] = math::exp(capped(s[i] - largest));
      sum += counted[i] * s[i];
    }
  }
  const Normalizer<T> result{largest, sum};
  const T inverse = result.inverse();
  for (std::int64_t i = 0; i < n; ++i) {
    T x = s[i] * inverse;
    if (weight != nullptr) x *= weight[i];
    if (factor != nullptr) x *= factor[i];
    s[i] = x;
  }
  return result;
}

// factor[j] = 0 or 1 / (1 - p), from the word of the key's original position.
template <class T>
TK_SIMD void keep_factors_at(T* factor, const std::uint32_t* words, const std::int32_t* position,
                             std::uint32_t threshold, T keep_scale, std::int64_t n) {
  for (std::int64_t j = 0; j < n; ++j) factor[j] = words[position[j]] < threshold ? T(0) : keep_scale;
}

// Rows of a matrix, a stride apart: a head's columns of a sentence's rows, or a thread's scores.
template <class T>
struct Rows {
  T* data;
  std::int64_t stride;

  T* operator[](std::int64_t i) const { return data + i * stride; }
};

// One sentence and head.
template <class T>
struct Problem {
  std::int64_t q_rows, kv_rows, first_q, first_kv, head, head_size;
  const T* weight;  // of this sentence's keys, or null

  Rows<T> queries(const Tensor& x) const { return rows(x, first_q); }
  Rows<T> keys(const Tensor& x) const { return rows(x, first_kv); }
  T scale() const { return T(1) / std::sqrt(static_cast<T>(head_size)); }
  std::int64_t stride() const { return row_stride(kv_rows); }
  std::int64_t cols() const { return weight != nullptr ? kv_rows : stride(); }  // that loops over a row of scores take

 private:
  Rows<T> rows(const Tensor& x, std::int64_t first) const {
    return {x.data<T>() + first * x.strides()[0] + head * head_size, x.strides()[0]};
  }
};

// What a kernel does: the forward pass needs less memory.
enum class Pass : std::uint8_t { kForward, kBackward };

// Working memory of the threads, for the largest sentence of the batch; and the keep factors of a query row: word
// (head << 16 | original key position) of the query's stream.
template <class T>
class Workspace {
 public:
  Workspace(const AttentionKey& key, Pass pass) : Workspace(key, pass, Sizes(key)) {}

  Rows<T> scores(const Problem<T>& p) { return {scores_.mine(), p.stride()}; }
  Rows<T> grad(const Problem<T>& p) { return {grad_.mine(), p.stride()}; }
  void multiply(const Product<T>& p) { gemm_(p); }
  int threads() const { return gemm_.threads(); }

  // Query row i of p; null without dropout.
  const T* factors(const Problem<T>& p, std::int64_t i) {
    if (position_ == nullptr) return nullptr;
    const std::int32_t* position = position_ + p.first_kv;  // ascending within a sentence
    const std::int64_t blocks = p.kv_rows == 0 ? 0 : position[p.kv_rows - 1] / 4 + 1;
    std::uint32_t* words = words_.mine();
    T* factors = factors_.mine();
    random_.words(words, p.first_q + i, blocks, static_cast<std::uint32_t>(p.head) * AttentionKey::kBlocksPerHead);
    keep_factors_at(factors, words, position, random_.threshold, static_cast<T>(random_.keep_scale), p.kv_rows);
    std::fill(factors + p.kv_rows, factors + p.stride(), T(0));
    return factors;
  }

 private:
  struct Sizes {
    std::int64_t pairs = 0;   // queries times the stride of their rows
    std::int64_t keys = 0;    // drawn for, with dropout
    std::int64_t blocks = 0;  // of four random words

    explicit Sizes(const AttentionKey& key) {
      const auto* q = key.q_offsets.data<std::int32_t>();
      const auto* kv = key.kv_offsets.data<std::int32_t>();
      for (std::int64_t s = 0; s + 1 < key.q_offsets.numel(); ++s) {
        const std::int64_t rows = kv[s + 1] - kv[s];
        pairs = std::max(pairs, (q[s + 1] - q[s]) * row_stride(rows));
        if (key.dropout.p == 0 || rows == 0) continue;
        keys = std::max(keys, row_stride(rows));
        blocks = std::max<std::int64_t>(blocks, key.kv_position.data<std::int32_t>()[kv[s + 1] - 1] / 4 + 1);
      }
    }
  };

  Workspace(const AttentionKey& key, Pass pass, const Sizes& sizes)
      : random_(key.dropout),
        position_(key.dropout.p > 0 ? key.kv_position.data<std::int32_t>() : nullptr),
        scores_(sizes.pairs),
        grad_(pass == Pass::kBackward ? sizes.pairs : 0),
        words_(4 * sizes.blocks),
        factors_(sizes.keys) {}

  RandomRows random_;
  const std::int32_t* position_;
  ThreadScratch<T> scores_, grad_;
  Gemm<T> gemm_;
  ThreadScratch<std::uint32_t> words_;
  ThreadScratch<T> factors_;
};

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

// Calls f(problem) for every sentence and head, in parallel.
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
    Problem<T> p;
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

enum class As : std::uint8_t { kStored, kTransposed };

template <class T>
struct Operand {
  Rows<T> rows;
  As as = As::kStored;
};

// y[m, n] = alpha a b, with k to sum over.
template <class T>
void multiply(Workspace<T>& workspace, Rows<T> y, std::int64_t m, std::int64_t n, std::int64_t k, Operand<T> a,
              Operand<T> b, T alpha = 1) {
  workspace.multiply({.m = m,
                      .n = n,
                      .k = k,
                      .a = a.rows.data,
                      .lda = a.rows.stride,
                      .transpose_a = a.as == As::kTransposed,
                      .b = b.rows.data,
                      .ldb = b.rows.stride,
                      .transpose_b = b.as == As::kTransposed,
                      .y = y.data,
                      .ldy = y.stride,
                      .alpha = alpha});
}

// x = scale queries keys^T, and `padding` behind the last key.
template <class T>
void multiply_keys(Workspace<T>& workspace, const Problem<T>& p, Rows<T> x, Rows<T> queries, Rows<T> keys, T scale,
                   T padding) {
  multiply<T>(workspace, x, p.q_rows, p.kv_rows, p.head_size, {queries}, {keys, As::kTransposed}, scale);
  for (std::int64_t i = 0; i < p.q_rows; ++i) std::fill(x[i] + p.kv_rows, x[i + 1], padding);
}

template <class T>
void forward_head(const Problem<T>& p, const AttentionKey& key, Workspace<T>& workspace, const Tensor& q,
                  const Tensor& k, const Tensor& v, Tensor& y, T* row_max, T* row_sum) {
  const Rows<T> scores = workspace.scores(p);
  multiply_keys(workspace, p, scores, p.queries(q), p.keys(k), p.scale(), kLowest<T>);
  const T* counted = key.weighting == KeyWeighting::kExact ? p.weight : nullptr;  // paper mode: not normalised by them
  for (std::int64_t i = 0; i < p.q_rows; ++i) {
    const Normalizer<T> z = softmax_row(scores[i], p.weight, counted, workspace.factors(p, i), p.cols());
    row_max[i] = z.largest;
    row_sum[i] = z.sum;
  }
  multiply<T>(workspace, p.queries(y), p.q_rows, p.head_size, p.kv_rows, {scores}, {p.keys(v)});
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
void backward_head(const Problem<T>& p, const AttentionKey& key, Workspace<T>& workspace, const Tensor& q,
                   const Tensor& k, const Tensor& v, const Tensor& dy, const T* row_max, const T* row_sum, Tensor& dq,
                   Tensor& dk, Tensor& dv, T* dweight) {
  const Rows<T> scores = workspace.scores(p);
  const Rows<T> grad = workspace.grad(p);
  const Rows<T> upstream = p.queries(dy);
  multiply_keys(workspace, p, scores, p.queries(q), p.keys(k), p.scale(), kLowest<T>);
  multiply_keys(workspace, p, grad, upstream, p.keys(v), T(1), T(0));
  for (std::int64_t i = 0; i < p.q_rows; ++i) {
    backward_row(grad[i], scores[i], dweight, p.weight, workspace.factors(p, i), Normalizer<T>{row_max[i], row_sum[i]},
                 key.weighting == KeyWeighting::kExact, p.cols());
  }
  multiply<T>(workspace, p.queries(dq), p.q_rows, p.head_size, p.kv_rows, {grad}, {p.keys(k)}, p.scale());
  multiply<T>(workspace, p.keys(dk), p.kv_rows, p.head_size, p.q_rows, {grad, As::kTransposed}, {p.queries(q)},
              p.scale());
  multiply<T>(workspace, p.keys(dv), p.kv_rows, p.head_size, p.q_rows, {scores, As::kTransposed}, {upstream});
}

}  // namespace

void packed_attention(Tensor& y, Tensor& row_max, Tensor& row_sum, const Tensor& q, const Tensor& k, const Tensor& v,
                      const Tensor& key_weight, const AttentionKey& key) {
  dispatch_floating(y.dtype(), "packed_attention", [&]<class T>() {
    check_offsets(key.q_offsets, q.shape()[0]);
    check_offsets(key.kv_offsets, k.shape()[0]);
    const std::int64_t head_size = q.shape()[1] / key.heads;
    Workspace<T> workspace(key, Pass::kForward);
    for_each_head<T>(key, head_size, key_weight, workspace.threads(), [&](const Problem<T>& p) {
      const std::int64_t at = p.head * q.shape()[0] + p.first_q;
      forward_head(p, key, workspace, q, k, v, y, row_max.data<T>() + at, row_sum.data<T>() + at);
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
    Workspace<T> workspace(key, Pass::kBackward);
    const std::int64_t kv_rows = k.shape()[0];
    Scratch<T> by_head(dweight ? key.heads * kv_rows : 0);  // dweight before the sum over heads
    if (dweight) std::fill(by_head.data(), by_head.data() + key.heads * kv_rows, T(0));
    for_each_head<T>(key, head_size, key_weight, workspace.threads(), [&](const Problem<T>& p) {
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
