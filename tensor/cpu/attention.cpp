#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/cpu/dropout_row.h"
#include "tensor/kernels.h"

// One unit of work is a (sentence, head) pair: small products by BLAS, rows by vectorised loops. Units share nothing,
// so the order in which threads take them does not matter; the one sum over heads, dweight, is made afterwards in
// order.
namespace tk::cpu {
namespace {

// Caps the exponent of a key that is out of reach of the row's maximum, in the derivative of its weight alone.
constexpr double kMaxExponent = 30;

// BLAS wants a leading stride of at least 1, also of an empty matrix.
int leading(std::int64_t stride) { return static_cast<int>(std::max<std::int64_t>(1, stride)); }

void gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, std::int64_t m, std::int64_t n, std::int64_t k, double alpha,
          const float* a, std::int64_t lda, const float* b, std::int64_t ldb, float* y, std::int64_t ldy) {
  cblas_sgemm(CblasRowMajor, ta, tb, static_cast<int>(m), static_cast<int>(n), static_cast<int>(k),
              static_cast<float>(alpha), a, leading(lda), b, leading(ldb), 0.0f, y, leading(ldy));
}

void gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, std::int64_t m, std::int64_t n, std::int64_t k, double alpha,
          const double* a, std::int64_t lda, const double* b, std::int64_t ldb, double* y, std::int64_t ldy) {
  cblas_dgemm(CblasRowMajor, ta, tb, static_cast<int>(m), static_cast<int>(n), static_cast<int>(k), alpha, a,
              leading(lda), b, leading(ldb), 0.0, y, leading(ldy));
}

template <class T>
TK_SIMD T max_of_row(const T* s, const T* weight, std::int64_t n) {
  constexpr T kLowest = -std::numeric_limits<T>::infinity();
  T largest = kLowest;
  if (weight == nullptr) {
#pragma omp simd reduction(max : largest)
    for (std::int64_t i = 0; i < n; ++i) largest = s[i] > largest ? s[i] : largest;
  } else {
#pragma omp simd reduction(max : largest)
    for (std::int64_t i = 0; i < n; ++i) {
      const T seen = weight[i] > T(0) ? s[i] : kLowest;
      largest = seen > largest ? seen : largest;
    }
  }
  return largest;
}

// e = exp(min(s - largest, 30)) in place; returns sum(weight e) (or sum(e) without weights).
template <class T>
TK_SIMD T exp_of_row(T* s, const T* weight, T largest, std::int64_t n) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) {
    const T exponent = s[i] - largest;
    s[i] = math::exp(exponent < T(kMaxExponent) ? exponent : T(kMaxExponent));
    sum += weight != nullptr ? weight[i] * s[i] : s[i];
  }
  return sum;
}

// p = weight * e * factor / sum, the probabilities that meet v; weight and factor may be null.
template <class T>
TK_SIMD void probabilities_row(T* p, const T* e, const T* weight, const T* factor, T inverse_sum, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    T x = e[i] * inverse_sum;
    if (weight != nullptr) x *= weight[i];
    if (factor != nullptr) x *= factor[i];
    p[i] = x;
  }
}

template <class T>
struct Problem {
  const T* q;
  const T* k;
  const T* v;
  const T* weight;  // of this sentence's keys, or null
  std::int64_t q_rows, kv_rows, first_q, first_kv, head;
};

// Working memory of the threads, for the largest sentence of the batch; and the keep factors of a query row: word
// (head << 16 | original key position) of the query's stream.
template <class T>
class Workspace {
 public:
  explicit Workspace(const AttentionKey& key) : Workspace(key, Sizes(key)) {}

  T* scores() { return scores_.mine(); }
  T* grad() { return grad_.mine(); }

  // Query row i of p; null without dropout.
  const T* factors(const Problem<T>& p, std::int64_t i) {
    if (position_ == nullptr) return nullptr;
    constexpr std::uint32_t kBlocksPerHead = 1u << 14;
    const std::int32_t* position = position_ + p.first_kv;  // ascending within a sentence
    const std::int64_t blocks = p.kv_rows == 0 ? 0 : position[p.kv_rows - 1] / 4 + 1;
    std::uint32_t* words = words_.mine();
    T* factors = factors_.mine();
    random_.words(words, p.first_q + i, blocks, static_cast<std::uint32_t>(p.head) * kBlocksPerHead);
    for (std::int64_t j = 0; j < p.kv_rows; ++j) {
      factors[j] = words[position[j]] < random_.threshold ? T(0) : static_cast<T>(random_.keep_scale);
    }
    return factors;
  }

 private:
  struct Sizes {
    std::int64_t pairs = 0;   // queries times keys
    std::int64_t keys = 0;    // drawn for, with dropout
    std::int64_t blocks = 0;  // of four random words

    explicit Sizes(const AttentionKey& key) {
      const auto* q = key.q_offsets.data<std::int32_t>();
      const auto* kv = key.kv_offsets.data<std::int32_t>();
      for (std::int64_t s = 0; s + 1 < key.q_offsets.numel(); ++s) {
        const std::int64_t rows = kv[s + 1] - kv[s];
        pairs = std::max(pairs, (q[s + 1] - q[s]) * rows);
        if (key.dropout.p == 0 || rows == 0) continue;
        keys = std::max(keys, rows);
        blocks = std::max<std::int64_t>(blocks, key.kv_position.data<std::int32_t>()[kv[s + 1] - 1] / 4 + 1);
      }
    }
  };

