#pragma once

#include "tensor/cuda/block_reduce.h"
#include "tensor/cuda/pack.h"

// A row is a block's: thread t holds its columns [t N, t N + N) in registers, so that memory is passed over once.
// Columns behind the row's end are zeros.
namespace tk::cuda {

inline constexpr int kMostRowThreads = 512;

/// Calls f.template operator()<N>() with the columns a thread holds: a unit of 16 bytes, or four for long rows.
template <class T, class F>
void dispatch_columns(std::int64_t cols, const char* op, F&& f) {
  constexpr int kFew = kUnit<T>, kMany = 4 * kUnit<T>;
  TK_CHECK(cols <= kMostRowThreads * kMany, op, ": expected rows of at most ", kMostRowThreads * kMany,
           " elements on CUDA, got ", cols);
  cols <= kMostRowThreads* kFew ? f.template operator()<kFew>() : f.template operator()<kMany>();
}

template <class C>
struct Moments {
  C mean;
  C rstd;  // 1 / sqrt(variance + epsilon)
};

template <class C, int N>
__device__ Moments<C> moments_of_row(const C (&x)[N], C epsilon, std::int64_t cols, std::int64_t count) {
  C sum = 0;
  for (int k = 0; k < N; ++k) sum += x[k];
  const C mean = block_reduce(sum, Sum{}) / static_cast<C>(cols);
  C squares = 0;
  for (int k = 0; k < N; ++k) squares += k < count ? (x[k] - mean) * (x[k] - mean) : C(0);
  return {mean, C(1) / std::sqrt(block_reduce(squares, Sum{}) / static_cast<C>(cols) + epsilon)};
}

template <class C, int N>
__device__ void normalize_row(C (&y)[N], const C (&x)[N], Moments<C> moments, const Pack<C, N>& gamma,
                              const Pack<C, N>& beta) {
  for (int k = 0; k < N; ++k) y[k] = (x[k] - moments.mean) * moments.rstd * gamma[k] + beta[k];
}

/// A thread's columns of dgamma and dbeta, summed over its block's rows.
template <class C, int N>
struct AffineSums {
  C dgamma[N] = {};
  C dbeta[N] = {};

  /// To a block's rows of partial [2, blocks, cols].
  __device__ void store_partial(C* partial, std::int64_t cols, std::int64_t col, bool wide) const {
    C* const to = partial + blockIdx.x * cols + col;
    store(to, dgamma, cols - col, wide);
    store(to + gridDim.x * cols, dbeta, cols - col, wide);
  }
};

/// With g = dy gamma and xhat = (x - mean) rstd: dx = rstd (g - mean(g) - xhat mean(g xhat)), dgamma += dy xhat,
/// dbeta += dy.
template <class T, class C, int N>
__device__ void layer_norm_backward_row(C (&dx)[N], AffineSums<C, N>& sums, const Pack<T, N>& dy, const Pack<T, N>& x,
                                        Moments<C> moments, const Pack<C, N>& gamma, std::int64_t cols) {
  C means[2] = {};  // of g and of g xhat
  for (int k = 0; k < N; ++k) {
    const C xhat = (x[k] - moments.mean) * moments.rstd;
    means[0] += dy[k] * gamma[k];
    means[1] += dy[k] * gamma[k] * xhat;
    sums.dgamma[k] += dy[k] * xhat;
    sums.dbeta[k] += dy[k];
  }
  block_reduce(means, Sum{});
  for (C& mean : means) mean /= static_cast<C>(cols);
  for (int k = 0; k < N; ++k) {
    const C xhat = (x[k] - moments.mean) * moments.rstd;
    dx[k] = moments.rstd * (dy[k] * gamma[k] - means[0] - xhat * means[1]);
  }
}

}  // namespace tk::cuda
