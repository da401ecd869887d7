#include "tensor/cuda/layer_norm_row.h"
#include "tensor/kernels.h"

namespace tk::cuda {
namespace {

struct Table {
  const float* rows;
  const std::int32_t* ids;
  std::int64_t entries;

  Table(const Tensor& table, const Tensor& ids)
      : rows(table.data<float>()), ids(ids.data<std::int32_t>()), entries(table.shape()[0]) {}

  // N columns of the row that `row` names; zeros if it names none.
  template <int N>
  __device__ Pack<float, N> columns(std::int64_t row, std::int64_t cols, std::int64_t col, bool wide,
                                    unsigned* errors) const {
    const std::int64_t id = ids[row];
    const bool exists = id >= 0 && id < entries;
    if (!exists && id != -1 && threadIdx.x == 0) report(errors, DeviceError::kIndexOutOfRange);
    return exists ? load<N>(rows + id * cols + col, cols - col, wide) : Pack<float, N>{};
  }
};

// As index_select, add, add, layer_norm and the conversion do it: the same bits.
template <int N>
__global__ void __launch_bounds__(kMostRowThreads)
    embed_rows(BFloat16* y, Table word, Table position, Table type, const float* gamma, const float* beta,
               float epsilon, std::int64_t cols, bool wide, unsigned* errors) {
  const std::int64_t row = blockIdx.x, col = threadIdx.x * N, count = cols - col;
  const auto of_word = word.columns<N>(row, cols, col, wide, errors);
  const auto of_position = position.columns<N>(row, cols, col, wide, errors);
  const auto of_type = type.columns<N>(row, cols, col, wide, errors);
  const Pack<float, N> g = load<N>(gamma + col, count, wide), b = load<N>(beta + col, count, wide);
  float values[N];
  for (int k = 0; k < N; ++k) values[k] = of_word[k] + of_position[k] + of_type[k];
  const Moments<float> moments = moments_of_row(values, epsilon, cols, count);
  normalize_row(values, values, moments, g, b);
  for (int k = 0; k < N; ++k) {
    if (k < count) y[row * cols + col + k] = static_cast<BFloat16>(values[k]);
  }
}

}  // namespace

void embedding_norm(Tensor& y, const Tensor& word, const Tensor& /*word_scale*/, const Tensor& position,
                    const Tensor& type, const Tensor& word_ids, const Tensor& position_ids, const Tensor& type_ids,
                    const Tensor& gamma, const Tensor& beta, double epsilon) {
  const std::int64_t rows = y.shape()[0], cols = y.shape()[1];
  if (rows == 0) return;
  dispatch_columns<float>(cols, kMostRowThreads, "embedding_norm", [&]<int N>() {
    embed_rows<N><<<blocks(rows, 1), row_threads(cols, N, kMostRowThreads), 0, stream()>>>(
        y.data<BFloat16>(), Table(word, word_ids), Table(position, position_ids), Table(type, type_ids),
        gamma.data<float>(), beta.data<float>(), static_cast<float>(epsilon), cols,
        wide_rows(cols, N, word, position, type, gamma, beta), device_errors());
    check_launch("embedding_norm");
  });
}

}  // namespace tk::cuda
