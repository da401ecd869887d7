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
  const auto distance = [&](const GlueTask& task) { return edit_distance(wanted, task.task.name); };
  const auto nearest = std::min_element(glue_tasks().begin(), glue_tasks().end(),
                                        [&](const auto& a, const auto& b) { return distance(a) < distance(b); });
  if (distance(*nearest) > 2) return std::nullopt;
  return nearest->task.name;
}

// Columns, counts and label orders: https://gluebenchmark.com and the loader of the Hugging Face data set "glue".
std::vector<GlueTask> make_tasks() {
  const std::vector<std::string> digits = {"0", "1"};
  const std::vector<std::string> entailment = {"entailment", "not_entailment"};
  const std::vector<std::string> inference = {"entailment", "neutral", "contradiction"};
  const std::vector<std::string> accuracy = {"accuracy"};
  const std::vector<std::string> accuracy_f1 = {"accuracy", "f1"};
  const std::vector<std::string> matthews = {"matthews_correlation"};
  constexpr auto kClasses = TaskKind::kClassification;
  // clang-format off
  std::vector<GlueTask> tasks = {
      {{"cola", kClasses, 1, {"unacceptable", "acceptable"}, matthews, matthews[0], 64},
       "CoLA", "sentence", "", "label", digits,
       {{Part::kTrain, false, "train", "train.tsv", 8551, 3, -1, 1},
        {Part::kDev, false, "dev", "dev.tsv", 1043, 3, -1, 1},
        {Part::kTest, false, "test", "test.tsv", 1063, 1, -1, -1}}},
      {{"sst2", kClasses, 1, {"negative", "positive"}, accuracy, accuracy[0], 64},
       "SST-2", "sentence", "", "label", digits,
       {{Part::kTrain, false, "train", "train.tsv", 67349, 0, -1, 1},
        {Part::kDev, false, "dev", "dev.tsv", 872, 0, -1, 1},
        {Part::kTest, false, "test", "test.tsv", 1821, 1, -1, -1}}},
      {{"mrpc", kClasses, 2, {"not_equivalent", "equivalent"}, accuracy_f1, "combined_score", 128},
       "MRPC", "#1 String", "#2 String", "Quality", digits,
       {{Part::kTrain, false, "train", "train.tsv", 3668, 3, 4, 0},
        {Part::kDev, false, "dev", "dev.tsv", 408, 3, 4, 0},
        {Part::kTest, false, "test", "test.tsv", 1725, 3, 4, -1}}},
      {{"stsb", TaskKind::kRegression, 2, {}, {"pearson", "spearmanr"}, "combined_score", 64},
       "STS-B", "sentence1", "sentence2", "score", {},
       {{Part::kTrain, false, "train", "train.tsv", 5749, 7, 8, 9},
        {Part::kDev, false, "dev", "dev.tsv", 1500, 7, 8, 9},
        {Part::kTest, false, "test", "test.tsv", 1379, 7, 8, -1}},
       5},
      {{"qqp", kClasses, 2, {"not_duplicate", "duplicate"}, accuracy_f1, "combined_score", 128},
       "QQP", "question1", "question2", "is_duplicate", digits,
       {{Part::kTrain, false, "train", "train.tsv", 363846, 3, 4, 5},
        {Part::kDev, false, "dev", "dev.tsv", 40430, 3, 4, 5},
        {Part::kTest, false, "test", "test.tsv", 390965, 1, 2, -1}},
       0, true},
      {{"mnli", kClasses, 2, inference, accuracy, accuracy[0], 128},
       "MNLI", "sentence1", "sentence2", "gold_label", inference,
       {{Part::kTrain, false, "train", "train.tsv", 392702, 8, 9, 11},
        {Part::kDev, false, "dev_matched", "dev_matched.tsv", 9815, 8, 9, 15},
        {Part::kDev, true, "dev_mismatched", "dev_mismatched.tsv", 9832, 8, 9, 15},
        {Part::kTest, false, "test_matched", "test_matched.tsv", 9796, 8, 9, -1},
        {Part::kTest, true, "test_mismatched", "test_mismatched.tsv", 9847, 8, 9, -1}}},
      {{"qnli", kClasses, 2, entailment, accuracy, accuracy[0], 128},
       "QNLI", "question", "sentence", "label", entailment,
       {{Part::kTrain, false, "train", "train.tsv", 104743, 1, 2, 3},
        {Part::kDev, false, "dev", "dev.tsv", 5463, 1, 2, 3},
        {Part::kTest, false, "test", "test.tsv", 5463, 1, 2, -1}}},
      {{"rte", kClasses, 2, entailment, accuracy, accuracy[0], 256},
       "RTE", "sentence1", "sentence2", "label", entailment,
       {{Part::kTrain, false, "train", "train.tsv", 2490, 1, 2, 3},
        {Part::kDev, false, "dev", "dev.tsv", 277, 1, 2, 3},
        {Part::kTest, false, "test", "test.tsv", 3000, 1, 2, -1}}},
      {{"wnli", kClasses, 2, {"not_entailment", "entailment"}, accuracy, accuracy[0], 128},
       "WNLI", "sentence1", "sentence2", "label", digits,
       {{Part::kTrain, false, "train", "train.tsv", 635, 1, 2, 3},
        {Part::kDev, false, "dev", "dev.tsv", 71, 1, 2, 3},
        {Part::kTest, false, "test", "test.tsv", 146, 1, 2, -1}}},
      {{"ax", kClasses, 2, inference, matthews, matthews[0], 128},
       "AX", "sentence1", "sentence2", "", inference,
       {{Part::kTest, false, "test", "diagnostic.tsv", 1104, 1, 2, -1}}},
  };
  // clang-format on
  for (GlueTask& task : tasks) task.task.title = task.folder;
  return tasks;
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

const GlueTask& find_glue_task(std::string_view name) {
  const std::string wanted = canonical(name);
  for (const GlueTask& task : glue_tasks()) {
    if (task.task.name == wanted) return task;
  }
  const std::optional<std::string> nearest = nearest_task(name);
  throw Error(concat("unknown task \"", name, "\"; ", nearest ? "did you mean \"" + *nearest + "\"? " : "",
                     "known: ", join(glue_tasks(), [](const GlueTask& task) { return task.task.name; })));
}

const SplitInfo& find_split(const GlueTask& task, Part part) {
  for (const SplitInfo& info : task.splits) {
    if (info.part == part && !info.mismatched) return info;
  }
  throw Error(concat("task ", task.task.name, " has no such split; it has ",
                     join(task.splits, [](const SplitInfo& info) { return info.name; })));
}

const SplitInfo& find_split(const GlueTask& task, std::string_view name) {
  std::string wanted(name);
  if (wanted.starts_with("validation")) wanted.replace(0, std::string_view("validation").size(), "dev");
  for (const SplitInfo& info : task.splits) {
    if (info.name == wanted || info.name == wanted + "_matched") return info;
  }
  throw Error(concat("task ", task.task.name, " has no split \"", name, "\"; it has ",
                     join(task.splits, [](const SplitInfo& info) { return info.name; })));
}

namespace {

// Below the data folder, or that folder itself where it has the task's name.
std::filesystem::path folder_of(const GlueTask& task, const std::filesystem::path& data_dir) {
  const std::filesystem::path below = data_dir / task.folder;
  const std::filesystem::path itself = (data_dir / "").parent_path();
  const bool is_task = canonical(itself.filename().string()) == task.task.name;
  return is_task && !std::filesystem::exists(below) ? itself : below;
}

}  // namespace

std::optional<SplitFile> look_for_split_file(const GlueTask& task, const SplitInfo& split,
                                             const std::filesystem::path& data_dir) {
  const std::filesystem::path folder = folder_of(task, data_dir);
  const std::filesystem::path subset = folder / "train-subset.tsv";
  if (std::filesystem::exists(folder / split.file)) return SplitFile{folder / split.file, false};
  if (split.part == Part::kTrain && std::filesystem::exists(subset)) return SplitFile{subset, true};
  return std::nullopt;
}

bool has_file(const GlueTask& task, Part part, const std::filesystem::path& data_dir) {
  return look_for_split_file(task, find_split(task, part), data_dir).has_value();
}

SplitFile find_split_file(const GlueTask& task, const SplitInfo& split, const std::filesystem::path& data_dir) {
  const std::optional<SplitFile> found = look_for_split_file(task, split, data_dir);
  TK_CHECK(found, "no such file: ", (folder_of(task, data_dir) / split.file).string(),
           split.part == Part::kTrain ? " (nor train-subset.tsv beside it)" : "");
  return *found;
}

}  // namespace tk
