#pragma once

#include "tensor/cuda/block_reduce.h"
#include "tensor/cuda/pack.h"

// A row is a block's: thread t holds its columns [t N, t N + N) in registers, so that memory is passed over once.
// Columns behind the row's end are zeros.
namespace tk::cuda {

inline constexpr int kMostRowThreads = 512;

/// Calls f.template operator()<N>() with the columns a thread holds: a unit, or four for rows of more than
/// `most_threads` units.
template <class T, class F>
void dispatch_columns(std::int64_t cols, int most_threads, const char* op, F&& f) {
  constexpr int kFew = kUnit<T>, kMany = 4 * kUnit<T>;
  TK_CHECK(cols <= kMostRowThreads * kMany, op, ": expected rows of at most ", kMostRowThreads * kMany,
           " elements on CUDA, got ", cols);
  cols <= most_threads* kFew ? f.template operator()<kFew>() : f.template operator()<kMany>();
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

// Backward: a block takes some rows at a time, one for each team of blockDim.x threads; threadIdx.y is the team.

/// Threads of a block whose threads hold one unit of columns; with four it is one team of up to kMostRowThreads.
inline constexpr int kTeamThreads = 384;
/// Blocks of a backward, each of which goes over some rows: enough for the device, few enough for the sums of their
/// sums.
inline constexpr std::int64_t kMostBackwardBlocks = 256;

template <class T, int N>
inline constexpr bool kHasTeams = N == kUnit<T>;
template <class T, int N>
inline constexpr int kBackwardThreads = kHasTeams<T, N> ? kTeamThreads : kMostRowThreads;
/// Blocks that a multiprocessor shall hold: with teams of a 16-bit type two, or their loads are too few.
template <class T, int N>
inline constexpr int kBackwardBlocks = kHasTeams<T, N> && sizeof(T) == 2 ? 2 : 1;

template <class T, int N>
dim3 block_of_teams(std::int64_t cols) {
  const unsigned threads = row_threads(cols, N, kBackwardThreads<T, N>);
  return dim3(threads, kHasTeams<T, N> ? kTeamThreads / threads : 1);
}

/// What a thread reads of a row: zeros if there is no such row.
template <class T, int N>
struct UpstreamRow {
  using C = compute_t<T>;
  Pack<T, N> dy{}, x{};
  C mean = 0;
  C rstd = 0;

  UpstreamRow() = default;
  __device__ UpstreamRow(const T* dy, const T* x, const C* mean, const C* rstd, std::int64_t row, std::int64_t end,
                         std::int64_t cols, std::int64_t col, bool wide) {
    if (row >= end) return;
    this->dy = load<N>(dy + row * cols + col, cols - col, wide);
    this->x = load<N>(x + row * cols + col, cols - col, wide);
    this->mean = mean[row];
    this->rstd = rstd[row];
  }
};

/// A thread's columns of S sums over rows: of dgamma, of dbeta, and of a third.
template <class T, int N, int S>
struct RowSums {
  using C = compute_t<T>;
  C of[S][N] = {};

  /// To a block's row of partial [S, blocks, cols]: the sums of its teams in order. All threads of the block call it.
  __device__ void store_partial(C* partial, std::int64_t cols, std::int64_t col, bool wide) {
    if constexpr (kHasTeams<T, N>) add_teams();
    if (threadIdx.y != 0) return;
#pragma unroll
    for (int s = 0; s < S; ++s) {
      store(partial + (s * std::int64_t{gridDim.x} + blockIdx.x) * cols + col, of[s], cols - col, wide);
    }
  }

 private:
  __device__ void add_teams() {
    __shared__ alignas(16) C shared[kTeamThreads * N];
    C* const own = shared + (threadIdx.y * blockDim.x + threadIdx.x) * N;
#pragma unroll
    for (int s = 0; s < S; ++s) {
      __syncthreads();  // the sum before this one was read
      Pack<C, N>(of[s]).put(own);
      __syncthreads();
      if (threadIdx.y != 0) continue;
      for (unsigned team = 1; team < blockDim.y; ++team) {
        const auto other = load<N>(own + team * blockDim.x * N, N, true);
        for (int k = 0; k < N; ++k) of[s][k] += other[k];
      }
    }
  }
};

/// With g = dy gamma and xhat = (x - mean) rstd: dx = rstd (g - mean(g) - xhat mean(g xhat)), dgamma += dy xhat,
/// dbeta += dy.
template <class T, class C, int N, int S>
__device__ void layer_norm_backward_row(C (&dx)[N], RowSums<T, N, S>& sums, const UpstreamRow<T, N>& row,
                                        const Pack<C, N>& gamma, std::int64_t cols) {
  C means[2] = {};  // of g and of g xhat
  for (int k = 0; k < N; ++k) {
    const C xhat = (row.x[k] - row.mean) * row.rstd;
    means[0] += row.dy[k] * gamma[k];
    means[1] += row.dy[k] * gamma[k] * xhat;
    sums.of[0][k] += row.dy[k] * xhat;
    sums.of[1][k] += row.dy[k];
  }
  block_reduce(means, Sum{});
  for (C& mean : means) mean /= static_cast<C>(cols);
  for (int k = 0; k < N; ++k) {
    const C xhat = (row.x[k] - row.mean) * row.rstd;
    dx[k] = row.rstd * (row.dy[k] * gamma[k] - means[0] - xhat * means[1]);
  }
}

}  // namespace tk::cuda
