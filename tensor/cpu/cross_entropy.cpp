#include <algorithm>
#include <cmath>

#include "tensor/cpu/parallel.h"
#include "tensor/kernels.h"

namespace tk::cpu {

void cross_entropy(Tensor& loss, Tensor& probabilities, const Tensor& logits, const Tensor& labels) {
  dispatch_floating(logits.dtype(), "cross_entropy", [&]<class T>() {
    softmax(probabilities, logits);
    const std::int64_t classes = logits.shape()[1];
    for (std::int64_t row = 0; row < loss.numel(); ++row) {
      const std::int32_t label = labels.data<std::int32_t>()[row];
      TK_CHECK(label >= 0 && label < classes, "cross_entropy: label ", label, " is out of range for ", classes,
               " classes");
      const T* x = logits.data<T>() + row * classes;
      const T largest = *std::max_element(x, x + classes);
      T sum = 0;
      for (std::int64_t c = 0; c < classes; ++c) sum += std::exp(x[c] - largest);
      loss.data<T>()[row] = std::log(sum) + (largest - x[label]);
    }
  });
}

// dlogits = dloss (probabilities - one_hot(label))
void cross_entropy_backward(Tensor& dlogits, const Tensor& dloss, const Tensor& probabilities, const Tensor& labels) {
  dispatch_floating(dlogits.dtype(), "cross_entropy", [&]<class T>() {
    const std::int64_t classes = dlogits.shape()[1];
    for (std::int64_t row = 0; row < dloss.numel(); ++row) {
      const T upstream = dloss.data<T>()[row];
      for (std::int64_t c = 0; c < classes; ++c) {
        const T target = labels.data<std::int32_t>()[row] == c ? T(1) : T(0);
        dlogits.data<T>()[row * classes + c] = upstream * (probabilities.data<T>()[row * classes + c] - target);
      }
    }
  });
}

}  // namespace tk::cpu
