#include "tensor/binary_ops.h"
#include "tensor/cuda/launch.h"
#include "tensor/kernels.h"

namespace tk::cuda {
namespace {

// The images [channels, h, w], and the places [high, wide] of a window.
struct Images {
  std::int64_t channels, h, w, high, wide;
  Window window;

  Images(const Tensor& x, const Window& window)
      : channels(x.shape()[1]),
        h(x.shape()[2]),
        w(x.shape()[3]),
        high(window.places(h, window.height)),
        wide(window.places(w, window.width)),
        window(window) {}
};

// y [n, high, wide, channels, window]: a thread an element.
template <class T>
__global__ void image_to_columns(T* y, const T* x, Images images, compute_t<T> border, std::int64_t count) {
  std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= count) return;
  T* const to = y + i;
  const auto take = [&](std::int64_t extent) {
    const std::int64_t at = i % extent;
    i /= extent;
    return at;
  };
  const Window& window = images.window;
  std::int64_t s = take(window.width) * window.dilation - window.padding;
  std::int64_t r = take(window.height) * window.dilation - window.padding;
  const std::int64_t c = take(images.channels);
  s += take(images.wide) * window.stride;
  r += take(images.high) * window.stride;
  const bool inside = 0 <= r && r < images.h && 0 <= s && s < images.w;
  *to = inside ? x[((i * images.channels + c) * images.h + r) * images.w + s] : static_cast<T>(border);
}

// A thread an element of the image: it adds what the windows over it hold, place by place.
template <class T>
__global__ void columns_to_image(T* x, const T* y, Images images, std::int64_t count) {
  const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const Window& window = images.window;
  const std::int64_t s = i % images.w + window.padding, r = i / images.w % images.h + window.padding;
  const std::int64_t c = i / (images.w * images.h) % images.channels, n = i / (images.w * images.h * images.channels);
  compute_t<T> sum = 0;
  for (std::int64_t a = window.height - 1; a >= 0; --a) {
    const std::int64_t down = r - a * window.dilation;
    if (down < 0 || down % window.stride != 0 || down / window.stride >= images.high) continue;
    for (std::int64_t b = window.width - 1; b >= 0; --b) {
      const std::int64_t right = s - b * window.dilation;
      if (right < 0 || right % window.stride != 0 || right / window.stride >= images.wide) continue;
      const std::int64_t place = (n * images.high + down / window.stride) * images.wide + right / window.stride;
      sum += static_cast<compute_t<T>>(y[((place * images.channels + c) * window.height + a) * window.width + b]);
    }
  }
  x[i] = static_cast<T>(sum);
}

// A thread a place: the first largest element of the plane [h, w] under the window, and where it lies there.
template <class T>
__global__ void take_largest(T* y, std::int32_t* index, const T* x, Images images, std::int64_t count) {
  const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const Window& window = images.window;
  const T* const plane = x + i / (images.wide * images.high) * images.h * images.w;
  const std::int64_t top = i / images.wide % images.high * window.stride - window.padding;
  const std::int64_t left = i % images.wide * window.stride - window.padding;
  std::int64_t best = -1;
  compute_t<T> largest = 0;
  for (std::int64_t r = max(top, std::int64_t{0}); r < min(top + window.height, images.h); ++r) {
    for (std::int64_t s = max(left, std::int64_t{0}); s < min(left + window.width, images.w); ++s) {
      const auto value = static_cast<compute_t<T>>(plane[r * images.w + s]);
      if (best >= 0 && Maximum::takes_first(largest, value)) continue;
      best = r * images.w + s;
      largest = value;
    }
  }
  y[i] = static_cast<T>(largest);
  index[i] = static_cast<std::int32_t>(best);
}

// A thread an element of the image: it adds what the windows over it give that took it, place by place.
template <class T>
__global__ void give_to_largest(T* dx, const T* dy, const std::int32_t* index, Images images, std::int64_t count) {
  const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const Window& window = images.window;
  const std::int64_t area = images.h * images.w, plane = i / area, at = i - plane * area;
  const std::int64_t s = at % images.w + window.padding, r = at / images.w + window.padding;
  compute_t<T> sum = 0;
  for (std::int64_t k = window.height - 1; k >= 0; --k) {
    const std::int64_t down = r - k, a = down / window.stride;
    if (down < 0 || down % window.stride != 0 || a >= images.high) continue;
    for (std::int64_t l = window.width - 1; l >= 0; --l) {
      const std::int64_t right = s - l, b = right / window.stride;
      if (right < 0 || right % window.stride != 0 || b >= images.wide) continue;
      const std::int64_t place = (plane * images.high + a) * images.wide + b;
      if (index[place] == at) sum += static_cast<compute_t<T>>(dy[place]);
    }
  }
  dx[i] = static_cast<T>(sum);
}

}  // namespace

void im2col(Tensor& y, const Tensor& x, const Window& window, double border) {
  const std::int64_t n = y.numel();
  if (n == 0) return;
  dispatch_arithmetic(x.dtype(), "im2col", [&]<class T>() {
    image_to_columns<<<blocks(n, kThreads), kThreads, 0, stream()>>>(y.data<T>(), x.data<T>(), Images(x, window),
                                                                     static_cast<compute_t<T>>(border), n);
    check_launch("im2col");
  });
}

void col2im(Tensor& x, const Tensor& y, const Window& window) {
  const std::int64_t n = x.numel();
  if (n == 0) return;
  dispatch_arithmetic(x.dtype(), "col2im", [&]<class T>() {
    columns_to_image<<<blocks(n, kThreads), kThreads, 0, stream()>>>(x.data<T>(), y.data<T>(), Images(x, window), n);
    check_launch("col2im");
  });
}

void max_pool(Tensor& y, Tensor& index, const Tensor& x, const Window& window) {
  const std::int64_t n = y.numel();
  if (n == 0) return;
  dispatch_arithmetic(x.dtype(), "max_pool", [&]<class T>() {
    take_largest<<<blocks(n, kThreads), kThreads, 0, stream()>>>(y.data<T>(), index.data<std::int32_t>(), x.data<T>(),
                                                                 Images(x, window), n);
    check_launch("max_pool");
  });
}

void max_pool_backward(Tensor& dx, const Tensor& dy, const Tensor& index, const Window& window) {
  const std::int64_t n = dx.numel();
  if (n == 0) return;
  dispatch_arithmetic(dx.dtype(), "max_pool", [&]<class T>() {
    give_to_largest<<<blocks(n, kThreads), kThreads, 0, stream()>>>(
        dx.data<T>(), dy.data<T>(), index.data<std::int32_t>(), Images(dx, window), n);
    check_launch("max_pool_backward");
  });
}

}  // namespace tk::cuda
