#include <algorithm>

#include "tensor/cpu/parallel.h"
#include "tensor/cpu/simd.h"
#include "tensor/kernels.h"

namespace tk::cpu {
namespace {

TK_SIMD void sum_row(float* y, const float* a, const float* b, const float* c, float scale, const float* bias,
                     std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = scale * (a[i] + b[i] + c[i]) + bias[i];
}

// A table's rows by the place of an id that names one; -1 names `zeros`.
class NamedRows {
 public:
  NamedRows(const Tensor& table, const Tensor& ids, const float* zeros)
      : rows_(table.data<float>()), ids_(ids.data<std::int32_t>()), zeros_(zeros), cols_(table.shape()[1]) {
    for (std::int64_t i = 0; i < ids.numel(); ++i) {
      TK_CHECK(ids_[i] >= -1 && ids_[i] < table.shape()[0], "embedding_projection: id ", ids_[i],
               " is out of range for a table of ", table.shape()[0]);
    }
  }

  const float* operator[](std::int64_t i) const { return ids_[i] < 0 ? zeros_ : rows_ + ids_[i] * cols_; }

 private:
  const float* rows_;
  const std::int32_t* ids_;
  const float* zeros_;
  std::int64_t cols_;
};

}  // namespace

void embedding_projection(Tensor& y, const Tensor& word, const Tensor& position, const Tensor& type,
                          const Tensor& word_ids, const Tensor& position_ids, const Tensor& type_ids,
                          const Tensor& rstd, const Tensor& bias) {
  const std::int64_t cols = y.shape()[1];
  Scratch<float> none(cols);
  std::fill(none.data(), none.data() + cols, 0.0F);
  const NamedRows words(word, word_ids, none.data()), positions(position, position_ids, none.data()),
      types(type, type_ids, none.data());
  parallel_rows(y.shape()[0], cols, [&](std::int64_t row) {
    sum_row(y.data<float>() + row * cols, words[row], positions[row], types[row], rstd.data<float>()[row],
            bias.data<float>(), cols);
  });
}

}  // namespace tk::cpu
