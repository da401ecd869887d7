#pragma once

#include "autograd/variable.h"
#include "tensor/kernel_arguments.h"

namespace tk {

/// What a window covers at each of its places: [n, places, channels * window] from x [n, channels, height, width], with
/// `border` outside of the image.
Variable im2col(const Variable& x, const Window& window, double border = 0);

/// Stride, padding and dilation, the same both ways.
struct ConvOptions {
  std::int64_t stride = 1;
  std::int64_t padding = 0;
  std::int64_t dilation = 1;
};
/// x [n, in, height, width] with w [out, in, kernel height, kernel width] and bias [out], which may be undefined, as
/// PyTorch's: a product with the columns of x. [n, out, ...].
Variable conv2d(const Variable& x, const Variable& w, const Variable& bias, const ConvOptions& options = {});

/// The largest, or the mean, of each channel under a window of kernel x kernel that moves by `stride` (0: the kernel).
/// The padding is never the largest, and counts as zeros in a mean.
Variable max_pool2d(const Variable& x, std::int64_t kernel, std::int64_t stride = 0, std::int64_t padding = 0);
/// max_pool2d from the columns of x: its oracle.
Variable max_pool2d_composed(const Variable& x, std::int64_t kernel, std::int64_t stride = 0, std::int64_t padding = 0);
Variable avg_pool2d(const Variable& x, std::int64_t kernel, std::int64_t stride = 0, std::int64_t padding = 0);

}  // namespace tk
