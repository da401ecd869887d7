#include <algorithm>
#include <numeric>

#include "tensor/cpu/parallel.h"
#include "tensor/kernels.h"

namespace tk::cpu {

void argsort_rows(Tensor& index, const Tensor& x, bool descending) {
  dispatch_floating(x.dtype(), "sort", [&]<class T>() {
    const std::int64_t cols = x.shape().back();
    parallel_rows(cols == 0 ? 0 : x.numel() / cols, cols, [&](std::int64_t row) {
      const T* from = x.data<T>() + row * cols;
      std::int64_t* places = index.data<std::int64_t>() + row * cols;
      std::iota(places, places + cols, std::int64_t{0});
      const auto below = [&](std::int64_t i, std::int64_t j) {  // NaN is above all others
        return from[i] < from[j] || (from[j] != from[j] && from[i] == from[i]);
      };
      std::stable_sort(places, places + cols,
                       [&](std::int64_t i, std::int64_t j) { return descending ? below(j, i) : below(i, j); });
    });
  });
}

}  // namespace tk::cpu
