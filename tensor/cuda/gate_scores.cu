#include "tensor/cuda/gelu.h"
#include "tensor/cuda/pack.h"
#include "tensor/kernels.h"

namespace tk::cuda {
namespace {

constexpr int kRows = 2;  // of a warp at once: they share what belongs to a column, four times the bytes of bfloat16 x
constexpr int kRowsPerBlock = kRows * kThreads / kWarp;
constexpr int kAdjacent = 4;  // columns

template <class T>
struct Problem {
  using C = compute_t<T>;
  const T* x;  // [rows, width]
  const C *gamma, *beta;
  const C *weight, *bias;  // [outputs, width], [outputs]
  C epsilon;
  std::int64_t rows, width, outputs;
  bool wide;  // four columns of each lie at a multiple of their bytes, up to 16
};

// Four adjacent elements, of which `count` exist; zeros behind them.
template <class T>
__device__ void load_four(compute_t<T>* to, const T* from, std::int64_t count, bool wide) {
  struct alignas(sizeof(T) < 4 ? 8 : 16) Four {
    T x[kAdjacent];
  };
  Four four{};
  if (wide && count >= kAdjacent) {
    four = *reinterpret_cast<const Four*>(from);
  } else {
    for (int k = 0; k < kAdjacent; ++k) {
      if (k < count) four.x[k] = from[k];
    }
  }
  for (int k = 0; k < kAdjacent; ++k) to[k] = static_cast<compute_t<T>>(four.x[k]);
}

template <class C>
__device__ void sum_over_warp(C (&x)[kRows]) {
  for (int distance = kWarp / 2; distance > 0; distance /= 2) {
    for (C& sum : x) sum += __shfl_xor_sync(~0u, sum, distance);
  }
}

// A warp kRows rows, of which a lane has kUnits times four columns; zeros behind the row's end.
template <int kUnits, class T>
__global__ void __launch_bounds__(kThreads) score_rows(compute_t<T>* z, Problem<T> p) {
  using C = compute_t<T>;
  const std::int64_t first = std::int64_t{blockIdx.x} * kRowsPerBlock + threadIdx.x / kWarp * kRows;
  if (first >= p.rows) return;
  const std::int64_t lane = threadIdx.x % kWarp;
  // f(first of four columns, how many from it on, where a lane keeps them)
  const auto for_each_unit = [&](auto f) {
#pragma unroll
    for (int i = 0; i < kUnits; ++i) {
      const std::int64_t col = kAdjacent * (lane + kWarp * i);
      f(col, p.width - col, kAdjacent * i);
    }
  };
  C x[kRows][kAdjacent * kUnits];
  C sums[kRows] = {}, squares[kRows] = {};
  for_each_unit([&](std::int64_t col, std::int64_t count, int at) {
    for (int r = 0; r < kRows; ++r) {
      load_four(&x[r][at], p.x + min(first + r, p.rows - 1) * p.width + col, count, p.wide);
      for (int k = at; k < at + kAdjacent; ++k) sums[r] += x[r][k];
    }
  });
  const auto width = static_cast<C>(p.width);
  sum_over_warp(sums);
  for_each_unit([&](std::int64_t, std::int64_t count, int at) {
    for (int r = 0; r < kRows; ++r) {
      for (int k = 0; k < kAdjacent; ++k) {
        C& v = x[r][at + k];
        v -= sums[r] / width;
        if (k < count) squares[r] += v * v;
      }
    }
  });
  sum_over_warp(squares);
  C rstd[kRows];
  for (int r = 0; r < kRows; ++r) rstd[r] = C(1) / std::sqrt(squares[r] / width + p.epsilon);
  for_each_unit([&](std::int64_t col, std::int64_t count, int at) {
    C gamma[kAdjacent], beta[kAdjacent];
    load_four(gamma, p.gamma + col, count, p.wide);
    load_four(beta, p.beta + col, count, p.wide);
    for (int r = 0; r < kRows; ++r) {
      for (int k = 0; k < kAdjacent; ++k) x[r][at + k] = gelu(x[r][at + k] * rstd[r] * gamma[k] + beta[k]);
    }
  });
  const bool difference = p.outputs == 2;
  const std::int64_t gates = difference ? 1 : p.outputs;
  for (std::int64_t gate = 0; gate < gates; ++gate) {
    C dots[kRows] = {};
    for_each_unit([&](std::int64_t col, std::int64_t count, int at) {
      C w[kAdjacent], subtracted[kAdjacent] = {};
      load_four(w, p.weight + (difference ? 1 : gate) * p.width + col, count, p.wide);
      if (difference) load_four(subtracted, p.weight + col, count, p.wide);
      for (int r = 0; r < kRows; ++r) {
        for (int k = 0; k < kAdjacent; ++k) dots[r] += x[r][at + k] * (w[k] - subtracted[k]);
      }
    });
    sum_over_warp(dots);
    const C bias = difference ? p.bias[1] - p.bias[0] : p.bias[gate];
    for (int r = 0; r < kRows; ++r) {
      if (lane == r && first + r < p.rows) z[(first + r) * gates + gate] = dots[r] + bias;
    }
  }
}

}  // namespace

void gate_scores(Tensor& z, const Tensor& x, const Tensor& gamma, const Tensor& beta, double epsilon,
                 const Tensor& weight, const Tensor& bias) {
  if (z.numel() == 0) return;
  constexpr int kFew = 3, kMany = 8;  // units of a lane
  const std::int64_t width = x.shape()[1];
  TK_CHECK(width <= kMany * kAdjacent * kWarp, "gate_scores: expected a width of at most ", kMany * kAdjacent * kWarp,
           " on CUDA, got ", width);
  dispatch_arithmetic(x.dtype(), "gate_scores", [&]<class T>() {
    using C = compute_t<T>;
    const Problem<T> p{.x = x.data<T>(),
                       .gamma = gamma.data<C>(),
                       .beta = beta.data<C>(),
                       .weight = weight.data<C>(),
                       .bias = bias.data<C>(),
                       .epsilon = static_cast<C>(epsilon),
                       .rows = x.shape()[0],
                       .width = width,
                       .outputs = weight.shape()[0],
                       .wide = wide_rows(width, kAdjacent, x, gamma, beta, weight)};
    const auto kernel = width <= kFew * kAdjacent * kWarp ? score_rows<kFew, T> : score_rows<kMany, T>;
    kernel<<<blocks(p.rows, kRowsPerBlock), kThreads, 0, stream()>>>(z.data<C>(), p);
    check_launch("gate_scores");
  });
}

}  // namespace tk::cuda
