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

// Which of a window's elements along an extent of an image lie on it, the first of all being at `at`: [begin, end).
struct Part {
  std::int64_t begin = 0, end;

  Part(std::int64_t at, std::int64_t window, std::int64_t dilation, std::int64_t extent) : end(window) {
    while (begin < end && at + begin * dilation < 0) ++begin;
    while (begin < end && at + (end - 1) * dilation >= extent) --end;
  }
};

// At which of a window's places along an extent of an image the window's element that lies `at` at the first place lies
// on the image: [begin, end).
struct Places {
  std::int64_t begin = 0, end = 0;

  Places() = default;
  Places(std::int64_t at, std::int64_t stride, std::int64_t extent, std::int64_t places)
      : begin(std::min(places, at < 0 ? (stride - 1 - at) / stride : 0)),
        end(std::max(begin, std::min(places, at < extent ? (extent - 1 - at) / stride + 1 : 0))) {}
};

// a or b, whichever of x[a] and x[b] is the larger: Maximum, without a branch, which would often be missed.
template <class T>
std::int64_t larger(const T* x, std::int64_t a, std::int64_t b) {
  const bool takes_first = (x[a] >= x[b]) | (x[a] != x[a]);
  return a + (b - a) * !takes_first;
}

// The first largest element of a part of a plane, `rows` by `columns` from `at` on; rows of the plane are `w` long.
template <class T>
std::int64_t largest_of(const T* plane, std::int64_t w, std::int64_t at, std::int64_t rows, std::int64_t columns) {
  std::int64_t best = at;
  for (std::int64_t i = 0; i < rows; ++i, at += w) {
    std::int64_t of_row = at;
    for (std::int64_t j = 1; j < columns; ++j) of_row = larger(plane, of_row, at + j);
    best = i == 0 ? of_row : larger(plane, best, of_row);
  }
  return best;
}

// Calls f(place, at) with the first largest element of a plane [h, w] under the window at each of its places.
template <class T, class F>
void for_each_largest(const T* plane, const Images& images, const Window& window, F&& f) {
  for (std::int64_t place = 0, a = 0; a < images.high; ++a) {
    const std::int64_t top = a * window.stride - window.padding;
    const Part rows(top, window.height, 1, images.h);
    for (std::int64_t b = 0; b < images.wide; ++b, ++place) {
      const std::int64_t left = b * window.stride - window.padding;
      const Part columns(left, window.width, 1, images.w);
      const std::int64_t high = rows.end - rows.begin, wide = columns.end - columns.begin;
      const std::int64_t at = (top + rows.begin) * images.w + left + columns.begin;
      // Most windows are 2 x 2: a loop of their own.
      f(place,
        high == 2 && wide == 2 ? largest_of(plane, images.w, at, 2, 2) : largest_of(plane, images.w, at, high, wide));
    }
  }
}

}  // namespace

void im2col(Tensor& y, const Tensor& x, const Window& window, double border) {
  const Images images(x, window);
  const std::int64_t cols = images.channels * window.height * window.width;
  dispatch_floating(x.dtype(), "im2col", [&]<class T>() {
    const T outside = static_cast<T>(border);
    Scratch<Places> on_image(window.width);
    for (std::int64_t j = 0; j < window.width; ++j) {
      on_image[j] = Places(j * window.dilation - window.padding, window.stride, images.w, images.wide);
    }
    parallel_rows(images.n * images.high, images.wide * cols, [&](std::int64_t line) {
      const std::int64_t top = line % images.high * window.stride - window.padding;
      const T* const image = x.data<T>() + line / images.high * images.channels * images.h * images.w;
      T* to = y.data<T>() + line * images.wide * cols;
      for (std::int64_t c = 0; c < images.channels; ++c) {
        for (std::int64_t i = 0; i < window.height; ++i) {
          const std::int64_t r = top + i * window.dilation;
          const bool inside = 0 <= r && r < images.h;
          const T* const from = image + (inside ? (c * images.h + r) * images.w : 0);
          for (std::int64_t j = 0; j < window.width; ++j, ++to) {
            const Places places = inside ? on_image[j] : Places{};
            const T* const at = from + j * window.dilation - window.padding;
            for (std::int64_t b = 0; b < places.begin; ++b) to[b * cols] = outside;
#pragma GCC unroll 4
            for (std::int64_t b = places.begin; b < places.end; ++b) to[b * cols] = at[b * window.stride];
            for (std::int64_t b = places.end; b < images.wide; ++b) to[b * cols] = outside;
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
      for (std::int64_t place = 0, a = 0; a < images.high; ++a) {
        const std::int64_t top = a * window.stride - window.padding;
        const Part rows(top, window.height, window.dilation, images.h);
        for (std::int64_t b = 0; b < images.wide; ++b, ++place) {
          const std::int64_t left = b * window.stride - window.padding;
          const Part columns(left, window.width, window.dilation, images.w);
          for (std::int64_t i = rows.begin; i < rows.end; ++i) {
            T* const to = image + (top + i * window.dilation) * images.w;
            const T* const held = from + place * cols + i * window.width;
            for (std::int64_t j = columns.begin; j < columns.end; ++j) to[left + j * window.dilation] += held[j];
          }
        }
      }
    });
  });
}

void max_pool(Tensor& y, Tensor& index, const Tensor& x, const Window& window) {
  const Images images(x, window);
  const std::int64_t area = images.h * images.w, places = images.high * images.wide;
  dispatch_floating(x.dtype(), "max_pool", [&]<class T>() {
    parallel_rows(images.n * images.channels, area, [&](std::int64_t plane) {
      const T* const from = x.data<T>() + plane * area;
      T* const to = y.data<T>() + plane * places;
      std::int32_t* const taken = index.data<std::int32_t>() + plane * places;
      for_each_largest(from, images, window, [&](std::int64_t place, std::int64_t at) {
        to[place] = from[at];
        taken[place] = static_cast<std::int32_t>(at);
      });
    });
  });
}

void max_pool_backward(Tensor& dx, const Tensor& dy, const Tensor& index, const Window&) {
  const std::int64_t planes = dx.shape()[0] * dx.shape()[1], area = dx.shape()[2] * dx.shape()[3];
  const std::int64_t places = planes == 0 ? 0 : dy.numel() / planes;
  dispatch_floating(dx.dtype(), "max_pool", [&]<class T>() {
    parallel_rows(planes, area, [&](std::int64_t plane) {
      T* const to = dx.data<T>() + plane * area;
      const T* const upstream = dy.data<T>() + plane * places;
      const std::int32_t* const taken = index.data<std::int32_t>() + plane * places;
      std::fill(to, to + area, T(0));
      for (std::int64_t place = 0; place < places; ++place) to[taken[place]] += upstream[place];
    });
  });
}

}  // namespace tk::cpu
