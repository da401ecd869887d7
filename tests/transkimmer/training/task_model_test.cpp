#include "transkimmer/training/task_model.h"

#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "tests/support/golden.h"
#include "tests/transkimmer/training/saved_toy_model.h"
#include "transkimmer/families/bert.h"
#include "transkimmer/training/option_error.h"

using namespace tk;
using namespace tk::test;

namespace {

Tensor weight(const TaskModel& model, const std::string& name) {
  for (const NamedTensor& named : named_values(model.model->parameters())) {
    if (named.name == name) return named.tensor;
  }
  throw Error("no weight " + name);
}

bool has_note(const TaskModel& model, const std::string& text, bool is_warning) {
  for (const Note& note : model.notes) {
    if (note.is_warning == is_warning && note.text.find(text) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("load_for_training: new predictors are drawn, and what is new is said") {
  const SavedToyModel saved(SkimGate::kNone);
  const TaskModel model = load_for_training(saved.folder(), saved.toy.task, SkimSettings{.gate = SkimGate::kLayer});
  CHECK(model.was_dense);
  CHECK(model.fine_tuned);
  CHECK(model.model->config().skim_gate == SkimGate::kLayer);
  CHECK(model.model->config().skim_width == 8);
  CHECK(has_note(model, "2 new skim predictors of width 8 (gate layer, attention exact)", false));
}

TEST_CASE("load_for_training: labels of another task start a new classifier, and that is a warning") {
  const SavedToyModel saved(SkimGate::kNone);
  const Task other{.name = "tone", .labels = {"glad", "sad", "neither"}};
  const TaskModel model = load_for_training(saved.folder(), other);
  CHECK_FALSE(model.fine_tuned);
  CHECK(weight(model, "classifier.weight").shape() == Shape({3, 32}));
  CHECK(has_note(model, "its labels (negative, positive) are not those of tone (glad, sad, neither)", true));
}

TEST_CASE("load_for_scoring: labels in another order are put into the task's, rows and all") {
  Config config = SavedToyModel::labelled(ToyTask().config(SkimGate::kNone));
  config.labels = {"positive", "negative"};
  const SavedToyModel saved(config);
  const TaskModel model = load_for_scoring(saved.folder(), saved.toy.task);
  const Tensor before = named_values(saved.model->parameters()).back().tensor;  // classifier.bias
  const Tensor after = weight(model, "classifier.bias");
  CHECK(after.select(0, 0).item() == before.select(0, 1).item());
  CHECK(after.select(0, 1).item() == before.select(0, 0).item());
  CHECK(has_note(model, "put into the task's order negative, positive", true));
}

TEST_CASE("load_for_training: settings that contradict a checkpoint's own predictors name the option") {
  const SavedToyModel saved(SkimGate::kStaged);
  try {
    load_for_training(saved.folder(), saved.toy.task, SkimSettings{.gate = SkimGate::kLayer});
    FAIL_CHECK("nothing was thrown");
  } catch (const OptionError& error) {
    CHECK(error.option() == "skim_gate");
    CHECK_THAT(error.problem(), ContainsSubstring("has skim predictors with staged, which cannot become layer"));
  }
}

TEST_CASE("load_for_training: [CLS] may be free of new staged predictors, and stays so") {
  const SavedToyModel dense(SkimGate::kNone);
  const TaskModel model = load_for_training(dense.folder(), dense.toy.task, SkimSettings{.cls = SkimCls::kFree});
  CHECK(model.model->config().skim_cls == SkimCls::kFree);
  CHECK(has_note(model, "1 new skim predictors of width 8 (gate staged, attention exact, [CLS] free)", false));
  CHECK(dense_twin(*model.model)->config().skim_gate == SkimGate::kNone);
  CHECK_THROWS_WITH(
      load_for_training(dense.folder(), dense.toy.task, SkimSettings{.gate = SkimGate::kLayer, .cls = SkimCls::kFree}),
      "skim_cls: gate layer has no free, only kept");

  Config config = SavedToyModel::labelled(ToyTask().config(SkimGate::kStaged));
  config.skim_cls = SkimCls::kFree;
  const SavedToyModel free(config);
  CHECK(load_for_training(free.folder(), free.toy.task, SkimSettings{}).model->config().skim_cls == SkimCls::kFree);
  CHECK(load_for_scoring(free.folder(), free.toy.task, true).model->config().skim_gate == SkimGate::kNone);
  CHECK_THROWS_WITH(load_for_training(free.folder(), free.toy.task, SkimSettings{.cls = SkimCls::kKept}),
                    ContainsSubstring("has skim predictors with free, which cannot become kept"));
}

TEST_CASE("task_model: what a folder's files contradict each other in is a note, in training and scoring") {
  const SavedToyModel saved(SkimGate::kNone);
  nlohmann::json config = nlohmann::json::parse(read_bytes(saved.folder() / "config.json"));
  config["label2id"] = {{"LABEL_0", 0}, {"LABEL_1", 1}};
  write_bytes(saved.folder() / "config.json", config.dump());
  nlohmann::json vocabulary = {{"a", 3}};
  for (const char* token : {"[UNK]", "[CLS]", "[SEP]"}) vocabulary[token] = vocabulary.size() - 1;
  write_bytes(saved.folder() / "tokenizer.json",
              nlohmann::json{{"model", {{"type", "WordPiece"}, {"vocab", vocabulary}}}}.dump());
  const auto check = [&](const TaskModel& model) {
    CHECK(model.task.labels == std::vector<std::string>{"negative", "positive"});
    CHECK(
        has_note(model, "label2id has \"LABEL_0\" as 0 and is passed over: id2label counts, negative, positive", true));
    CHECK(has_note(model, "vocab.txt has other tokens than tokenizer.json, which counts", true));
  };
  check(load_for_training(saved.folder(), saved.toy.task));
  check(load_for_scoring(saved.folder(), saved.toy.task));
}

TEST_CASE("save_model: a folder that loads again, with the tokenizer's files") {
  const SavedToyModel saved(SkimGate::kStaged);
  const TaskModel model = load_model(saved.folder());
  CHECK(model.task.name == "sst2");
  save_model(model, saved.temporary / "again");
  const TaskModel again = load_model(saved.temporary / "again");
  for (const NamedTensor& named : named_values(model.model->parameters())) {
    CHECK(largest_difference(weight(again, named.name), named.tensor) == 0);
  }
  CHECK(again.tokenizer.vocabulary().size() == model.tokenizer.vocabulary().size());
}

TEST_CASE("save_model: a tokenizer.json without settings beside it counts alone where it is saved, too") {
  const SavedToyModel saved(SkimGate::kNone);
  for (const char* file : {"vocab.txt", "tokenizer_config.json"}) std::filesystem::remove(saved.folder() / file);
  const nlohmann::json tokenizer = {
      {"normalizer", {{"type", "BertNormalizer"}, {"lowercase", false}}},
      {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
      {"model", {{"type", "WordPiece"}, {"vocab", {{"[UNK]", 0}, {"[CLS]", 1}, {"[SEP]", 2}, {"A", 3}, {"a", 4}}}}}};
  write_bytes(saved.folder() / "tokenizer.json", tokenizer.dump());
  const TaskModel model = load_model(saved.folder());
  save_model(model, saved.temporary / "again");
  const TaskModel again = load_model(saved.temporary / "again");
  for (const TaskModel* each : {&model, &again}) {
    CHECK(each->notes.empty());
    CHECK(each->tokenizer.encode("A").ids == std::vector<std::int32_t>{1, 3, 2});
  }
  CHECK_THAT(read_bytes(saved.temporary / "again/tokenizer_config.json"),
             ContainsSubstring(R"("mask_token": "[MASK]")"));
}

TEST_CASE("make_tokenizer: a family whose tokenizer is another one is refused") {
  const SavedToyModel saved(SkimGate::kNone);
  CHECK(make_tokenizer(read_tokenizer_files(saved.folder(), kBert), kBert).vocabulary().size() > 0);
  Family other = kBert;
  other.title = "Other";
  other.tokenizer_class = "OtherTokenizer";
  CHECK_THROWS_WITH(
      make_tokenizer(read_tokenizer_files(saved.folder(), kBert), other),
      ContainsSubstring("the tokenizer of a model of Other's is OtherTokenizer, only BertTokenizer is read"));
}

TEST_CASE("fitting_length: as asked, or the model's positions") {
  const SavedToyModel saved(SkimGate::kNone);
  const TaskModel model = load_model(saved.folder());
  CHECK(fitting_length(model, 32) == 32);
  CHECK(fitting_length(model, 1000) == 64);
}
