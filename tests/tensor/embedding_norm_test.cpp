#include "tensor/ops/embedding_norm.h"

#include "tensor/ops/elementwise.h"
#include "tensor/ops/index.h"
#include "tensor/ops/layer_norm.h"
#include "tensor/ops/quantize.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

TEST_CASE("embedding_norm: on CUDA for bfloat16 and on the CPU for float32, and what does not fit is refused") {
  CHECK(has_embedding_norm(Device::kCuda, DType::kBFloat16));
  CHECK(has_embedding_norm(Device::kCpu, DType::kFloat32));
  CHECK_FALSE(has_embedding_norm(Device::kCuda, DType::kFloat32));
  CHECK_FALSE(has_embedding_norm(Device::kCpu, DType::kBFloat16));
  const EmbeddingRows rows{zeros({4, 8}), zeros({3}, DType::kInt32)};
  const auto norm_of_words = [&](const EmbeddingRows& words) {
    return message_of([&] { embedding_norm(words, rows, rows, zeros({8}), zeros({8}), 1e-5); });
  };
  CHECK(norm_of_words({rows.table, full({3}, 4, DType::kInt32)}) ==
        "embedding_norm: id 4 is out of range for a table of 4");
  CHECK(
      norm_of_words({zeros({4, 8}, DType::kInt8), rows.ids, zeros({3, 1})}) ==
      "embedding_norm: expected int8 words [4, 8] with float32 scales [4, 1] on the cpu, got int8 [4, 8] with float32 "
      "[3, 1] on cpu");
  CHECK(message_of([&] {
          embedding_norm(rows, {zeros({4, 6}), rows.ids}, rows, zeros({8}), zeros({8}), 1e-5);
        }) == "embedding_norm: expected float32 tables of rows of one length, got float32 [4, 6]");
  CHECK(message_of([&] {
          embedding_norm(rows, rows, {rows.table, zeros({3})}, zeros({8}), zeros({8}), 1e-5);
        }) == "embedding_norm: expected int32 ids of one number, got float32 [3]");
}

namespace {

// n ids of `entries` rows, one of them naming none.
EmbeddingRows random_rows(std::int64_t entries, std::int64_t dim, std::int64_t n, std::uint64_t seed) {
  std::vector<std::int32_t> ids;
  for (std::int64_t i = 0; i < n; ++i) ids.push_back(static_cast<std::int32_t>(i * 7 % (entries + 1)) - 1);
  return {random_normal({entries, dim}, seed), from_values(ids)};
}

}  // namespace

TEST_CASE("embedding_norm: the bits of the ops in turn, for ids that name no row and for int8 words too") {
  for (const std::int64_t dim : {7, 64, 384, 1030}) {
    for (const std::int64_t n : {0, 1, 137}) {
      INFO(n << " rows of " << dim);
      const EmbeddingRows word = random_rows(40, dim, n, 1), position = random_rows(16, dim, n, 2),
                          type = random_rows(2, dim, n, 3);
      const Tensor gamma = random_normal({dim}, 4), beta = random_normal({dim}, 5);
      const auto of = [](const EmbeddingRows& r) { return index_select(r.table, r.ids); };
      const auto expected = [&](const Tensor& words) {
        return layer_norm(add(add(words, of(position)), of(type)), gamma, beta, 1e-12).y;
      };
      CHECK(same_bits(embedding_norm(word, position, type, gamma, beta, 1e-12), expected(of(word))));
      const QuantizedRows int8 = quantize_rows(word.table);
      const EmbeddingRows int8_word{int8.values, word.ids, int8.scale};
      CHECK(same_bits(embedding_norm(int8_word, position, type, gamma, beta, 1e-12),
                      expected(of({dequantize_rows(int8), word.ids}))));
    }
  }
}

TEST_CASE("cuda embedding_norm: the bits of the ops in turn, for ids that name no row too") {
  if (!has_cuda()) return;
  for (const std::int64_t dim : {7, 64, 384, 768, 1030}) {
    for (const std::int64_t n : {0, 1, 37}) {
      INFO(n << " rows of " << dim);
      const auto rows = [&](std::int64_t entries, std::uint64_t seed) {
        const EmbeddingRows here = random_rows(entries, dim, n, seed);
        return EmbeddingRows{here.table.to(Device::kCuda), here.ids.to(Device::kCuda)};
      };
      const EmbeddingRows word = rows(40, 1), position = rows(16, 2), type = rows(2, 3);
      const Tensor gamma = random_normal({dim}, 4).to(Device::kCuda), beta = random_normal({dim}, 5).to(Device::kCuda);
      const auto of = [](const EmbeddingRows& r) { return index_select(r.table, r.ids); };
      const Tensor expected =
          layer_norm(add(add(of(word), of(position)), of(type)), gamma, beta, 1e-12).y.to(DType::kBFloat16);
      const Tensor got = embedding_norm(word, position, type, gamma, beta, 1e-12);
      CHECK(same_bits(got.to(Device::kCpu), expected.to(Device::kCpu)));
    }
  }
}
