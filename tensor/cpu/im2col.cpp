#include <algorithm>

#include "tensor/cpu/parallel.h"
#include "tensor/kernels.h"

namespace tk::cpu {
namespace {

// The images [channels, h, w], and the places [high, wide] of a window.
struct Images {
  std::int64_t n, channels, h, w, high, wide;

  Images(const Tensor& x, const Window& window)
      : n(x.shape()[0]),
        channels(x.shape()[1]),
        h(x.shape()[2]),
        w(x.shape()[3]),
        high(window.places(h, window.height)),
        wide(window.places(w, window.width)) {}
};

}  // namespace

void im2col(Tensor& y, const Tensor& x, const Window& window, double border) {
  const Images images(x, window);
  const std::int64_t area = window.height * window.width, cols = images.channels * area;
  dispatch_floating(x.dtype(), "im2col", [&]<class T>() {
    parallel_rows(images.n * images.high * images.wide, cols, [&](std::int64_t row) {
      const std::int64_t place = row % (images.high * images.wide);
      const std::int64_t top = place / images.wide * window.stride - window.padding;
      const std::int64_t left = place % images.wide * window.stride - window.padding;
      const T* image = x.data<T>() + row / (images.high * images.wide) * images.channels * images.h * images.w;
      T* to = y.data<T>() + row * cols;
      for (std::int64_t c = 0; c < images.channels; ++c, image += images.h * images.w) {
        for (std::int64_t i = 0; i < window.height; ++i) {
          const std::int64_t r = top + i * window.dilation;
          for (std::int64_t j = 0; j < window.width; ++j) {
            const std::int64_t s = left + j * window.dilation;
            const bool inside = 0 <= r && r < images.h && 0 <= s && s < images.w;
            *to++ = inside ? image[r * images.w + s] : static_cast<T>(border);
          }
        }
      }
    });
  });
}

// Threads share the channels; to each element of the image the places add in their order.
void col2im(Tensor& x, const Tensor& y, const Window& window) {
  const Images images(x, window);
  const std::int64_t area = window.height * window.width, cols = images.channels * area;
  const std::int64_t places = images.high * images.wide;
  dispatch_floating(x.dtype(), "col2im", [&]<class T>() {
    parallel_rows(images.n * images.channels, places * area, [&](std::int64_t plane) {
      T* const image = x.data<T>() + plane * images.h * images.w;
      std::fill(image, image + images.h * images.w, T(0));
      const T* const from = y.data<T>() + plane / images.channels * places * cols + plane % images.channels * area;
      for (std::int64_t place = 0; place < places; ++place) {
        const std::int64_t top = place / images.wide * window.stride - window.padding;
        const std::int64_t left = place % images.wide * window.stride - window.padding;
        for (std::int64_t i = 0; i < window.height; ++i) {
          const std::int64_t r = top + i * window.dilation;
          for (std::int64_t j = 0; j < window.width; ++j) {
            const std::int64_t s = left + j * window.dilation;
            if (0 <= r && r < images.h && 0 <= s && s < images.w) {
              image[r * images.w + s] += from[place * cols + i * window.width + j];
            }
          }
        }
      }
    });
  });
}

}  // namespace tk::cpu
