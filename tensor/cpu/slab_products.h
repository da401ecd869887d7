#pragma once

#include <cstring>
#include <optional>

#include "tensor/cpu/gemm.h"
#include "tensor/cpu/gemm_int8.h"
#include "tensor/kernel_arguments.h"

namespace tk::cpu {

/// Some rows of a matrix: n from the first on, or those that `named` lists, -1 for any.
struct SomeRows {
  const float* x;
  const std::int32_t* named = nullptr;
  std::int64_t n = 0;
};

/// Columns [first, first + n) of a product: rows of its weight. `first` is a multiple of 32.
struct SomeColumns {
  std::int64_t first, n;
};

/// y [rows, columns.n] = f(x w^T + bias) with an int8 weight.
inline Int8Product int8_product(float* y, const SomeRows& rows, const PackedMatrix& w, const SomeColumns& columns,
                                std::optional<Activation> activation = {}) {
  const std::int64_t first = columns.first;
  return {.m = rows.n,
          .n = columns.n,
          .k = w.in,
          .x = rows.x,
          .ldx = w.in,
          .rows = rows.named,
          .panels = w.panels.data<std::int8_t>() + first * padded(w.in, kDepthUnit),
          .start = w.start.data<std::int32_t>() + first,
          .scale = w.scale.data<float>() + first,
          .bias = w.bias.defined() ? w.bias.data<float>() + first : nullptr,
          .y = y,
          .activation = activation};
}

/// The same with a float32 weight, whose product rounds its factors or not.
inline Product<float> tile_product(float* y, const float* x, std::int64_t rows, const PackedMatrix& w,
                                   const SomeColumns& columns, std::optional<Activation> activation = {}) {
  return {.m = rows,
          .n = columns.n,
          .k = w.in,
          .a = x,
          .lda = w.in,
          .y = y,
          .ldy = columns.n,
          .bias = w.bias.defined() ? w.bias.data<float>() + columns.first : nullptr,
          .packed = {.data = w.panels.data<float>(), .cols = w.out, .first = columns.first},
          .activation = activation};
}

inline void copy_row(float* to, const SomeRows& rows, std::int64_t i, std::int64_t columns) {
  std::memcpy(to, rows.x + std::max(rows.named[i], 0) * columns, static_cast<std::size_t>(columns) * sizeof(float));
}

/// Products of a slab of rows by the calling thread, in a loop over slabs.
class SlabProducts {
 public:
  /// Of at most so many rows, weights of at most so many inputs, all int8 or all float32.
  SlabProducts(std::int64_t rows, std::int64_t inputs, bool int8)
      : kernel_(int8_kernel()),
        rounded_(int8 ? Int8Rows::bytes(rows, inputs, kernel_) : 0),
        scale_(int8 ? rows : 0),
        named_(int8 ? 0 : rows * inputs) {
    if (!int8) gemm_.emplace();
  }

  void operator()(float* y, const SomeRows& rows, const PackedMatrix& w, const SomeColumns& columns,
                  std::optional<Activation> activation = {}) {
    if (gemm_) {
      float* const named = rows.named != nullptr ? named_.mine() : nullptr;
      for (std::int64_t i = 0; named != nullptr && i < rows.n; ++i) copy_row(named + i * w.in, rows, i, w.in);
      return (*gemm_)(tile_product(y, named != nullptr ? named : rows.x, rows.n, w, columns, activation));
    }
    const Int8Product p = int8_product(y, rows, w, columns, activation);
    const Int8Rows rounded{rounded_.mine(), scale_.mine()};
    for (std::int64_t i = 0; i < p.m; ++i) quantize(rounded, p, kernel_, i);
    kernel_.gemm(p, rounded.q, rounded.scale, {0, p.m, 0, p.n});
  }

 private:
  const Int8Kernel& kernel_;
  ThreadScratch<std::byte> rounded_;
  ThreadScratch<float> scale_, named_;
  std::optional<Gemm<float>> gemm_;
};

}  // namespace tk::cpu
