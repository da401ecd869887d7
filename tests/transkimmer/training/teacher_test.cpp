#include "transkimmer/training/teacher.h"

#include "tests/support/catch.h"
#include "tests/support/golden.h"
#include "tests/transkimmer/training/saved_toy_model.h"

using namespace tk;
using namespace tk::test;

namespace {

Split split_of(const ToyTask& toy, std::size_t examples) {
  Split split;
  split.examples.assign(toy.corpus.dev.examples.begin(), toy.corpus.dev.examples.begin() + examples);
  split.tokenized.assign(toy.dev.begin(), toy.dev.begin() + examples);
  return split;
}

}  // namespace

TEST_CASE("teach: by default the starting model, dense, says what it would say itself") {
  const SavedToyModel saved(SkimGate::kNone);
  const Split split = split_of(saved.toy, 16);
  const TaskModel start = load_for_training(saved.folder(), saved.toy.task, SkimSettings{});
  const Teaching teaching = teach({.by_default = true}, start, split, {split}, {}, 64);
  CHECK(teaching.who == "the starting model");
  CHECK(largest_difference(teaching.logits, evaluate(*saved.model, saved.toy.task, split.tokenized).logits) == 0);
  REQUIRE(teaching.scores.size() == 1);
  CHECK(teaching.scores[0].examples == 16);
  CHECK_FALSE(teach({}, start, split, {}, {}, 64).logits.defined());
}

TEST_CASE("teach: a skimmed starting model is no teacher by default, and that is noted") {
  const SavedToyModel saved(SkimGate::kStaged);
  const Split split = split_of(saved.toy, 4);
  const TaskModel start = load_for_training(saved.folder(), saved.toy.task, SkimSettings{});
  const Teaching teaching = teach({.by_default = true}, start, split, {}, {}, 64);
  CHECK_FALSE(teaching.logits.defined());
  REQUIRE(teaching.notes.size() == 1);
  CHECK_THAT(teaching.notes[0].text, ContainsSubstring("no teacher: "));
}

TEST_CASE(
    "teach: another folder teaches in its own tokens, its predictors left out, but tokens only if it cuts alike") {
  const SavedToyModel student(SkimGate::kNone), teacher(SkimGate::kStaged);
  const Split split = split_of(student.toy, 8);
  const TaskModel start = load_for_training(student.folder(), student.toy.task);
  const Teaching teaching = teach({.folder = teacher.folder()}, start, split, {}, {}, 64);
  CHECK(teaching.who == teacher.folder().string());
  const auto dense = dense_twin(*teacher.model);
  CHECK(largest_difference(teaching.logits, evaluate(*dense, teacher.toy.task, split.tokenized).logits) == 0);

  Config config = SavedToyModel::labelled(ToyTask().config(SkimGate::kNone));
  config.set_head(HeadKind::kToken);
  const SavedToyModel tokens(config);
  Task task = tokens.toy.task;
  task.kind = TaskKind::kTokens;
  const TaskModel token_start = load_for_training(tokens.folder(), task);
  CHECK(teach({.folder = tokens.folder()}, token_start, split, {}, {}, 64).logits.defined());
  CHECK_THROWS_WITH(teach({.folder = tokens.folder()}, token_start, split, {}, {}, 6),
                    ContainsSubstring("its tokenizer cuts the texts otherwise, from row 0"));
}
