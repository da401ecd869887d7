#include "tensor/cuda/softmax_row.h"
#include "tensor/kernels.h"

namespace tk::cuda {
namespace {

// A block a row. A label out of range is reported, and its row's loss is 0.
template <class T>
__global__ void cross_entropy_rows(compute_t<T>* loss, T* probabilities, const T* logits, const std::int32_t* labels,
                                   std::int64_t classes, unsigned* errors) {
  const T* x = logits + blockIdx.x * classes;
  const SoftmaxSums<compute_t<T>> sums = softmax_sums(x, classes);
  softmax_row(probabilities + blockIdx.x * classes, x, sums, classes);
  if (threadIdx.x != 0) return;
  const std::int32_t label = labels[blockIdx.x];
  const bool valid = label >= 0 && label < classes;
  if (!valid) report(errors, DeviceError::kLabelOutOfRange);
  loss[blockIdx.x] = valid ? std::log(sums.sum) + (sums.largest - static_cast<compute_t<T>>(x[label])) : 0;
}

// dlogits = dloss (probabilities - one_hot(label)); a thread an element.
template <class T>
__global__ void cross_entropy_backward_elements(T* dlogits, const compute_t<T>* dloss, const T* probabilities,
                                                const std::int32_t* labels, std::int64_t classes, std::int64_t n) {
  using C = compute_t<T>;
  const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const std::int64_t row = i / classes;
  const C target = labels[row] == i - row * classes ? C(1) : C(0);
  dlogits[i] = static_cast<T>(dloss[row] * (static_cast<C>(probabilities[i]) - target));
}

}  // namespace

void cross_entropy(Tensor& loss, Tensor& probabilities, const Tensor& logits, const Tensor& labels) {
  const std::int64_t rows = loss.numel(), classes = logits.shape()[1];
  if (rows == 0) return;
  TK_CHECK(classes > 0, "cross_entropy: every label is out of range for 0 classes");
  dispatch_arithmetic(logits.dtype(), "cross_entropy", [&]<class T>() {
    cross_entropy_rows<<<blocks(rows, 1), row_threads(classes), 0, stream()>>>(
        loss.data<compute_t<T>>(), probabilities.data<T>(), logits.data<T>(), labels.data<std::int32_t>(), classes,
        device_errors());
    check_launch("cross_entropy");
  });
}

void cross_entropy_backward(Tensor& dlogits, const Tensor& dloss, const Tensor& probabilities, const Tensor& labels) {
  const std::int64_t n = dlogits.numel();
  if (n == 0) return;
  dispatch_arithmetic(dlogits.dtype(), "cross_entropy", [&]<class T>() {
    cross_entropy_backward_elements<<<blocks(n, kThreads), kThreads, 0, stream()>>>(
        dlogits.data<T>(), dloss.data<compute_t<T>>(), probabilities.data<T>(), labels.data<std::int32_t>(),
        dlogits.shape()[1], n);
    check_launch("cross_entropy_backward");
  });
}

}  // namespace tk::cuda
