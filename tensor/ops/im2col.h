#pragma once

#include "tensor/kernel_arguments.h"

namespace tk {

/// What a window covers at each of its places, row by row of them: [n, places, channels * window] from x [n, channels,
/// height, width], with `border` outside of the image. So a convolution is a product.
Tensor im2col(const Tensor& x, const Window& window, double border = 0);
/// im2col's adjoint: to each element of an image [height, width] the sum of what the windows over it hold.
Tensor col2im(const Tensor& y, const Window& window, std::int64_t height, std::int64_t width);

}  // namespace tk
