#pragma once

#include <cmath>

#include "tensor/cuda/launch.h"
#include "tensor/cuda/random_rows.h"
#include "tensor/kernel_arguments.h"

// What the two paths of packed attention share: the general one (attention.cu) and the one on the matrix units
// (attention_mma.cu).
namespace tk::cuda {

/// A matrix [rows, heads * head size]. `wide`: a head's part of every row begins at a multiple of 16 bytes.
template <class T>
struct HeadRows {
  T* data = nullptr;
  std::int64_t stride = 0;
  bool wide = false;

  HeadRows() = default;
  HeadRows(const Tensor& x, std::int64_t head_size)
      : data(x.data<std::remove_const_t<T>>()),
        stride(x.strides()[0]),
        wide(reinterpret_cast<std::uintptr_t>(data) % 16 == 0 && stride * sizeof(T) % 16 == 0 &&
             head_size * sizeof(T) % 16 == 0) {}

  __host__ __device__ T* at(std::int64_t row, std::int64_t column) const { return data + row * stride + column; }
};

struct RowRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// Everything that a kernel reads in both directions. Rows behind the last sentence (a batch that was rounded up) count
/// as sentence number `sentences`, which has no rows to meet: they get zeros, like any row that meets none.
template <class T>
struct AttentionProblem {
  using C = compute_t<T>;

  HeadRows<const T> q, k, v;
  const C* weight = nullptr;  // [kv rows] or null
  const std::int32_t* q_offsets;
  const std::int32_t* kv_offsets;
  const std::int32_t* kv_position = nullptr;  // read with dropout
  std::int64_t q_rows, kv_rows;
  int sentences, heads, head_size;
  C scale;     // 1 / sqrt(head size)
  bool exact;  // the weights enter the normaliser
  bool fills_dummies;
  RandomRows random;

  AttentionProblem(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& key_weight, const AttentionKey& key)
      : q_offsets(key.q_offsets.data<std::int32_t>()),
        kv_offsets(key.kv_offsets.data<std::int32_t>()),
        q_rows(q.shape()[0]),
        kv_rows(k.shape()[0]),
        sentences(static_cast<int>(key.q_offsets.numel()) - 1),
        heads(static_cast<int>(key.heads)),
        head_size(static_cast<int>(q.shape()[1] / key.heads)),
        scale(static_cast<C>(1.0 / std::sqrt(static_cast<double>(head_size)))),
        exact(key.weighting == KeyWeighting::kExact),
        fills_dummies(key.fills_dummies),
        random(key.dropout) {
    this->q = {q, head_size};
    this->k = {k, head_size};
    this->v = {v, head_size};
    if (key_weight.defined()) weight = key_weight.data<C>();
    if (key.dropout.p > 0) kv_position = key.kv_position.data<std::int32_t>();
  }

  /// The rows that sentence i's keys meet, and those that its queries meet.
  __device__ RowRange queries(int i) const {
    return i < sentences ? RowRange{q_offsets[i], q_offsets[i + 1]} : RowRange{};
  }
  __device__ RowRange keys(int i) const {
    return i < sentences ? RowRange{kv_offsets[i], kv_offsets[i + 1]} : RowRange{};
  }
  __device__ C weight_of(std::int64_t key) const { return weight == nullptr ? C(1) : weight[key]; }
};

/// What the backward reads besides.
template <class T>
struct AttentionUpstream {
  using C = compute_t<T>;

  HeadRows<const T> dy;
  HeadRows<const T> y;
  const C* row_max;  // [heads, q rows]
  const C* row_sum;
};

#ifdef __CUDACC__

/// The last i in [0, n] with first(i) <= x, where first rises and first(0) <= x. All lanes of a warp call it.
template <class First>
__device__ int last_at_most(std::int64_t x, int n, First first) {
  int count = 0;
  for (int base = 0; base <= n; base += kWarp) {
    const int i = base + static_cast<int>(threadIdx.x % kWarp);
    count += __popc(__ballot_sync(~0u, i <= n && first(i) <= x));
  }
  return count - 1;
}

/// Word i of four, without an address.
__device__ inline std::uint32_t word_of(const Philox& random, std::int32_t i) {
  const std::uint32_t low = (i & 1) != 0 ? random.word[1] : random.word[0];
  const std::uint32_t high = (i & 1) != 0 ? random.word[3] : random.word[2];
  return (i & 2) != 0 ? high : low;
}

#endif

/// Heads of 32 and 64 columns in bfloat16, in rows of whole vectors, on the matrix units. All other matrices have to be
/// `wide` as well.
bool has_matrix_path(const AttentionProblem<BFloat16>& problem);
void matrix_attention(HeadRows<BFloat16> y, float* row_max, float* row_sum, const AttentionProblem<BFloat16>& problem);
/// dweight [heads, kv rows] may be null.
void matrix_attention_backward(HeadRows<BFloat16> dq, HeadRows<BFloat16> dk, HeadRows<BFloat16> dv, float* dweight,
                               const AttentionUpstream<BFloat16>& upstream, const AttentionProblem<BFloat16>& problem);

}  // namespace tk::cuda
