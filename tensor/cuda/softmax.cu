#include "tensor/cuda/softmax_row.h"
#include "tensor/kernels.h"

namespace tk::cuda {
namespace {

// A block a row; the passes after the first find the row in the cache.

template <class T>
__global__ void softmax_rows(T* y, const T* x, std::int64_t cols) {
  const std::int64_t at = blockIdx.x * cols;
  softmax_row(y + at, x + at, softmax_sums(x + at, cols), cols);
}

// dx = y (dy - sum(dy y))
template <class T>
__global__ void softmax_backward_rows(T* dx, const T* dy, const T* y, std::int64_t cols) {
  using C = compute_t<T>;
  const std::int64_t at = blockIdx.x * cols;
  C sum = 0;
  for (std::int64_t i = threadIdx.x; i < cols; i += blockDim.x) {
    sum += static_cast<C>(dy[at + i]) * static_cast<C>(y[at + i]);
  }
  sum = block_reduce(sum, Sum{});
  for (std::int64_t i = threadIdx.x; i < cols; i += blockDim.x) {
    dx[at + i] = static_cast<T>(static_cast<C>(y[at + i]) * (static_cast<C>(dy[at + i]) - sum));
  }
}

template <class T>
__global__ void log_softmax_rows(T* y, const T* x, std::int64_t cols) {
  using C = compute_t<T>;
  const std::int64_t at = blockIdx.x * cols;
  const SoftmaxSums<C> sums = softmax_sums(x + at, cols);
  const C log_sum = std::log(sums.sum);
  for (std::int64_t i = threadIdx.x; i < cols; i += blockDim.x) {
    y[at + i] =
        static_cast<T>((static_cast<C>(x[at + i]) - sums.largest) - log_sum);  // a common offset cancels exactly
  }
}

// dx = dy - exp(y) sum(dy)
template <class T>
__global__ void log_softmax_backward_rows(T* dx, const T* dy, const T* y, std::int64_t cols) {
  using C = compute_t<T>;
  const std::int64_t at = blockIdx.x * cols;
  C sum = 0;
  for (std::int64_t i = threadIdx.x; i < cols; i += blockDim.x) sum += static_cast<C>(dy[at + i]);
  sum = block_reduce(sum, Sum{});
  for (std::int64_t i = threadIdx.x; i < cols; i += blockDim.x) {
    dx[at + i] = static_cast<T>(static_cast<C>(dy[at + i]) - std::exp(static_cast<C>(y[at + i])) * sum);
  }
}

}  // namespace

void softmax(Tensor& y, const Tensor& x) {
  if (y.numel() == 0) return;
  dispatch_arithmetic(y.dtype(), "softmax", [&]<class T>() {
    const std::int64_t cols = y.shape().back();
    softmax_rows<<<blocks(y.numel(), cols), row_threads(cols), 0, stream()>>>(y.data<T>(), x.data<T>(), cols);
    check_launch("softmax");
  });
}

void softmax_backward(Tensor& dx, const Tensor& dy, const Tensor& y) {
  if (y.numel() == 0) return;
  dispatch_arithmetic(y.dtype(), "softmax", [&]<class T>() {
    const std::int64_t cols = y.shape().back();
    softmax_backward_rows<<<blocks(y.numel(), cols), row_threads(cols), 0, stream()>>>(dx.data<T>(), dy.data<T>(),
                                                                                       y.data<T>(), cols);
    check_launch("softmax_backward");
  });
}

void log_softmax(Tensor& y, const Tensor& x) {
  if (y.numel() == 0) return;
  dispatch_arithmetic(y.dtype(), "log_softmax", [&]<class T>() {
    const std::int64_t cols = y.shape().back();
    log_softmax_rows<<<blocks(y.numel(), cols), row_threads(cols), 0, stream()>>>(y.data<T>(), x.data<T>(), cols);
    check_launch("log_softmax");
  });
}

void log_softmax_backward(Tensor& dx, const Tensor& dy, const Tensor& y) {
  if (y.numel() == 0) return;
  dispatch_arithmetic(y.dtype(), "log_softmax", [&]<class T>() {
    const std::int64_t cols = y.shape().back();
    log_softmax_backward_rows<<<blocks(y.numel(), cols), row_threads(cols), 0, stream()>>>(dx.data<T>(), dy.data<T>(),
                                                                                           y.data<T>(), cols);
    check_launch("log_softmax_backward");
  });
}

}  // namespace tk::cuda
