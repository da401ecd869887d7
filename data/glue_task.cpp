#include "data/glue_task.h"

#include <algorithm>
#include <cctype>
#include <optional>

#include "data/edit_distance.h"
#include "tensor/error.h"

namespace tk {
namespace {

// Lower case without '-' and '_': "SST-2" and "sst2" are the same task.
std::string canonical(std::string_view name) {
  std::string out;
  for (const unsigned char c : name) {
    if (c != '-' && c != '_') out += static_cast<char>(std::tolower(c));
  }
  return out;
}

std::optional<std::string> nearest_task(std::string_view name) {
  constexpr std::size_t kLongestName = 16;  // anything longer is no misspelling, and the distance is quadratic
  const std::string wanted = canonical(name);
  if (wanted.size() > kLongestName) return std::nullopt;
  const auto distance = [&](const GlueTask& task) { return edit_distance(wanted, task.name); };
  const auto nearest = std::min_element(glue_tasks().begin(), glue_tasks().end(),
                                        [&](const auto& a, const auto& b) { return distance(a) < distance(b); });
  if (distance(*nearest) > 2) return std::nullopt;
  return nearest->name;
}

// Columns, counts and label orders: https://gluebenchmark.com and the loader of the Hugging Face data set "glue".
std::vector<GlueTask> make_tasks() {
  const std::vector<std::string> digits = {"0", "1"};
  const std::vector<std::string> entailment = {"entailment", "not_entailment"};
  const std::vector<std::string> inference = {"entailment", "neutral", "contradiction"};
  const std::vector<std::string> accuracy = {"accuracy"};
  const std::vector<std::string> accuracy_f1 = {"accuracy", "f1"};
  // clang-format off
  return {
      {"cola", "CoLA", "sentence", "", "label",
       {"unacceptable", "acceptable"}, digits, {"matthews_correlation"}, "matthews_correlation", 64,
       {{Split::kTrain, "train", "train.tsv", 8551, 3, -1, 1},
        {Split::kDev, "dev", "dev.tsv", 1043, 3, -1, 1},
        {Split::kTest, "test", "test.tsv", 1063, 1, -1, -1}}},
      {"sst2", "SST-2", "sentence", "", "label",
       {"negative", "positive"}, digits, accuracy, "accuracy", 64,
       {{Split::kTrain, "train", "train.tsv", 67349, 0, -1, 1},
        {Split::kDev, "dev", "dev.tsv", 872, 0, -1, 1},
        {Split::kTest, "test", "test.tsv", 1821, 1, -1, -1}}},
      {"mrpc", "MRPC", "#1 String", "#2 String", "Quality",
       {"not_equivalent", "equivalent"}, digits, accuracy_f1, "combined_score", 128,
       {{Split::kTrain, "train", "train.tsv", 3668, 3, 4, 0},
        {Split::kDev, "dev", "dev.tsv", 408, 3, 4, 0},
        {Split::kTest, "test", "test.tsv", 1725, 3, 4, -1}}},
      {"stsb", "STS-B", "sentence1", "sentence2", "score",
       {}, {}, {"pearson", "spearmanr"}, "combined_score", 64,
       {{Split::kTrain, "train", "train.tsv", 5749, 7, 8, 9},
        {Split::kDev, "dev", "dev.tsv", 1500, 7, 8, 9},
        {Split::kTest, "test", "test.tsv", 1379, 7, 8, -1}}},
      {"qqp", "QQP", "question1", "question2", "is_duplicate",
       {"not_duplicate", "duplicate"}, digits, accuracy_f1, "combined_score", 128,
       {{Split::kTrain, "train", "train.tsv", 363846, 3, 4, 5},
        {Split::kDev, "dev", "dev.tsv", 40430, 3, 4, 5},
        {Split::kTest, "test", "test.tsv", 390965, 1, 2, -1}},
       true},
      {"mnli", "MNLI", "sentence1", "sentence2", "gold_label",
       inference, inference, accuracy, "accuracy", 128,
       {{Split::kTrain, "train", "train.tsv", 392702, 8, 9, 11},
        {Split::kDev, "dev_matched", "dev_matched.tsv", 9815, 8, 9, 15},
        {Split::kDevMismatched, "dev_mismatched", "dev_mismatched.tsv", 9832, 8, 9, 15},
        {Split::kTest, "test_matched", "test_matched.tsv", 9796, 8, 9, -1},
        {Split::kTestMismatched, "test_mismatched", "test_mismatched.tsv", 9847, 8, 9, -1}}},
      {"qnli", "QNLI", "question", "sentence", "label",
       entailment, entailment, accuracy, "accuracy", 128,
       {{Split::kTrain, "train", "train.tsv", 104743, 1, 2, 3},
        {Split::kDev, "dev", "dev.tsv", 5463, 1, 2, 3},
        {Split::kTest, "test", "test.tsv", 5463, 1, 2, -1}}},
      {"rte", "RTE", "sentence1", "sentence2", "label",
       entailment, entailment, accuracy, "accuracy", 256,
       {{Split::kTrain, "train", "train.tsv", 2490, 1, 2, 3},
        {Split::kDev, "dev", "dev.tsv", 277, 1, 2, 3},
        {Split::kTest, "test", "test.tsv", 3000, 1, 2, -1}}},
      {"wnli", "WNLI", "sentence1", "sentence2", "label",
       {"not_entailment", "entailment"}, digits, accuracy, "accuracy", 128,
       {{Split::kTrain, "train", "train.tsv", 635, 1, 2, 3},
        {Split::kDev, "dev", "dev.tsv", 71, 1, 2, 3},
        {Split::kTest, "test", "test.tsv", 146, 1, 2, -1}}},
      {"ax", "AX", "sentence1", "sentence2", "",
       inference, inference, {"matthews_correlation"}, "matthews_correlation", 128,
       {{Split::kTest, "test", "diagnostic.tsv", 1104, 1, 2, -1}}},
  };
  // clang-format on
}

template <class Items, class Name>
std::string join(const Items& items, Name name) {
  std::string out;
  for (const auto& item : items) out += (out.empty() ? "" : ", ") + name(item);
  return out;
}

}  // namespace

const std::vector<GlueTask>& glue_tasks() {
  static const std::vector<GlueTask> tasks = make_tasks();
  return tasks;
}

const GlueTask& find_task(std::string_view name) {
  const std::string wanted = canonical(name);
  for (const GlueTask& task : glue_tasks()) {
    if (task.name == wanted) return task;
  }
  const std::optional<std::string> nearest = nearest_task(name);
  throw Error(concat("unknown task \"", name, "\"; ", nearest ? "did you mean \"" + *nearest + "\"? " : "",
                     "known: ", join(glue_tasks(), [](const GlueTask& task) { return task.name; })));
}

const SplitInfo& find_split(const GlueTask& task, Split split) {
  for (const SplitInfo& info : task.splits) {
    if (info.split == split) return info;
  }
  throw Error(concat("task ", task.name, " has no such split; it has ",
                     join(task.splits, [](const SplitInfo& info) { return info.name; })));
}

const SplitInfo& find_split(const GlueTask& task, std::string_view name) {
  std::string wanted(name);
  if (wanted.starts_with("validation")) wanted.replace(0, std::string_view("validation").size(), "dev");
  for (const SplitInfo& info : task.splits) {
    const bool matched = info.split == Split::kDev || info.split == Split::kTest;
    if (info.name == wanted || (matched && info.name == wanted + "_matched")) return info;
  }
  throw Error(concat("task ", task.name, " has no split \"", name, "\"; it has ",
                     join(task.splits, [](const SplitInfo& info) { return info.name; })));
}

std::optional<SplitFile> look_for_split_file(const GlueTask& task, const SplitInfo& split,
                                             const std::filesystem::path& data_dir) {
  const std::filesystem::path folder = data_dir / task.folder;
  const std::filesystem::path subset = folder / "train-subset.tsv";
  if (std::filesystem::exists(folder / split.file)) return SplitFile{folder / split.file, false};
  if (split.split == Split::kTrain && std::filesystem::exists(subset)) return SplitFile{subset, true};
  return std::nullopt;
}

SplitFile find_split_file(const GlueTask& task, const SplitInfo& split, const std::filesystem::path& data_dir) {
  const std::optional<SplitFile> found = look_for_split_file(task, split, data_dir);
  TK_CHECK(found, "no such file: ", (data_dir / task.folder / split.file).string(),
           split.split == Split::kTrain ? " (nor train-subset.tsv beside it)" : "");
  return *found;
}

}  // namespace tk
