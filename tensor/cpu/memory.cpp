#include <array>
#include <cstring>

#include "tensor/convert.h"
#include "tensor/cpu/parallel.h"
#include "tensor/cpu/row_offset.h"
#include "tensor/kernels.h"

namespace tk::cpu {
namespace {

template <class To, class From>
void copy_strided(To* y, const Tensor& y_shape, const From* x, const Tensor& x_shape) {
  const std::int64_t cols = y_shape.rank() == 0 ? 1 : y_shape.shape().back();
  const std::int64_t y_stride = y_shape.rank() == 0 ? 1 : y_shape.strides().back();
  const std::int64_t x_stride = x_shape.rank() == 0 ? 1 : x_shape.strides().back();
  if (y_shape.numel() == 0) return;
  parallel_rows(y_shape.numel() / cols, cols, [&](std::int64_t row) {
    To* to = y + row_offset(y_shape, row);
    const From* from = x + row_offset(x_shape, row);
    for (std::int64_t i = 0; i < cols; ++i) to[i * y_stride] = convert<To>(from[i * x_stride]);
  });
}

}  // namespace

void copy(Tensor& y, const Tensor& x) {
  if (y.dtype() == x.dtype() && y.is_contiguous() && x.is_contiguous()) {
    const std::int64_t size = size_of(y.dtype());
    parallel_chunks(y.numel(), 8 * kElementGrain, [&](std::int64_t begin, std::int64_t end) {
      std::memcpy(static_cast<std::byte*>(y.raw_data()) + begin * size,
                  static_cast<const std::byte*>(x.raw_data()) + begin * size,
                  static_cast<std::size_t>((end - begin) * size));
    });
    return;
  }
  dispatch_all(y.dtype(), [&]<class To>() {
    dispatch_all(x.dtype(), [&]<class From>() { copy_strided(y.data<To>(), y, x.data<From>(), x); });
  });
}

void fill(Tensor& y, double value) {
  dispatch_all(y.dtype(), [&]<class T>() {
    const T element = convert<T>(value);
    T* data = y.data<T>();
    if (!y.is_contiguous()) return copy_strided(data, y, &element, full({}, 0, y.dtype()).expand(y.shape()));
    parallel_chunks(y.numel(), kElementGrain,
                    [&](std::int64_t begin, std::int64_t end) { std::fill(data + begin, data + end, element); });
  });
}

void arange(Tensor& y) {
  dispatch_all(y.dtype(), [&]<class T>() {
    T* data = y.data<T>();
    for (std::int64_t i = 0; i < y.numel(); ++i) data[i] = convert<T>(i);
  });
}

}  // namespace tk::cpu
