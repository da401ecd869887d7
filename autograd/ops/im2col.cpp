#include "autograd/ops/im2col.h"

#include <limits>

#include "autograd/ops/matmul.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape.h"
#include "tensor/ops/im2col.h"

namespace tk {
namespace {

// [n, channels, places] as images of the window's places on x.
Variable as_images(const Variable& y, const Variable& x, const Window& window) {
  return reshape(
      y, {y.size(0), y.size(1), window.places(x.size(2), window.height), window.places(x.size(3), window.width)});
}

// What lies under the window for each place and channel: [n, places, channels, window].
Variable under(const Variable& x, const Window& window, double border) {
  const Variable columns = im2col(x, window, border);
  return reshape(columns, {x.size(0), columns.size(1), x.size(1), window.height * window.width});
}

Window pool_window(const char* op, std::int64_t kernel, std::int64_t stride, std::int64_t padding) {
  TK_CHECK(2 * padding <= kernel, op, ": expected a padding of at most half the kernel, ", kernel, ", got ", padding);
  return {.height = kernel, .width = kernel, .stride = stride == 0 ? kernel : stride, .padding = padding};
}

}  // namespace

Variable im2col(const Variable& x, const Window& window, double border) {
  return record("im2col", im2col(x.value(), window, border), {x},
                [window, height = x.size(-2), width = x.size(-1)](const Tensor& dy) -> Tensors {
                  return {col2im(dy, window, height, width)};
                });
}

Variable conv2d(const Variable& x, const Variable& w, const Variable& bias, const ConvOptions& options) {
  TK_CHECK(x.shape().rank() == 4 && w.shape().rank() == 4 && x.size(1) == w.size(1),
           "conv2d: expected x [n, in, height, width] and w [out, in, height, width], got ", x.shape(), " and ",
           w.shape());
  const Window window{.height = w.size(2),
                      .width = w.size(3),
                      .stride = options.stride,
                      .padding = options.padding,
                      .dilation = options.dilation};
  const Variable matrix = reshape(w, {w.size(0), w.size(1) * w.size(2) * w.size(3)});
  return as_images(transpose(linear(im2col(x, window), matrix, bias), 1, 2), x, window);
}

Variable max_pool2d(const Variable& x, std::int64_t kernel, std::int64_t stride, std::int64_t padding) {
  const Window window = pool_window("max_pool2d", kernel, stride, padding);
  const Pooled pooled = max_pool2d(x.value(), window);
  return record("max_pool2d", pooled.y, {x},
                [window, index = Saved(pooled.index), height = x.size(2), width = x.size(3)](
                    const Tensor& dy) -> Tensors { return {max_pool2d_backward(dy, index, window, height, width)}; });
}

Variable max_pool2d_composed(const Variable& x, std::int64_t kernel, std::int64_t stride, std::int64_t padding) {
  const Window window = pool_window("max_pool2d", kernel, stride, padding);
  const Variable largest = max(under(x, window, -std::numeric_limits<double>::infinity()), 3);
  return as_images(transpose(largest, 1, 2), x, window);
}

Variable avg_pool2d(const Variable& x, std::int64_t kernel, std::int64_t stride, std::int64_t padding) {
  const Window window = pool_window("avg_pool2d", kernel, stride, padding);
  return as_images(transpose(mean(under(x, window, 0), 3), 1, 2), x, window);
}

}  // namespace tk
