#include "transkimmer/training/distill_rows.h"

#include <algorithm>
#include <set>

#include "tests/support/catch.h"
#include "tests/support/golden.h"
#include "tests/transkimmer/training/saved_toy_model.h"
#include "transkimmer/training/evaluation.h"
#include "transkimmer/training/teacher.h"

using namespace tk;
using namespace tk::test;

namespace {

constexpr std::int64_t kLength = 64;

Split own_rows(const ToyTask& toy, std::size_t rows) {
  Split split;
  split.examples.assign(toy.corpus.train.examples.begin(), toy.corpus.train.examples.begin() + rows);
  split.tokenized.assign(toy.train.begin(), toy.train.begin() + rows);
  return split;
}

// Pairs of the toy's reviews.
Split own_pairs(const ToyTask& toy, const Tokenizer& tokenizer) {
  Split split;
  for (std::int32_t i = 0; i < 20; ++i) {
    split.examples.push_back({.id = i,
                              .text_a = toy.corpus.train.examples[i].text_a,
                              .text_b = toy.corpus.train.examples[i + 20].text_a,
                              .has_b = true,
                              .label = static_cast<float>(i % 2)});
  }
  tokenize(split, tokenizer, kLength);
  return split;
}

bool same_ids(const std::vector<TokenizedExample>& a, const std::vector<TokenizedExample>& b) {
  return std::ranges::equal(a, b, {}, &TokenizedExample::ids, &TokenizedExample::ids);
}

}  // namespace

TEST_CASE("distill_rows: other texts come once, own ones not again, all without labels and with ids of their own") {
  const SavedToyModel saved(SkimGate::kNone);
  const TaskModel model = load_for_training(saved.folder(), saved.toy.task);
  const Split own = own_rows(saved.toy, 40);
  DistillText text;
  text.texts = saved.toy.corpus.train.examples;  // the first 40 are own rows
  for (std::size_t i = 40; i < 60; ++i) text.texts.push_back(saved.toy.corpus.train.examples[i]);
  const DistillRows all = distill_rows(model, own, text, kLength);
  CHECK(all.texts == 214);
  CHECK(all.pairs == 0);
  CHECK(all.copies == 0);
  REQUIRE(all.rows.size() == 214);
  std::set<std::int32_t> ids;
  std::set<std::vector<std::int32_t>> texts;
  for (const TokenizedExample& row : own.tokenized) texts.insert(row.ids);
  for (const TokenizedExample& row : all.rows) {
    CHECK(row.label == -1);
    CHECK(row.id >= 40);
    ids.insert(row.id);
    texts.insert(row.ids);
  }
  CHECK(ids.size() == 214);
  CHECK(texts.size() == 254);
  text.samples = 50;
  CHECK(distill_rows(model, own, text, kLength).texts == 50);
}

TEST_CASE("distill_rows: corrupted copies of own rows, half of the others corrupted, and the seed names them") {
  const SavedToyModel saved(SkimGate::kNone);
  const TaskModel model = load_for_training(saved.folder(), saved.toy.task);
  const Split own = own_rows(saved.toy, 40);
  DistillText text;
  text.texts = saved.toy.corpus.train.examples;
  const DistillRows plain = distill_rows(model, own, text, kLength);
  text.corrupt = 2;
  const DistillRows corrupt = distill_rows(model, own, text, kLength);
  CHECK(corrupt.copies == 80);
  REQUIRE(corrupt.rows.size() == 214 + 80);
  int changed = 0;
  for (std::size_t i = 0; i < 214; ++i) changed += corrupt.rows[i].ids != plain.rows[i].ids;
  CHECK(changed > 80);
  CHECK(changed < 136);
  int copied = 0, alike = 0;
  for (std::size_t i = 0; i < 80; ++i) {
    const TokenizedExample& row = corrupt.rows[214 + i];
    const auto length = std::ssize(own.tokenized[i % 40].ids);
    CHECK(std::abs(std::ssize(row.ids) - length) <= 2);
    CHECK(row.label == -1);
    copied += row.ids == own.tokenized[i % 40].ids;
    alike += i >= 40 && row.ids == corrupt.rows[214 + i - 40].ids;
  }
  CHECK(copied < 8);  // a neighbour's neighbour, or two swaps, may be where it began
  CHECK(alike < 8);   // each copy has changes of its own
  CHECK(same_ids(distill_rows(model, own, text, kLength).rows, corrupt.rows));
  text.seed = 43;
  CHECK_FALSE(same_ids(distill_rows(model, own, text, kLength).rows, corrupt.rows));
}

TEST_CASE("distill_rows: new pairs have an own first text and another row's second text, sentences have none") {
  const SavedToyModel saved(SkimGate::kNone);
  TaskModel model = load_for_training(saved.folder(), saved.toy.task);
  DistillText text;
  text.pairs = 2;
  CHECK_THROWS_WITH(distill_rows(model, own_rows(saved.toy, 4), text, kLength), ContainsSubstring("sst2 has no pairs"));
  model.task.texts = 2;
  const Split own = own_pairs(saved.toy, model.tokenizer);
  const DistillRows made = distill_rows(model, own, text, kLength);
  CHECK(made.pairs == 40);
  const auto part = [](const TokenizedExample& row, std::int32_t type) {
    std::vector<std::int32_t> ids;
    for (std::size_t i = 0; i < row.ids.size(); ++i) {
      if (row.token_types[i] == type) ids.push_back(row.ids[i]);
    }
    return ids;
  };
  for (std::size_t i = 0; i < made.rows.size(); ++i) {
    const TokenizedExample& of = own.tokenized[i / 2];
    CHECK(part(made.rows[i], 0) == part(of, 0));
    CHECK(part(made.rows[i], 1) != part(of, 1));
    CHECK(std::ranges::any_of(own.tokenized,
                              [&](const TokenizedExample& row) { return part(row, 1) == part(made.rows[i], 1); }));
  }
}

TEST_CASE("teach: a teacher answers for rows without labels too, behind its answers for the training rows") {
  const SavedToyModel saved(SkimGate::kNone);
  const TaskModel start = load_for_training(saved.folder(), saved.toy.task, SkimSettings{});
  const Split own = own_rows(saved.toy, 12);
  const std::vector<TokenizedExample> others(saved.toy.dev.begin(), saved.toy.dev.begin() + 20);
  for (const TeacherChoice& choice : {TeacherChoice{.by_default = true}, TeacherChoice{.folders = {saved.folder()}}}) {
    CHECK(has_teacher(choice, start));
    const Tensor logits = teach(choice, start, own, {}, {}, kLength, others).logits;
    REQUIRE(logits.shape() == Shape({32, 2}));
    const Tensor expected = evaluate(*saved.model, saved.toy.task, others).logits;
    CHECK(largest_difference(logits.narrow(0, 12, 20).contiguous(), expected) == 0);
  }
  CHECK_FALSE(has_teacher({}, start));
  CHECK_THROWS_WITH(teach({.folders = {saved.folder()}}, start, own, {}, {}, 100, others),
                    ContainsSubstring("cannot teach on rows without labels"));
}
