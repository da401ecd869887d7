#include <algorithm>
#include <optional>

#include "tensor/cpu/layer_norm_row.h"
#include "tensor/cpu/named_rows.h"
#include "tensor/cpu/parallel.h"
#include "tensor/cpu/quantize_row.h"
#include "tensor/kernels.h"

namespace tk::cpu {
namespace {

TK_SIMD void sum_of_three(float* y, const float* a, const float* b, const float* c, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = a[i] + b[i] + c[i];
}

// Rows of words as float32, which an int8 table's become in `room`.
class Words {
 public:
  Words(const char* op, const Tensor& table, const Tensor& scale, const Tensor& ids)
      : scale_(data_or_null<float>(scale)) {
    scale_ == nullptr ? void(floats_.emplace(op, table, ids)) : void(int8_.emplace(op, table, ids));
  }

  const float* get(std::int64_t i, const float* none, float* room, std::int64_t cols) const {
    if (floats_) return floats_->get(i, none);
    const std::int8_t* row = (*int8_)[i];
    if (row == nullptr) return none;
    dequantize_row(room, row, scale_[int8_->id(i)], cols);
    return room;
  }

 private:
  const float* scale_;
  std::optional<NamedRows<float>> floats_;
  std::optional<NamedRows<std::int8_t>> int8_;
};

}  // namespace

void embedding_norm(Tensor& y, const Tensor& word, const Tensor& word_scale, const Tensor& position, const Tensor& type,
                    const Tensor& word_ids, const Tensor& position_ids, const Tensor& type_ids, const Tensor& gamma,
                    const Tensor& beta, double epsilon) {
  constexpr const char* kOp = "embedding_norm";
  const std::int64_t cols = y.shape()[1];
  Scratch<float> none(cols);
  std::fill(none.data(), none.data() + cols, 0.0F);
  const Words words(kOp, word, word_scale, word_ids);
  const NamedRows<float> positions(kOp, position, position_ids), types(kOp, type, type_ids);
  ThreadScratch<float> room(2 * cols);
  parallel_rows(y.shape()[0], cols, [&](std::int64_t row) {
    float *const sum = room.mine(), *const wide = sum + cols;
    sum_of_three(sum, words.get(row, none.data(), wide, cols), positions.get(row, none.data()),
                 types.get(row, none.data()), cols);
    const Moments<float> moments = moments_row(sum, static_cast<float>(epsilon), cols);
    normalize_row(y.data<float>() + row * cols, sum, moments, gamma.data<float>(), beta.data<float>(), cols);
  });
}

}  // namespace tk::cpu
