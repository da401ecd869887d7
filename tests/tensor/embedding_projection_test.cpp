#include "tensor/ops/embedding_projection.h"

#include "tensor/ops/elementwise.h"
#include "tensor/ops/index.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

TEST_CASE("embedding_projection: the scaled sum of three tables' rows and the bias, for ids that name no row too") {
  for (const std::int64_t cols : {1, 7, 96, 1030}) {
    for (const std::int64_t n : {0, 1, 37}) {
      INFO(n << " rows of " << cols);
      const auto rows = [&](std::int64_t entries, std::uint64_t seed) {
        std::vector<std::int32_t> ids;
        for (std::int64_t i = 0; i < n; ++i) ids.push_back(static_cast<std::int32_t>(i * 7 % (entries + 1)) - 1);
        return EmbeddingRows{random_normal({entries, cols}, seed), from_values(ids)};
      };
      const EmbeddingRows word = rows(40, 1), position = rows(16, 2), type = rows(2, 3);
      const Tensor rstd = random_normal({n}, 4), bias = random_normal({cols}, 5);
      const auto of = [](const EmbeddingRows& r) { return index_select(r.table, r.ids); };
      const Tensor sum = add(add(of(word), of(position)), of(type));
      const Tensor expected = add(mul(sum, rstd.unsqueeze(1)), bias);
      CHECK(difference(embedding_projection(word, position, type, rstd, bias), expected, kFloat32) == "");
    }
  }
}

TEST_CASE("embedding_projection: what does not fit is refused") {
  const EmbeddingRows rows{zeros({4, 8}), zeros({3}, DType::kInt32)}, beyond{rows.table, full({3}, 4, DType::kInt32)};
  CHECK(message_of([&] { embedding_projection(rows, rows, rows, zeros({2}), zeros({8})); }) ==
        "embedding_projection: expected float32 rstd [3] and bias [8], got float32 [2] and float32 [8]");
  CHECK(message_of([&] { embedding_projection(rows, beyond, rows, zeros({3}), zeros({8})); }) ==
        "embedding_projection: id 4 is out of range for a table of 4");
}
