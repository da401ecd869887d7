#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "tensor/cpu/gemm.h"
#include "tensor/cpu/random_rows.h"
#include "tensor/cpu/simd.h"
#include "tensor/kernel_arguments.h"
#include "tensor/scalar_math.h"

// Attention of one sentence in one head: small products, rows by vectorised loops.
namespace tk::cpu {

// Rows of scores are this many elements apart, or a multiple: loops over them have no remainder. Behind the last key a
// score is -inf and a gradient 0, so neither has a share in anything. With key weights, which have no such padding,
// loops end at the last key.
inline constexpr std::int64_t kRowUnit = 16;

template <class T>
constexpr T kLowest = -std::numeric_limits<T>::infinity();

inline std::int64_t row_stride(std::int64_t keys) { return (keys + kRowUnit - 1) / kRowUnit * kRowUnit; }

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
struct AttentionUnit {
  std::int64_t q_rows, kv_rows, first_q, first_kv, head, head_size;
  const T* weight;  // of this sentence's keys, or null

  T scale() const { return T(1) / std::sqrt(static_cast<T>(head_size)); }
  std::int64_t stride() const { return row_stride(kv_rows); }
  std::int64_t cols() const { return weight != nullptr ? kv_rows : stride(); }  // that loops over a row of scores take
};

// What a kernel does: the forward pass needs less memory.
enum class AttentionPass : std::uint8_t { kForward, kBackward };

// Working memory of the threads, for the largest sentence of the batch; and the keep factors of a query row: word
// (head << 16 | original key position) of the query's stream.
template <class T>
class AttentionSpace {
 public:
  AttentionSpace(const AttentionKey& key, AttentionPass pass) : AttentionSpace(key, pass, Sizes(key)) {}

  Rows<T> scores(const AttentionUnit<T>& p) { return {scores_.mine(), p.stride()}; }
  Rows<T> grad(const AttentionUnit<T>& p) { return {grad_.mine(), p.stride()}; }
  void multiply(const Product<T>& p) { gemm_(p); }
  int threads() const { return gemm_.threads(); }

  // Query row i of p; null without dropout.
  const T* factors(const AttentionUnit<T>& p, std::int64_t i) {
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

  AttentionSpace(const AttentionKey& key, AttentionPass pass, const Sizes& sizes)
      : random_(key.dropout),
        position_(key.dropout.p > 0 ? key.kv_position.data<std::int32_t>() : nullptr),
        scores_(sizes.pairs),
        grad_(pass == AttentionPass::kBackward ? sizes.pairs : 0),
        words_(4 * sizes.blocks),
        factors_(sizes.keys) {}

  RandomRows random_;
  const std::int32_t* position_;
  ThreadScratch<T> scores_, grad_;
  Gemm<T> gemm_;
  ThreadScratch<std::uint32_t> words_;
  ThreadScratch<T> factors_;
};

enum class As : std::uint8_t { kStored, kTransposed };

template <class T>
struct Operand {
  Rows<T> rows;
  As as = As::kStored;
};

// y[m, n] = alpha a b, with k to sum over.
template <class T>
void multiply(AttentionSpace<T>& workspace, Rows<T> y, std::int64_t m, std::int64_t n, std::int64_t k, Operand<T> a,
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
void multiply_keys(AttentionSpace<T>& workspace, const AttentionUnit<T>& p, Rows<T> x, Rows<T> queries, Rows<T> keys,
                   T scale, T padding) {
  multiply<T>(workspace, x, p.q_rows, p.kv_rows, p.head_size, {queries}, {keys, As::kTransposed}, scale);
  for (std::int64_t i = 0; i < p.q_rows; ++i) std::fill(x[i] + p.kv_rows, x[i + 1], padding);
}

/// y = attention of the unit's queries, each [its rows, head size]. Maximum and sum of each query's scores go to
/// row_max and row_sum, unless these are null.
template <class T>
void attend(const AttentionUnit<T>& p, const AttentionKey& key, AttentionSpace<T>& workspace, Rows<T> q, Rows<T> k,
            Rows<T> v, Rows<T> y, T* row_max, T* row_sum) {
  const Rows<T> scores = workspace.scores(p);
  multiply_keys(workspace, p, scores, q, k, p.scale(), kLowest<T>);
  const T* counted = key.weighting == KeyWeighting::kExact ? p.weight : nullptr;  // paper mode: not normalised by them
  for (std::int64_t i = 0; i < p.q_rows; ++i) {
    const Normalizer<T> z = softmax_row(scores[i], p.weight, counted, workspace.factors(p, i), p.cols());
    if (row_max == nullptr) continue;
    row_max[i] = z.largest;
    row_sum[i] = z.sum;
  }
  multiply<T>(workspace, y, p.q_rows, p.head_size, p.kv_rows, {scores}, {v});
}

}  // namespace tk::cpu
