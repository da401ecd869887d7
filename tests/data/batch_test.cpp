#include "data/batch.h"

#include "tensor/error.h"
#include "tests/support/catch.h"

namespace tk {
namespace {

const std::vector<TokenizedExample> kExamples = {
    {10, {2, 7, 3}, {0, 0, 0}, 1},
    {11, {2, 8, 3, 9, 3}, {0, 0, 0, 1, 1}, 0},
    {12, {2, 3}, {0, 0}, 2.5},
};

}  // namespace

TEST_CASE("make_batch: sentences lie one after the other in the order asked for") {
  const std::vector<std::int64_t> indices = {1, 0};
  const Batch batch = make_batch(kExamples, indices, false);
  CHECK(batch.input_ids.to_vector<std::int32_t>() == std::vector<std::int32_t>{2, 8, 3, 9, 3, 2, 7, 3});
  CHECK(batch.token_types.to_vector<std::int32_t>() == std::vector<std::int32_t>{0, 0, 0, 1, 1, 0, 0, 0});
  CHECK(batch.labels.to_vector<std::int32_t>() == std::vector<std::int32_t>{0, 1});
  CHECK(batch.lengths == std::vector<std::int64_t>{5, 3});
  CHECK(batch.packed.tokens == 8);
  CHECK(batch.packed.sentences == 2);
  CHECK(batch.packed.offsets.to_vector<std::int32_t>() == std::vector<std::int32_t>{0, 5, 8});
  CHECK(batch.packed.example.to_vector<std::int32_t>() == std::vector<std::int32_t>{11, 11, 11, 11, 11, 10, 10, 10});
  CHECK(batch.packed.position.to_vector<std::int32_t>() == std::vector<std::int32_t>{0, 1, 2, 3, 4, 0, 1, 2});
}

TEST_CASE("make_batch: regression has float labels") {
  const std::vector<std::int64_t> indices = {2, 1};
  CHECK(make_batch(kExamples, indices, true).labels.to_vector<float>() == std::vector<float>{2.5f, 0});
}

TEST_CASE("make_batch: an empty batch has no rows") {
  const Batch batch = make_batch(kExamples, {}, false);
  CHECK(batch.input_ids.numel() == 0);
  CHECK(batch.packed.sentences == 0);
}

TEST_CASE("make_batch: an index out of range is refused") {
  for (const std::int64_t bad : {std::int64_t{3}, std::int64_t{-1}}) {
    const std::vector<std::int64_t> indices = {0, bad};
    CHECK_THROWS_WITH(make_batch(kExamples, indices, false), ContainsSubstring("out of range for 3 examples"));
  }
}

TEST_CASE("with_dummy_rows: rows of zeros behind the last sentence, which keeps its place") {
  const Batch batch = make_batch(kExamples, std::vector<std::int64_t>{1, 0}, false);
  const Batch padded = with_dummy_rows(batch, 10);
  CHECK(padded.packed.tokens == 10);
  CHECK(padded.packed.offsets.to_vector<std::int32_t>() == std::vector<std::int32_t>{0, 5, 8});
  CHECK(padded.input_ids.to_vector<std::int32_t>() == std::vector<std::int32_t>{2, 8, 3, 9, 3, 2, 7, 3, 0, 0});
  CHECK(padded.packed.position.to_vector<std::int32_t>() == std::vector<std::int32_t>{0, 1, 2, 3, 4, 0, 1, 2, 0, 0});
  CHECK(padded.labels.to_vector<std::int32_t>() == std::vector<std::int32_t>{0, 1});
  CHECK_THROWS_WITH(with_dummy_rows(batch, 7), ContainsSubstring("8 rows do not fit 7"));
}

TEST_CASE("overwrite: another batch of the same shape takes the place of the first in its memory") {
  const Batch batch = make_batch(kExamples, std::vector<std::int64_t>{1, 0}, false);
  const Batch other = make_batch(kExamples, std::vector<std::int64_t>{0, 1}, false);
  const Tensor ids = batch.input_ids, offsets = batch.packed.offsets;
  overwrite(batch, other);
  CHECK(ids.to_vector<std::int32_t>() == other.input_ids.to_vector<std::int32_t>());
  CHECK(offsets.to_vector<std::int32_t>() == std::vector<std::int32_t>{0, 3, 8});
  CHECK(batch.labels.to_vector<std::int32_t>() == std::vector<std::int32_t>{1, 0});
  CHECK_THROWS_WITH(overwrite(batch, make_batch(kExamples, std::vector<std::int64_t>{1}, false)),
                    ContainsSubstring("expected a batch of 8 rows and 2 sentences, got 5 and 1"));
}

}  // namespace tk
