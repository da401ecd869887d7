#pragma once

#include "tensor/cuda/pack.h"
#include "tensor/kernel_arguments.h"

// Rows of bfloat16 that a warp holds in registers: lane l has the vectors l, l + 32, ... of each.
namespace tk::cuda {

inline constexpr int kVector = 8;       // elements, 16 bytes
inline constexpr int kMostVectors = 4;  // of a row, of each lane
inline constexpr int kMostHidden = kMostVectors * kVector * kWarp;

using Vector = Pack<BFloat16, kVector>;

/// Sums of x[i] over each `lanes` adjacent lanes.
template <int N>
__device__ void sum_over_lanes(float (&x)[N], int lanes) {
#pragma unroll
  for (int distance = lanes / 2; distance > 0; distance /= 2) {
#pragma unroll
    for (int i = 0; i < N; ++i) x[i] += __shfl_xor_sync(~0u, x[i], distance);
  }
}

/// 1 / sqrt(variance + epsilon) in place of sums of squares.
template <int N>
__device__ void finish_rstd(float (&x)[N], float share, float epsilon) {
#pragma unroll
  for (int r = 0; r < N; ++r) x[r] = rsqrtf(x[r] * share + epsilon);
}

/// f(i, vector) for each of a lane's vectors of a row.
template <class F>
__device__ void for_each_vector(int hidden, F f) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
  for (int i = 0; i < kMostVectors; ++i) {
    if (const int at = lane + kWarp * i; at < hidden / kVector) f(i, at);
  }
}

/// N rows at once, so that as many loads are in flight.
template <int N>
struct HeldRows {
  Vector x[N][kMostVectors];

  /// The rows that begin at row(0), row(1), ...
  template <class Row>
  __device__ void load_rows(int hidden, Row row) {
    for_each_vector(hidden, [&](int i, int at) {
#pragma unroll
      for (int r = 0; r < N; ++r) x[r][i] = load<kVector>(row(r) + kVector * at, kVector, true);
    });
  }

  __device__ void store_row(int r, BFloat16* to, int hidden) const {
    for_each_vector(hidden, [&](int i, int at) { store(to + kVector * at, x[r][i], kVector, true); });
  }

  /// Mean and 1 / sqrt(variance + epsilon) of each.
  __device__ void moments(float (&mean)[N], float (&rstd)[N], float epsilon, int hidden) const {
    const float share = 1.0f / static_cast<float>(hidden);
#pragma unroll
    for (int r = 0; r < N; ++r) mean[r] = rstd[r] = 0.0f;
    for_each_vector(hidden, [&](int i, int) {
#pragma unroll
      for (int r = 0; r < N; ++r) {
        for (int k = 0; k < kVector; ++k) mean[r] += x[r][i][k];
      }
    });
    sum_over_lanes(mean, kWarp);
#pragma unroll
    for (int r = 0; r < N; ++r) mean[r] *= share;
    for_each_vector(hidden, [&](int i, int) {
#pragma unroll
      for (int r = 0; r < N; ++r) {
        for (int k = 0; k < kVector; ++k) rstd[r] += (x[r][i][k] - mean[r]) * (x[r][i][k] - mean[r]);
      }
    });
    sum_over_lanes(rstd, kWarp);
    finish_rstd(rstd, share, epsilon);
  }

  /// LN of the rows for which is(r), the others as they are.
  template <class Is>
  __device__ void normalize(const float* gamma, const float* beta, float epsilon, int hidden, Is is) {
    float mean[N], rstd[N];
    moments(mean, rstd, epsilon, hidden);
    for_each_vector(hidden, [&](int i, int at) {
      const Pack<float, kVector> g = load<kVector>(gamma + kVector * at, kVector, true);
      const Pack<float, kVector> b = load<kVector>(beta + kVector * at, kVector, true);
#pragma unroll
      for (int r = 0; r < N; ++r) {
        if (!is(r)) continue;
        float y[kVector];
        for (int k = 0; k < kVector; ++k) y[k] = (x[r][i][k] - mean[r]) * rstd[r] * g[k] + b[k];
        x[r][i] = Vector(y);
      }
    });
  }
};

/// What makes the next state of the rows of a residual: LN(residual + (branch + bias)), the sum rounded as it would be
/// stored.
struct ResidualBranch {
  const BFloat16* branch;  // null: the rows stay
  const float *bias, *gamma, *beta;
  float epsilon;
  int hidden;

  ResidualBranch(const Tensor& branch, const ResidualNorm& norm, std::int64_t hidden)
      : branch(data_or_null<BFloat16>(branch)),
        bias(data_or_null<float>(norm.bias)),
        gamma(data_or_null<float>(norm.gamma)),
        beta(data_or_null<float>(norm.beta)),
        epsilon(static_cast<float>(norm.epsilon)),
        hidden(static_cast<int>(hidden)) {}

  /// place: the rows' places in the branch; a row without one, of place -1, stays.
  template <int N>
  __device__ void apply(HeldRows<N>& held, const std::int64_t (&place)[N]) const {
    for_each_vector(hidden, [&](int i, int at) {
      const Pack<float, kVector> b = load<kVector>(bias + kVector * at, kVector, true);
      Vector from[N];
#pragma unroll
      for (int r = 0; r < N; ++r) {
        from[r] = load<kVector>(branch + max(place[r], std::int64_t{0}) * hidden + kVector * at, kVector, true);
      }
#pragma unroll
      for (int r = 0; r < N; ++r) {
        if (place[r] < 0) continue;
        float sum[kVector];
        for (int k = 0; k < kVector; ++k) sum[k] = held.x[r][i][k] + (from[r][k] + b[k]);
        held.x[r][i] = Vector(sum);
      }
    });
    held.normalize(gamma, beta, epsilon, hidden, [&](int r) { return place[r] >= 0; });
  }
};

}  // namespace tk::cuda
