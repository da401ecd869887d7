#include <algorithm>

#include "tensor/cpu/gemm_int8.h"
#include "tensor/cpu/gemm_tiles.h"
#include "tensor/kernels.h"

namespace tk::cpu {
namespace {

// An empty matrix may have any stride.
std::int64_t leading(const Tensor& x) { return std::max(x.strides()[x.rank() - 2], x.shape()[x.rank() - 1]); }

// Matrices as they lie; of a batch, the first.
template <class T>
Product<T> product(Tensor& y, const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b) {
  const std::int64_t rank = y.rank();
  return {.m = y.shape()[rank - 2],
          .n = y.shape()[rank - 1],
          .k = a.shape()[rank - (transpose_a ? 2 : 1)],
          .a = a.data<T>(),
          .lda = leading(a),
          .transpose_a = transpose_a,
          .b = b.data<T>(),
          .ldb = leading(b),
          .transpose_b = transpose_b,
          .y = y.data<T>(),
          .ldy = leading(y)};
}

}  // namespace

void matmul(Tensor& y, const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b, bool add) {
  dispatch_floating(y.dtype(), "matmul", [&]<class T>() {
    Product<T> p = product<T>(y, a, transpose_a, b, transpose_b);
    p.add = add;
    parallel_gemm(p);
  });
}

void batched_matmul(Tensor& y, const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b) {
  dispatch_floating(y.dtype(), "matmul", [&]<class T>() {
    if (y.numel() == 0) return;
    const Product<T> first = product<T>(y, a, transpose_a, b, transpose_b);
    Gemm<T> gemm;
    const int threads = threads_for(y.shape()[0] * first.m * first.n * first.k, gemm.threads());
    parallel_for(y.shape()[0], threads, [&](std::int64_t i) {
      Product<T> p = first;
      p.a += i * a.strides()[0];
      p.b += i * b.strides()[0];
      p.y += i * y.strides()[0];
      gemm(p);
    });
  });
}

void pack_weight(Tensor& panels, const Tensor& w) {
  const TileProducts* tiles = tile_products();
  tiles->pack({.n = w.shape()[0], .k = w.shape()[1], .b = w.data<float>(), .ldb = leading(w), .transpose_b = true},
              panels.data<float>());
}

void packed_linear(Tensor& y, const Tensor& x, const Tensor& panels, const Tensor& bias,
                   std::optional<Activation> activation) {
  parallel_gemm({.m = y.shape()[0],
                 .n = y.shape()[1],
                 .k = x.shape()[1],
                 .a = x.data<float>(),
                 .lda = leading(x),
                 .y = y.data<float>(),
                 .ldy = leading(y),
                 .bias = bias.defined() ? bias.data<float>() : nullptr,
                 .packed = {.data = panels.data<float>(), .cols = y.shape()[1]},
                 .activation = activation});
}

void pack_int8_weight(Tensor& panels, Tensor& start, const Tensor& w) {
  pack_int8(panels.data<std::int8_t>(), start.data<std::int32_t>(), w.data<std::int8_t>(), w.shape()[0], w.shape()[1]);
}

void int8_linear(Tensor& y, const Tensor& x, const Tensor& panels, const Tensor& start, const Tensor& scale,
                 const Tensor& bias, std::optional<Activation> activation) {
  parallel_gemm({.m = y.shape()[0],
                 .n = y.shape()[1],
                 .k = x.shape()[1],
                 .x = x.data<float>(),
                 .ldx = leading(x),
                 .panels = panels.data<std::int8_t>(),
                 .start = start.data<std::int32_t>(),
                 .scale = scale.data<float>(),
                 .bias = bias.defined() ? bias.data<float>() : nullptr,
                 .y = y.data<float>(),
                 .activation = activation},
                int8_kernel());
}

void linear(Tensor& y, const Tensor& x, const Tensor& w, const Tensor& bias) {
  dispatch_floating(y.dtype(), "linear", [&]<class T>() {
    Product<T> p = product<T>(y, x, false, w, true);
    if (bias.defined()) p.bias = bias.data<T>();
    parallel_gemm(p);
  });
}

}  // namespace tk::cpu
