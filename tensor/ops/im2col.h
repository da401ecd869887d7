#pragma once

#include "tensor/kernel_arguments.h"

namespace tk {

/// What a window covers at each of its places, row by row of them: [n, places, channels * window] from x [n, channels,
/// height, width], with `border` outside of the image. So a convolution is a product.
Tensor im2col(const Tensor& x, const Window& window, double border = 0);
/// im2col's adjoint: to each element of an image [height, width] the sum of what the windows over it hold.
Tensor col2im(const Tensor& y, const Window& window, std::int64_t height, std::int64_t width);

struct Pooled {
  Tensor y;      ///< [n, channels, places down, places across]
  Tensor index;  ///< int32, where in its plane [height, width] each lies
};
/// The largest of each channel of x [n, channels, height, width] under the window at each of its places; the first of
/// equal ones, and NaN above all. The padding is never the largest, and at most half of the window.
Pooled max_pool2d(const Tensor& x, const Window& window);
/// Its adjoint: to each element of an image [height, width] what the windows give of which it is the largest.
Tensor max_pool2d_backward(const Tensor& dy, const Tensor& index, const Window& window, std::int64_t height,
                           std::int64_t width);

}  // namespace tk
