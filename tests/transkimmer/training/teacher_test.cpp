#include "transkimmer/training/teacher.h"

#include "tensor/ops/elementwise.h"
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
  const Teaching teaching = teach({.folders = {teacher.folder()}}, start, split, {}, {}, 64);
  CHECK(teaching.who == teacher.folder().string());
  const auto dense = dense_twin(*teacher.model);
  CHECK(largest_difference(teaching.logits, evaluate(*dense, teacher.toy.task, split.tokenized).logits) == 0);

  Config config = SavedToyModel::labelled(ToyTask().config(SkimGate::kNone));
  config.set_head(HeadKind::kToken);
  const SavedToyModel tokens(config);
  Task task = tokens.toy.task;
  task.kind = TaskKind::kTokens;
  const TaskModel token_start = load_for_training(tokens.folder(), task);
  CHECK(teach({.folders = {tokens.folder()}}, token_start, split, {}, {}, 64).logits.defined());
  CHECK_THROWS_WITH(teach({.folders = {tokens.folder()}}, token_start, split, {}, {}, 6),
                    ContainsSubstring("its tokenizer cuts the texts otherwise, from row 0"));
}

TEST_CASE("teach: of several teachers the mean of their logits, and its scores") {
  const SavedToyModel one(SkimGate::kNone);
  SavedToyModel two(SkimGate::kNone);
  two.model->initialize(8);
  two.save();
  const Split split = split_of(one.toy, 16);
  const TaskModel start = load_for_training(one.folder(), one.toy.task, SkimSettings{});
  const auto logits = [&](std::vector<std::filesystem::path> folders) {
    return teach({.folders = std::move(folders)}, start, split, {split}, {}, 64);
  };
  const Teaching both = logits({one.folder(), two.folder()});
  const Tensor mean = affine(add(logits({one.folder()}).logits, logits({two.folder()}).logits), 0.5);
  CHECK(largest_difference(both.logits, mean) == 0);
  CHECK(both.who == one.folder().string() + ", " + two.folder().string());
  REQUIRE(both.scores.size() == 1);
  const double accuracy = headline(one.toy.task, both.scores);
  CHECK(accuracy == headline(one.toy.task, metrics_of(one.toy.task, mean, split)));
}

TEST_CASE("teach: what was answered before is read from the file, and nothing else is") {
  const SavedToyModel saved(SkimGate::kNone);
  SavedToyModel other(SkimGate::kNone);
  other.model->initialize(8);
  other.save();
  const Split split = split_of(saved.toy, 8), less = split_of(saved.toy, 7);
  const TaskModel start = load_for_training(saved.folder(), saved.toy.task, SkimSettings{});
  const std::filesystem::path cache = saved.temporary / "teacher.safetensors";
  const auto ask = [&](const SavedToyModel& teacher, const Split& rows) {
    return teach({.folders = {teacher.folder()}, .cache = cache}, start, rows, {split}, {}, 64);
  };
  const Teaching first = ask(saved, split);
  CHECK_FALSE(first.from_cache);
  const Teaching again = ask(saved, split);
  CHECK(again.from_cache);
  CHECK(largest_difference(again.logits, first.logits) == 0);
  CHECK(again.scores.size() == 1);

  const Teaching fewer = ask(saved, less);
  CHECK_FALSE(fewer.from_cache);
  CHECK(fewer.logits.shape()[0] == 7);
  CHECK_FALSE(ask(other, less).from_cache);
  CHECK(ask(other, less).from_cache);

  std::string bytes = read_bytes(cache);
  bytes[bytes.size() - 1] ^= 1;
  write_bytes(cache, bytes);
  const Teaching mended = ask(other, less);
  CHECK_FALSE(mended.from_cache);
  REQUIRE(mended.notes.size() == 1);
  CHECK_THAT(mended.notes[0].text,
             ContainsSubstring("its checksum is not that of its logits; the teacher is asked again"));
  CHECK(ask(other, less).from_cache);
}
