#include "tensor/cuda/attention.h"

#include <limits>

#include "tensor/cuda/block_reduce.h"
#include "tensor/cuda/pack.h"
#include "tensor/kernels.h"

// The general path: any head size, float64, float32 and bfloat16. One warp a (row, head), which meets the other rows of
// the sentence 32 at a time: first a lane takes the scalar products of one of them, then the lanes share the columns.
// Sums over the other rows lie in shared memory, one lane a column.
namespace tk::cuda {
namespace {

constexpr int kWarps = 4;  // of a block, where their sums fit
constexpr std::int64_t kSharedBytes = 48 * 1024;

// NaN passes, and makes a row's sum NaN.
template <class C>
__device__ C capped_exp(C x) {
  constexpr C kMost = AttentionKey::kMostExponent;
  return exp(x > kMost ? kMost : x);
}

template <class C>
__device__ C inverse_of(C sum) {
  return sum <= C(0) ? C(0) : C(1) / sum;  // NaN stays
}

template <class T>
__device__ compute_t<T> dot(const T* a, const T* b, int n, bool wide) {
  constexpr int kStep = 16 / sizeof(T);
  compute_t<T> sum = 0;
  for (int d = 0; d < n; d += kStep) {
    const Pack<T, kStep> x = load<kStep>(a + d, n - d, wide);
    const Pack<T, kStep> y = load<kStep>(b + d, n - d, wide);
#pragma unroll
    for (int i = 0; i < kStep; ++i) sum += x[i] * y[i];
  }
  return sum;
}

// The columns of a head, a warp's own in shared memory: `index` numbers the sums of one warp.
template <class C>
__device__ C* warp_sums(int head_size, int sums, int index) {
  extern __shared__ double shared[];
  return reinterpret_cast<C*>(shared) + (static_cast<int>(threadIdx.y) * sums + index) * head_size;
}

template <class C>
__device__ void clear(C* sums, int n) {
  for (int d = threadIdx.x; d < n; d += kWarp) sums[d] = 0;
}

// sums = shrink sums + sum over the lanes i < rows of factor(lane i) x(row first + i).
template <class T, class C>
__device__ void add_rows(C* sums, C shrink, C factor, const HeadRows<const T>& x, std::int64_t first, int rows,
                         std::int64_t column, int n) {
  for (int base = 0; base < n; base += kWarp) {
    const int d = base + static_cast<int>(threadIdx.x);
    C sum = d < n ? sums[d] * shrink : C(0);
    for (int i = 0; i < rows; ++i) {
      const C f = __shfl_sync(~0u, factor, i);
      if (d < n) sum += f * static_cast<C>(x.at(first + i, column)[d]);
    }
    if (d < n) sums[d] = sum;
  }
}

template <class T, class C>
__device__ void store_sums(const HeadRows<T>& y, std::int64_t row, std::int64_t column, const C* sums, C scale, int n) {
  for (int d = threadIdx.x; d < n; d += kWarp) y.at(row, column)[d] = static_cast<T>(sums[d] * scale);
}

// 0, 1 / (1 - p), or 1 without dropout: word (head << 16 | original key position) of the query's stream.
template <class T>
__device__ compute_t<T> keep_factor(const AttentionProblem<T>& p, int head, std::int64_t query, std::int64_t key) {
  if (p.random.threshold == 0) return 1;
  const std::int32_t position = p.kv_position[key];
  const Philox words = p.random.words(query, std::int64_t{head} * AttentionKey::kBlocksPerHead + position / 4);
  return word_of(words, position % 4) < p.random.threshold ? 0 : p.random.keep_scale;
}

template <class T>
__device__ compute_t<T> score(const AttentionProblem<T>& p, int head, std::int64_t query, std::int64_t key) {
  const std::int64_t column = std::int64_t{head} * p.head_size;
  return p.scale * dot(p.q.at(query, column), p.k.at(key, column), p.head_size, p.q.wide && p.k.wide);
}

// A row, its sentence and head; `row` runs over `rows` of them.
struct WarpRow {
  std::int64_t row = std::int64_t{blockIdx.x} * blockDim.y + threadIdx.y;
  int head = static_cast<int>(blockIdx.y);
  int sentence = 0;

