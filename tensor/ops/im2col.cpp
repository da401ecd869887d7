#include "tensor/ops/im2col.h"

#include <algorithm>
#include <limits>

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

Pooled max_pool2d(const Tensor& x, const Window& window) {
  TK_CHECK(x.rank() == 4, "max_pool2d: expected [n, channels, height, width], got ", x.shape());
  const std::int64_t height = x.shape()[2], width = x.shape()[3];
  count_places("max_pool2d", window, height, width);
  TK_CHECK(window.dilation == 1 && 2 * window.padding <= std::min(window.height, window.width),
           "max_pool2d: expected a padding of at most half the window, ", window.height, " x ", window.width, ", got ",
           window.padding, ", and a dilation of 1, got ", window.dilation);
  TK_CHECK(height * width <= std::numeric_limits<std::int32_t>::max(), "max_pool2d: an image of ", height, " x ", width,
           " has more elements than an int32 counts");
  const Shape places = {x.shape()[0], x.shape()[1], window.places(height, window.height),
                        window.places(width, window.width)};
  Pooled pooled{empty(places, x.dtype(), x.device()), empty(places, DType::kInt32, x.device())};
  max_pool_kernel(x.device(), pooled.y, pooled.index, x.contiguous(), window);
  return pooled;
}

Tensor max_pool2d_backward(const Tensor& dy, const Tensor& index, const Window& window, std::int64_t height,
                           std::int64_t width) {
  TK_CHECK(dy.rank() == 4 && dy.shape() == index.shape(), "max_pool2d_backward: expected a gradient of ", index.shape(),
           ", got ", dy.shape());
  Tensor dx = empty({dy.shape()[0], dy.shape()[1], height, width}, dy.dtype(), dy.device());
  max_pool_backward_kernel(dy.device(), dx, dy.contiguous(), index, window);
  return dx;
}

}  // namespace tk
