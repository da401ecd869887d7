#include <algorithm>
#include <cstring>
#include <type_traits>

#include "tensor/convert.h"
#include "tensor/cpu/parallel.h"
#include "tensor/cpu/simd.h"
#include "tensor/cpu/strided_rows.h"
#include "tensor/kernels.h"

namespace tk::cpu {
namespace {

constexpr std::int64_t kBlock = 8;

// y[r, c] = x[c, r] of a block of 8 x 8, rows of the two so far apart.
template <class T>
TK_SIMD void transpose_block(T* y, std::int64_t ldy, const T* x, std::int64_t ldx) {
  T rows[kBlock][kBlock], columns[kBlock][kBlock];
  for (std::int64_t c = 0; c < kBlock; ++c) std::copy_n(x + c * ldx, kBlock, columns[c]);
  for (std::int64_t r = 0; r < kBlock; ++r) {
    for (std::int64_t c = 0; c < kBlock; ++c) rows[r][c] = columns[c][r];
  }
  for (std::int64_t r = 0; r < kBlock; ++r) std::copy_n(rows[r], kBlock, y + r * ldy);
}

template <class T>
void transpose_strip(T* y, std::int64_t ldy, const T* x, std::int64_t ldx, std::int64_t rows, std::int64_t cols) {
  const std::int64_t blocked = rows == kBlock ? cols / kBlock * kBlock : 0;
  for (std::int64_t c = 0; c < blocked; c += kBlock) transpose_block(y + c, ldy, x + c * ldx, ldx);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = blocked; c < cols; ++c) y[r * ldy + c] = x[c * ldx + r];
  }
}

template <class To, class From>
void copy_strided(const Tensor& y, const Tensor& x) {
  To* const to = y.data<To>();
  const From* const from = x.data<From>();
  const StridedRows rows(y, x);
  if constexpr (std::is_same_v<To, From>) {
    if (rows.crosses(0, 1)) {
      return rows.for_each_strip(kBlock, [&](const auto& at, std::int64_t high, std::int64_t wide) {
        transpose_strip(to + at[0], rows.row_stride(0), from + at[1], rows.stride(1), high, wide);
      });
    }
  }
  const std::int64_t y_stride = rows.stride(0), x_stride = rows.stride(1);
  rows.for_each([&](const auto& at, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) to[at[0] + i * y_stride] = convert<To>(from[at[1] + i * x_stride]);
  });
}

}  // namespace

void copy(Tensor& y, const Tensor& x) {
  if (y.dtype() == x.dtype() && y.is_contiguous() && x.is_contiguous()) {
    const std::int64_t size = size_of(y.dtype());
    parallel_chunks(y.numel(), 8 * kElementGrain, [&](std::int64_t begin, std::int64_t end) {
      std::memcpy(static_cast<std::byte*>(y.raw_data()) + begin * size,
                  static_cast<const std::byte*>(x.raw_data()) + begin * size,
                  static_cast<std::size_t>((end - begin) * size));
    });
    return;
  }
  dispatch_all(y.dtype(),
               [&]<class To>() { dispatch_all(x.dtype(), [&]<class From>() { copy_strided<To, From>(y, x); }); });
}

void fill(Tensor& y, double value) {
  dispatch_all(y.dtype(), [&]<class T>() {
    const T element = convert<T>(value);
    T* data = y.data<T>();
    if (!y.is_contiguous()) return copy_strided<T, T>(y, full({}, value, y.dtype()).expand(y.shape()));
    parallel_chunks(y.numel(), kElementGrain,
                    [&](std::int64_t begin, std::int64_t end) { std::fill(data + begin, data + end, element); });
  });
}

void arange(Tensor& y) {
  dispatch_all(y.dtype(), [&]<class T>() {
    T* data = y.data<T>();
    for (std::int64_t i = 0; i < y.numel(); ++i) data[i] = convert<T>(i);
  });
}

}  // namespace tk::cpu