  __device__ void find(const std::int32_t* offsets, int sentences) {
    sentence = last_at_most(row, sentences, [offsets](int s) { return std::int64_t{offsets[s]}; });
  }
};

template <class T>
__global__ void forward(HeadRows<T> y, compute_t<T>* row_max, compute_t<T>* row_sum, AttentionProblem<T> p) {
  using C = compute_t<T>;
  WarpRow at;
  if (at.row >= p.q_rows) return;
  at.find(p.q_offsets, p.sentences);
  const RowRange keys = p.keys(at.sentence);
  const std::int64_t column = std::int64_t{at.head} * p.head_size;
  constexpr C kLowest = -std::numeric_limits<C>::infinity();
  C* sums = warp_sums<C>(p.head_size, 1, 0);
  clear(sums, p.head_size);
  C largest = kLowest, sum = 0;
  for (std::int64_t first = keys.begin; first < keys.end; first += kWarp) {
    const std::int64_t key = first + threadIdx.x;
    const bool there = key < keys.end;
    const C s = there ? score(p, at.head, at.row, key) : kLowest;
    const C weight = there ? p.weight_of(key) : C(0);
    const C inner = p.exact ? weight : C(there);  // paper mode normalises without the weights
    const C before = largest;
    largest = Largest{}(before, warp_reduce(inner > C(0) ? s : kLowest, Largest{}));
    const C shrink = before == largest ? C(1) : exp(before - largest);
    const C e = there ? capped_exp(s - largest) : C(0);
    sum = sum * shrink + warp_reduce(inner * e, Sum{});
    const C factor = there ? weight * e * keep_factor(p, at.head, at.row, key) : C(0);
    add_rows(sums, shrink, factor, p.v, first, static_cast<int>(std::min<std::int64_t>(kWarp, keys.end - first)),
             column, p.head_size);
  }
  store_sums(y, at.row, column, sums, inverse_of(sum), p.head_size);
  if (threadIdx.x != 0) return;
  row_max[at.head * p.q_rows + at.row] = largest;
  row_sum[at.head * p.q_rows + at.row] = sum;
}

// With p = e / sum (`unit`), P = weight p, g = factor (dy v^T), D = sum(P g), and `inner` the weight in the normaliser:
//   dS = p (weight g - inner D), dweight = p (g - D) in exact mode, p g in paper mode.
template <class C>
struct Pair {
  C unit = 0, weight = 0, inner = 0, factor = 0, grad = 0;

