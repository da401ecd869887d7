#include "data/batch.h"

#include "tensor/error.h"
#include "tests/support/catch.h"

namespace tk {
namespace {

const std::vector<TokenizedExample> kExamples = {
    {10, {2, 7, 3}, {0, 0, 0}, 1, {-1, 4, -1}},
    {11, {2, 8, 3, 9, 3}, {0, 0, 0, 1, 1}, 0, {}},
    {12, {2, 3}, {0, 0}, 2.5, {}},
};

}  // namespace

TEST_CASE("make_batch: sentences lie one after the other in the order asked for") {
  const std::vector<std::int64_t> indices = {1, 0};
  const Batch batch = make_batch(kExamples, indices, TaskKind::kClassification);
  CHECK(batch.tokens.input_ids.to_vector<std::int32_t>() == std::vector<std::int32_t>{2, 8, 3, 9, 3, 2, 7, 3});
  CHECK(batch.tokens.token_types.to_vector<std::int32_t>() == std::vector<std::int32_t>{0, 0, 0, 1, 1, 0, 0, 0});
  CHECK(batch.labels.to_vector<std::int32_t>() == std::vector<std::int32_t>{0, 1});
  CHECK(batch.lengths == std::vector<std::int64_t>{5, 3});
  CHECK(batch.tokens.rows.tokens == 8);
  CHECK(batch.tokens.rows.sentences == 2);
  CHECK(batch.tokens.rows.offsets.to_vector<std::int32_t>() == std::vector<std::int32_t>{0, 5, 8});
  CHECK(batch.tokens.rows.example.to_vector<std::int32_t>() ==
        std::vector<std::int32_t>{11, 11, 11, 11, 11, 10, 10, 10});
  CHECK(batch.tokens.rows.position.to_vector<std::int32_t>() == std::vector<std::int32_t>{0, 1, 2, 3, 4, 0, 1, 2});
}

TEST_CASE("make_batch: regression has float labels") {
  const std::vector<std::int64_t> indices = {2, 1};
  CHECK(make_batch(kExamples, indices, TaskKind::kRegression).labels.to_vector<float>() == std::vector<float>{2.5f, 0});
}

TEST_CASE("make_batch: tasks of tokens have a label for each token, and dummies have none") {
  const std::vector<std::int64_t> indices = {1, 0};
  const Batch batch = make_batch(kExamples, indices, TaskKind::kTokens);
  CHECK(batch.labels.to_vector<std::int32_t>() == std::vector<std::int32_t>{-1, -1, -1, -1, -1, -1, 4, -1});
  CHECK(with_dummy_rows(batch, 10).labels.to_vector<std::int32_t>() ==
        std::vector<std::int32_t>{-1, -1, -1, -1, -1, -1, 4, -1, -1, -1});
}

TEST_CASE("make_batch: tasks of several labels say of each whether it applies, equally many a sentence") {
  std::vector<TokenizedExample> examples = kExamples;
  examples[0].applies = {1, 0, 1};
  examples[1].applies = {-1, -1, -1};
  examples[2].applies = {1};
  const std::vector<std::int64_t> indices = {1, 0}, uneven = {0, 2};
  const Tensor teacher = from_values<float>({1, 2, 3, 4, 5, 6}, {2, 3});
  const Batch batch = make_batch(examples, indices, TaskKind::kMultiLabel, teacher);
  CHECK(batch.labels.shape() == Shape({2, 3}));
  CHECK(batch.labels.to_vector<std::int32_t>() == std::vector<std::int32_t>{-1, -1, -1, 1, 0, 1});
  CHECK(batch.teacher.to_vector<float>() == std::vector<float>{1, 2, 3, 4, 5, 6});
  const Batch padded = with_dummy_rows(batch, 10);
  CHECK(padded.labels.to_vector<std::int32_t>() == batch.labels.to_vector<std::int32_t>());
  CHECK_THROWS_WITH(make_batch(examples, uneven, TaskKind::kMultiLabel),
                    ContainsSubstring("example 12 says of 1 labels whether they apply, others of 3"));
}

TEST_CASE("make_batch: a teacher's logits lie in the batch's memory, and go where it goes") {
  const std::vector<std::int64_t> indices = {1, 0};
  const Tensor teacher = from_values<float>({1, 2, 3, 4}, {2, 2});
  const Batch batch = make_batch(kExamples, indices, TaskKind::kClassification, teacher);
  CHECK(batch.teacher.to_vector<float>() == std::vector<float>{1, 2, 3, 4});
  CHECK(batch.teacher.shares_storage(batch.memory));
  CHECK(with_dummy_rows(batch, 10).teacher.to_vector<float>() == std::vector<float>{1, 2, 3, 4});
  CHECK_THROWS_WITH(make_batch(kExamples, indices, TaskKind::kTokens, teacher),
                    ContainsSubstring("expected a teacher's logits [8, outputs], got [2, 2]"));
}

TEST_CASE("make_batch: an empty batch has no rows") {
  const Batch batch = make_batch(kExamples, {}, TaskKind::kClassification);
  CHECK(batch.tokens.input_ids.numel() == 0);
  CHECK(batch.tokens.rows.sentences == 0);
}

TEST_CASE("make_batch: an index out of range is refused") {
  for (const std::int64_t bad : {std::int64_t{3}, std::int64_t{-1}}) {
    const std::vector<std::int64_t> indices = {0, bad};
    CHECK_THROWS_WITH(make_batch(kExamples, indices, TaskKind::kClassification),
                      ContainsSubstring("out of range for 3 examples"));
  }
}

TEST_CASE("make_batch: an example whose ids, types and labels differ in number is refused") {
  std::vector<TokenizedExample> examples = kExamples;
  examples[1].token_labels = {1, 2};
  const std::vector<std::int64_t> indices = {1};
  CHECK_THROWS_WITH(make_batch(examples, indices, TaskKind::kTokens),
                    ContainsSubstring("example 11 has 5 ids, 5 token types and 2 token labels"));
  examples[1].token_labels.clear();
  examples[1].token_types.pop_back();
  CHECK_THROWS_AS(make_batch(examples, indices, TaskKind::kClassification), Error);
}

TEST_CASE("with_dummy_rows: rows of zeros behind the last sentence, which keeps its place") {
  const Batch batch = make_batch(kExamples, std::vector<std::int64_t>{1, 0}, TaskKind::kClassification);
  const Batch padded = with_dummy_rows(batch, 10);
  CHECK(padded.tokens.rows.tokens == 10);
  CHECK(padded.tokens.rows.offsets.to_vector<std::int32_t>() == std::vector<std::int32_t>{0, 5, 8});
  CHECK(padded.tokens.input_ids.to_vector<std::int32_t>() == std::vector<std::int32_t>{2, 8, 3, 9, 3, 2, 7, 3, 0, 0});
  CHECK(padded.tokens.rows.position.to_vector<std::int32_t>() ==
        std::vector<std::int32_t>{0, 1, 2, 3, 4, 0, 1, 2, 0, 0});
  CHECK(padded.labels.to_vector<std::int32_t>() == std::vector<std::int32_t>{0, 1});
  CHECK_THROWS_WITH(with_dummy_rows(batch, 7), ContainsSubstring("8 rows do not fit 7"));
}

TEST_CASE("overwrite: another batch of the same shape takes the place of the first in its memory") {
  const Batch batch = make_batch(kExamples, std::vector<std::int64_t>{1, 0}, TaskKind::kClassification);
  const Batch other = make_batch(kExamples, std::vector<std::int64_t>{0, 1}, TaskKind::kClassification);
  const Tensor ids = batch.tokens.input_ids, offsets = batch.tokens.rows.offsets;
  overwrite(batch, other);
  CHECK(ids.to_vector<std::int32_t>() == other.tokens.input_ids.to_vector<std::int32_t>());
  CHECK(offsets.to_vector<std::int32_t>() == std::vector<std::int32_t>{0, 3, 8});
  CHECK(batch.labels.to_vector<std::int32_t>() == std::vector<std::int32_t>{1, 0});
  CHECK_THROWS_WITH(
      overwrite(batch, make_batch(kExamples, std::vector<std::int64_t>{1}, TaskKind::kClassification)),
      ContainsSubstring("expected a batch of 8 rows, 2 sentences and 0 logits of a teacher, got 5, 1 and 0"));
}

}  // namespace tk
