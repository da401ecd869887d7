#include "tensor/ops/im2col.h"

#include "tensor/kernels.h"

namespace tk {
namespace {

// The places of a window on an image.
std::int64_t count_places(const char* op, const Window& window, std::int64_t height, std::int64_t width) {
  TK_CHECK(window.height >= 1 && window.width >= 1 && window.stride >= 1 && window.dilation >= 1 && window.padding >= 0,
           op,
           ": expected a window of at least 1 x 1, stride and dilation of at least 1 and padding of at least 0, got ",
           window.height, " x ", window.width, ", ", window.stride, ", ", window.dilation, " and ", window.padding);
  const std::int64_t high = window.places(height, window.height), wide = window.places(width, window.width);
  TK_CHECK(high > 0 && wide > 0, op, ": a window of ", window.height, " x ", window.width, " with dilation ",
           window.dilation, " does not fit an image of ", height, " x ", width, " with padding ", window.padding);
  return high * wide;
}

}  // namespace

Tensor im2col(const Tensor& x, const Window& window, double border) {
  TK_CHECK(x.rank() == 4, "im2col: expected [n, channels, height, width], got ", x.shape());
  const std::int64_t places = count_places("im2col", window, x.shape()[2], x.shape()[3]);
  Tensor y = empty({x.shape()[0], places, x.shape()[1] * window.height * window.width}, x.dtype(), x.device());
  im2col_kernel(x.device(), y, x.contiguous(), window, border);
  return y;
}

Tensor col2im(const Tensor& y, const Window& window, std::int64_t height, std::int64_t width) {
  const std::int64_t places = count_places("col2im", window, height, width), area = window.height * window.width;
  TK_CHECK(y.rank() == 3 && y.shape()[1] == places && y.shape()[2] % area == 0, "col2im: expected [n, ", places,
           ", channels * ", area, "], got ", y.shape());
  Tensor x = empty({y.shape()[0], y.shape()[2] / area, height, width}, y.dtype(), y.device());
  col2im_kernel(y.device(), x, y.contiguous(), window);
  return x;
}

}  // namespace tk