  __device__ C probability() const { return unit * weight; }
  __device__ C d_score(C delta) const { return unit * (weight * grad - inner * delta); }
};

template <class T>
__device__ Pair<compute_t<T>> pair_of(const AttentionProblem<T>& p, const AttentionUpstream<T>& u, int head,
                                      std::int64_t query, std::int64_t key) {
  using C = compute_t<T>;
  const std::int64_t column = std::int64_t{head} * p.head_size;
  const std::int64_t at = head * p.q_rows + query;
  Pair<C> pair;
  pair.unit = capped_exp(score(p, head, query, key) - u.row_max[at]) * inverse_of(u.row_sum[at]);
  pair.weight = p.weight_of(key);
  pair.inner = p.exact ? pair.weight : C(1);
  pair.factor = keep_factor(p, head, query, key);
  pair.grad = pair.factor * dot(u.dy.at(query, column), p.v.at(key, column), p.head_size, u.dy.wide && p.v.wide);
  return pair;
}

// dq of a row, and its D: the sum over keys of P g is the product of the row's dy and y.
template <class T>
__global__ void backward_query(HeadRows<T> dq, compute_t<T>* deltas, AttentionUpstream<T> u, AttentionProblem<T> p) {
  using C = compute_t<T>;
  WarpRow at;
  if (at.row >= p.q_rows) return;
  at.find(p.q_offsets, p.sentences);
  const RowRange keys = p.keys(at.sentence);
  const std::int64_t column = std::int64_t{at.head} * p.head_size;
  C delta = 0;
  for (int d = threadIdx.x; d < p.head_size; d += kWarp) {
    delta += static_cast<C>(u.dy.at(at.row, column)[d]) * static_cast<C>(u.y.at(at.row, column)[d]);
  }
  delta = warp_reduce(delta, Sum{});
  C* sums = warp_sums<C>(p.head_size, 1, 0);
  clear(sums, p.head_size);
  for (std::int64_t first = keys.begin; first < keys.end; first += kWarp) {
    const std::int64_t key = first + threadIdx.x;
    const Pair<C> pair = key < keys.end ? pair_of(p, u, at.head, at.row, key) : Pair<C>();
    add_rows(sums, C(1), pair.d_score(delta), p.k, first,
             static_cast<int>(std::min<std::int64_t>(kWarp, keys.end - first)), column, p.head_size);
  }
  store_sums(dq, at.row, column, sums, p.scale, p.head_size);
  if (threadIdx.x == 0) deltas[at.head * p.q_rows + at.row] = delta;
}

// dk and dv of a row, and its head's part of dweight (null without weights).
template <class T>
__global__ void backward_key(HeadRows<T> dk, HeadRows<T> dv, compute_t<T>* dweight, const compute_t<T>* deltas,
                             AttentionUpstream<T> u, AttentionProblem<T> p) {
  using C = compute_t<T>;
  WarpRow at;
  if (at.row >= p.kv_rows) return;
  at.find(p.kv_offsets, p.sentences);
  const RowRange queries = p.queries(at.sentence);
  const std::int64_t column = std::int64_t{at.head} * p.head_size;
  C* dk_sums = warp_sums<C>(p.head_size, 2, 0);
  C* dv_sums = warp_sums<C>(p.head_size, 2, 1);
  clear(dk_sums, p.head_size);
  clear(dv_sums, p.head_size);
  C weight_sum = 0;
  for (std::int64_t first = queries.begin; first < queries.end; first += kWarp) {
    const std::int64_t query = first + threadIdx.x;
    const bool there = query < queries.end;
    const Pair<C> pair = there ? pair_of(p, u, at.head, query, at.row) : Pair<C>();
    const C delta = there ? deltas[at.head * p.q_rows + query] : C(0);
    const int rows = static_cast<int>(std::min<std::int64_t>(kWarp, queries.end - first));
    add_rows(dk_sums, C(1), pair.d_score(delta), p.q, first, rows, column, p.head_size);
    add_rows(dv_sums, C(1), pair.probability() * pair.factor, u.dy, first, rows, column, p.head_size);
    weight_sum += pair.unit * (pair.grad - (p.exact ? delta : C(0)));
  }
  store_sums(dk, at.row, column, dk_sums, p.scale, p.head_size);
  store_sums(dv, at.row, column, dv_sums, C(1), p.head_size);
  weight_sum = warp_reduce(weight_sum, Sum{});
  if (dweight != nullptr && threadIdx.x == 0) dweight[at.head * p.kv_rows + at.row] = weight_sum;
}

// Grid and block of a warp for each (row, head) whose warps keep `sums` times the head's columns.
struct RowLaunch {
  dim3 grid, block;
  std::size_t shared_bytes;