  Workspace(const AttentionKey& key, const Sizes& sizes)
      : random_(key.dropout),
        position_(key.dropout.p > 0 ? key.kv_position.data<std::int32_t>() : nullptr),
        scores_(sizes.pairs),
        grad_(sizes.pairs),
        words_(4 * sizes.blocks),
        factors_(sizes.keys) {}

  RandomRows random_;
  const std::int32_t* position_;
  ThreadScratch<T> scores_, grad_;
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

// Calls f(problem) for every sentence and head, in parallel. Always inside a parallel region (see matmul.cpp).
template <class T, class F>
void for_each_head(const AttentionKey& key, const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& weight,
                   F&& f) {
  const auto* q_offsets = key.q_offsets.data<std::int32_t>();
  const auto* kv_offsets = key.kv_offsets.data<std::int32_t>();
  const std::int64_t sentences = key.q_offsets.numel() - 1;
  const std::int64_t head_size = q.shape()[1] / key.heads;
#pragma omp parallel for schedule(dynamic, 4)
  for (std::int64_t unit = 0; unit < sentences * key.heads; ++unit) {
    const std::int64_t s = unit / key.heads;
    const std::int64_t head = unit % key.heads;
    Problem<T> p;
    p.head = head;
    p.first_q = q_offsets[s];
    p.first_kv = kv_offsets[s];
    p.q_rows = q_offsets[s + 1] - q_offsets[s];
    p.kv_rows = kv_offsets[s + 1] - kv_offsets[s];
    p.q = q.data<T>() + p.first_q * q.strides()[0] + head * head_size;
    p.k = k.data<T>() + p.first_kv * k.strides()[0] + head * head_size;
    p.v = v.data<T>() + p.first_kv * v.strides()[0] + head * head_size;
    p.weight = weight.defined() ? weight.data<T>() + p.first_kv : nullptr;
    if (p.q_rows > 0 || p.kv_rows > 0) f(p);
  }
}

template <class T>
void forward_head(const Problem<T>& p, const AttentionKey& key, Workspace<T>& workspace, const Tensor& q,
                  const Tensor& k, const Tensor& v, Tensor& y, T* row_max, T* row_sum) {
  const std::int64_t head_size = q.shape()[1] / key.heads;
  T* scores = workspace.scores();
  gemm(CblasNoTrans, CblasTrans, p.q_rows, p.kv_rows, head_size, 1.0 / std::sqrt(static_cast<double>(head_size)), p.q,
       q.strides()[0], p.k, k.strides()[0], scores, p.kv_rows);
  const bool exact = key.weighting == KeyWeighting::kExact;
  for (std::int64_t i = 0; i < p.q_rows; ++i) {
    T* row = scores + i * p.kv_rows;
    const T* inner_weight = exact ? p.weight : nullptr;  // paper mode normalises without the weights
    const T largest = max_of_row(row, inner_weight, p.kv_rows);
    const T sum = exp_of_row(row, inner_weight, largest, p.kv_rows);
    const T inverse = sum > T(0) ? T(1) / sum : T(0);
    probabilities_row(row, row, p.weight, workspace.factors(p, i), inverse, p.kv_rows);
    row_max[i] = largest;
    row_sum[i] = sum;
  }
  gemm(CblasNoTrans, CblasNoTrans, p.q_rows, head_size, p.kv_rows, 1.0, scores, p.kv_rows, p.v, v.strides()[0],
       y.data<T>() + p.first_q * y.strides()[0] + p.head * head_size, y.strides()[0]);
}

// With p = e / sum (per unit of weight), P = weight p, g = factor * (dy v^T) and D = sum(P g):
//   exact: dS = P (g - D), dweight = p (g - D);  paper: dS = P g - p D, dweight = p g.
// On entry `grad` holds dy v^T; on return dS. `drop` receives P * factor; it may be `e`.
template <class T>
TK_SIMD void backward_row(T* grad, T* drop, T* dweight, const T* e, const T* weight, const T* factor, T inverse_sum,
                          bool exact, std::int64_t n) {
  T dot = 0;
#pragma omp simd reduction(+ : dot)
  for (std::int64_t i = 0; i < n; ++i) {
    const T f = factor != nullptr ? factor[i] : T(1);
    const T probability = e[i] * inverse_sum * (weight != nullptr ? weight[i] : T(1));
    grad[i] *= f;
    dot += probability * grad[i];
  }
  for (std::int64_t i = 0; i < n; ++i) {
    const T unit = e[i] * inverse_sum;
    const T w = weight != nullptr ? weight[i] : T(1);
    if (dweight != nullptr) dweight[i] += exact ? unit * (grad[i] - dot) : unit * grad[i];
    drop[i] = unit * w * (factor != nullptr ? factor[i] : T(1));
    grad[i] = exact ? unit * w * (grad[i] - dot) : unit * (w * grad[i] - dot);
  }
}

template <class T>
void backward_head(const Problem<T>& p, const AttentionKey& key, Workspace<T>& workspace, const Tensor& q,
                   const Tensor& k, const Tensor& v, const Tensor& dy, const T* row_max, const T* row_sum, Tensor& dq,
                   Tensor& dk, Tensor& dv, T* dweight) {
  const std::int64_t head_size = q.shape()[1] / key.heads;
  const double scale = 1.0 / std::sqrt(static_cast<double>(head_size));
  const std::int64_t column = p.head * head_size;
  const T* upstream = dy.data<T>() + p.first_q * dy.strides()[0] + column;
  T* scores = workspace.scores();
  T* grad = workspace.grad();
  gemm(CblasNoTrans, CblasTrans, p.q_rows, p.kv_rows, head_size, scale, p.q, q.strides()[0], p.k, k.strides()[0],
       scores, p.kv_rows);
  gemm(CblasNoTrans, CblasTrans, p.q_rows, p.kv_rows, head_size, 1.0, upstream, dy.strides()[0], p.v, v.strides()[0],
       grad, p.kv_rows);
  for (std::int64_t i = 0; i < p.q_rows; ++i) {
    T* row = scores + i * p.kv_rows;
    exp_of_row<T>(row, nullptr, row_max[i], p.kv_rows);
    backward_row(grad + i * p.kv_rows, row, dweight, row, p.weight, workspace.factors(p, i),
                 row_sum[i] > T(0) ? T(1) / row_sum[i] : T(0), key.weighting == KeyWeighting::kExact, p.kv_rows);
  }
  gemm(CblasNoTrans, CblasNoTrans, p.q_rows, head_size, p.kv_rows, scale, grad, p.kv_rows, p.k, k.strides()[0],
       dq.data<T>() + p.first_q * dq.strides()[0] + column, dq.strides()[0]);
  gemm(CblasTrans, CblasNoTrans, p.kv_rows, head_size, p.q_rows, scale, grad, p.kv_rows, p.q, q.strides()[0],
       dk.data<T>() + p.first_kv * dk.strides()[0] + column, dk.strides()[0]);
  gemm(CblasTrans, CblasNoTrans, p.kv_rows, head_size, p.q_rows, 1.0, scores, p.kv_rows, upstream, dy.strides()[0],
       dv.data<T>() + p.first_kv * dv.strides()[0] + column, dv.strides()[0]);
}

}  // namespace

