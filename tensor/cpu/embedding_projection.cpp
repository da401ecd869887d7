#include <algorithm>

#include "tensor/cpu/named_rows.h"
#include "tensor/cpu/parallel.h"
#include "tensor/cpu/simd.h"
#include "tensor/kernels.h"

namespace tk::cpu {
namespace {

TK_SIMD void sum_row(float* y, const float* a, const float* b, const float* c, float scale, const float* bias,
                     std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = scale * (a[i] + b[i] + c[i]) + bias[i];
}

}  // namespace

void embedding_projection(Tensor& y, const Tensor& word, const Tensor& position, const Tensor& type,
                          const Tensor& word_ids, const Tensor& position_ids, const Tensor& type_ids,
                          const Tensor& rstd, const Tensor& bias) {
  const std::int64_t cols = y.shape()[1];
  Scratch<float> none(cols);
  std::fill(none.data(), none.data() + cols, 0.0F);
  constexpr const char* kOp = "embedding_projection";
  const NamedRows<float> words(kOp, word, word_ids), positions(kOp, position, position_ids), types(kOp, type, type_ids);
  parallel_rows(y.shape()[0], cols, [&](std::int64_t row) {
    sum_row(y.data<float>() + row * cols, words.get(row, none.data()), positions.get(row, none.data()),
            types.get(row, none.data()), rstd.data<float>()[row], bias.data<float>(), cols);
  });
}

}  // namespace tk::cpu