  template <class T>
  RowLaunch(const AttentionProblem<T>& p, std::int64_t rows, int sums) {
    const std::int64_t bytes = sums * p.head_size * static_cast<std::int64_t>(sizeof(compute_t<T>));
    TK_CHECK(bytes <= kSharedBytes, "packed_attention: heads of ", p.head_size, " columns do not fit a CUDA block");
    const std::int64_t warps = std::min<std::int64_t>(kWarps, kSharedBytes / std::max<std::int64_t>(1, bytes));
    grid = dim3(blocks(rows, warps), static_cast<unsigned>(p.heads));
    block = dim3(kWarp, static_cast<unsigned>(warps));
    shared_bytes = static_cast<std::size_t>(warps * bytes);
  }
};

// dq, dk and dv, and the heads' parts of dweight (null without weights).
template <class T>
void backward_of_heads(HeadRows<T> dq, HeadRows<T> dk, HeadRows<T> dv, compute_t<T>* dweight,
                       const AttentionUpstream<T>& u, const AttentionProblem<T>& p) {
  if constexpr (std::is_same_v<T, BFloat16>) {
    const bool wide = u.dy.wide && u.y.wide && dq.wide && dk.wide && dv.wide;
    if (wide && has_matrix_path(p)) return matrix_attention_backward(dq, dk, dv, dweight, u, p);
  }
  const Tensor deltas = empty({p.heads, p.q_rows}, dtype_of<compute_t<T>>, Device::kCuda);
  auto* const delta = deltas.data<compute_t<T>>();
  const RowLaunch by_query(p, p.q_rows, 1), by_key(p, p.kv_rows, 2);
  backward_query<<<by_query.grid, by_query.block, by_query.shared_bytes, stream()>>>(dq, delta, u, p);
  backward_key<<<by_key.grid, by_key.block, by_key.shared_bytes, stream()>>>(dk, dv, dweight, delta, u, p);
  check_launch("packed_attention_backward");
}

}  // namespace

void packed_attention(Tensor& y, Tensor& row_max, Tensor& row_sum, const Tensor& q, const Tensor& k, const Tensor& v,
                      const Tensor& key_weight, const AttentionKey& key) {
  dispatch_arithmetic(y.dtype(), "packed_attention", [&]<class T>() {
    using C = compute_t<T>;
    const AttentionProblem<T> p(q, k, v, key_weight, key);
    const HeadRows<T> y_rows(y, p.head_size);
    if constexpr (std::is_same_v<T, BFloat16>) {
      if (y_rows.wide && has_matrix_path(p)) return matrix_attention(y_rows, row_max.data<C>(), row_sum.data<C>(), p);
    }
    const RowLaunch launch(p, p.q_rows, 1);
    forward<<<launch.grid, launch.block, launch.shared_bytes, stream()>>>(y_rows, row_max.data<C>(), row_sum.data<C>(),
                                                                          p);
    check_launch("packed_attention");
  });
}

void packed_attention_backward(Tensor& dq, Tensor& dk, Tensor& dv, const SumTarget& dweight, const Tensor& dy, const Tensor& y,
                               const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& row_max,
                               const Tensor& row_sum, const Tensor& key_weight, const AttentionKey& key) {
  dispatch_arithmetic(dy.dtype(), "packed_attention", [&]<class T>() {
    using C = compute_t<T>;
    const AttentionProblem<T> p(q, k, v, key_weight, key);
    const Tensor by_head =  // dweight before the sum over heads
        dweight ? empty({key.heads, p.kv_rows}, dweight.out.dtype(), Device::kCuda) : Tensor();
    C* const weights = dweight ? by_head.data<C>() : nullptr;
    const AttentionUpstream<T> u{HeadRows<const T>(dy, p.head_size), HeadRows<const T>(y, p.head_size),
                                 row_max.data<C>(), row_sum.data<C>()};
    backward_of_heads(HeadRows<T>(dq, p.head_size), HeadRows<T>(dk, p.head_size), HeadRows<T>(dv, p.head_size), weights,
                      u, p);
    if (Tensor sum = dweight.out; dweight) sum_columns(sum, by_head, dweight.add);
  });
}

}  // namespace tk::cuda