void packed_attention(Tensor& y, Tensor& row_max, Tensor& row_sum, const Tensor& q, const Tensor& k, const Tensor& v,
                      const Tensor& key_weight, const AttentionKey& key) {
  dispatch_floating(y.dtype(), "packed_attention", [&]<class T>() {
    check_offsets(key.q_offsets, q.shape()[0]);
    check_offsets(key.kv_offsets, k.shape()[0]);
    Workspace<T> workspace(key);
    for_each_head<T>(key, q, k, v, key_weight, [&](const Problem<T>& p) {
      const std::int64_t at = p.head * q.shape()[0] + p.first_q;
      forward_head(p, key, workspace, q, k, v, y, row_max.data<T>() + at, row_sum.data<T>() + at);
    });
    clear_rows_of_no_sentence(y, key.q_offsets);
  });
}

void packed_attention_backward(Tensor& dq, Tensor& dk, Tensor& dv, Tensor& dweight, const Tensor& dy, const Tensor& q,
                               const Tensor& k, const Tensor& v, const Tensor& row_max, const Tensor& row_sum,
                               const Tensor& key_weight, const AttentionKey& key) {
  dispatch_floating(dy.dtype(), "packed_attention", [&]<class T>() {
    check_offsets(key.q_offsets, q.shape()[0]);
    check_offsets(key.kv_offsets, k.shape()[0]);
    Workspace<T> workspace(key);
    const std::int64_t kv_rows = k.shape()[0];
    Scratch<T> by_head(dweight.defined() ? key.heads * kv_rows : 0);  // dweight before the sum over heads
    if (dweight.defined()) std::fill(by_head.data(), by_head.data() + key.heads * kv_rows, T(0));
    for_each_head<T>(key, q, k, v, key_weight, [&](const Problem<T>& p) {
      const std::int64_t at = p.head * q.shape()[0] + p.first_q;
      backward_head(p, key, workspace, q, k, v, dy, row_max.data<T>() + at, row_sum.data<T>() + at, dq, dk, dv,
                    dweight.defined() ? by_head.data() + p.head * kv_rows + p.first_kv : nullptr);
    });
    clear_rows_of_no_sentence(dq, key.q_offsets);
    clear_rows_of_no_sentence(dk, key.kv_offsets);
    clear_rows_of_no_sentence(dv, key.kv_offsets);
    if (!dweight.defined()) return;
    for (std::int64_t row = 0; row < kv_rows; ++row) {
      T sum = 0;
      for (std::int64_t head = 0; head < key.heads; ++head) sum += by_head[head * kv_rows + row];
      dweight.data<T>()[row] = sum;
    }
  });
}

}  // namespace tk::cpu
