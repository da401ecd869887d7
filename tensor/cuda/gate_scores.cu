#include "tensor/cuda/block_reduce.h"
#include "tensor/cuda/gelu.h"
#include "tensor/kernels.h"

namespace tk::cuda {
namespace {

constexpr int kRowsPerBlock = kThreads / kWarp;

template <class T>
struct Problem {
  using C = compute_t<T>;
  const T* x;  // [rows, width]
  const C *gamma, *beta;
  const C *weight, *bias;  // [outputs, width], [outputs]
  C epsilon;
  std::int64_t rows, width, outputs;
};

// A warp a row, of which a lane has kItems elements, a warp apart; zeros behind the row's end.
template <int kItems, class T>
__global__ void __launch_bounds__(kThreads) score_rows(compute_t<T>* z, Problem<T> p) {
  using C = compute_t<T>;
  const std::int64_t row = std::int64_t{blockIdx.x} * kRowsPerBlock + threadIdx.x / kWarp;
  if (row >= p.rows) return;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  C x[kItems];
  const auto for_each = [&](auto f) {
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
      if (const std::int64_t col = lane + kWarp * i; col < p.width) f(x[i], col);
    }
  };
  const auto width = static_cast<C>(p.width);
  C sum = 0, squares = 0;
  for_each([&](C& v, std::int64_t col) { sum += v = static_cast<C>(p.x[row * p.width + col]); });
  const C mean = warp_reduce(sum, Sum{}) / width;
  for_each([&](C& v, std::int64_t) {
    v -= mean;
    squares += v * v;
  });
  const C rstd = C(1) / std::sqrt(warp_reduce(squares, Sum{}) / width + p.epsilon);
  for_each([&](C& v, std::int64_t col) { v = gelu(v * rstd * p.gamma[col] + p.beta[col]); });
  const bool difference = p.outputs == 2;
  const std::int64_t gates = difference ? 1 : p.outputs;
  for (std::int64_t gate = 0; gate < gates; ++gate) {
    const C* const weight = p.weight + gate * p.width;
    C dot = 0;
    for_each(
        [&](C v, std::int64_t col) { dot += v * (difference ? weight[p.width + col] - weight[col] : weight[col]); });
    dot = warp_reduce(dot, Sum{});
    if (lane == 0) z[row * gates + gate] = dot + (difference ? p.bias[1] - p.bias[0] : p.bias[gate]);
  }
}

}  // namespace

void gate_scores(Tensor& z, const Tensor& x, const Tensor& gamma, const Tensor& beta, double epsilon,
                 const Tensor& weight, const Tensor& bias) {
  if (z.numel() == 0) return;
  constexpr int kFew = 8, kMany = 32;  // elements of a lane
  const std::int64_t width = x.shape()[1];
  TK_CHECK(width <= kMany * kWarp, "gate_scores: expected a width of at most ", kMany * kWarp, " on CUDA, got ", width);
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
                       .outputs = weight.shape()[0]};
    const auto kernel = width <= kFew * kWarp ? score_rows<kFew, T> : score_rows<kMany, T>;
    kernel<<<blocks(p.rows, kRowsPerBlock), kThreads, 0, stream()>>>(z.data<C>(), p);
    check_launch("gate_scores");
  });
}

}  // namespace tk::cuda
