#include "transkimmer/cli/run/task_flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "data/glue_reader.h"
#include "tensor/error.h"
#include "tensor/io/in_quotes.h"
#include "transkimmer/cli/run/log.h"
#include "transkimmer/cli/run/run_files.h"
#include "transkimmer/training/task_model.h"

namespace tk {
namespace {

constexpr const char* kOwnName = "own";

std::string glue_problem(const std::string& name) {
  try {
    find_glue_task(name);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

OwnFiles own_files(const TaskFlags& task) {
  OwnFiles files;
  if (task.train_file) files.train = *task.train_file;
  if (task.validation_file) files.dev = *task.validation_file;
  if (task.test_file) files.test = *task.test_file;
  return files;
}

OwnColumns named_columns(const TaskFlags& task) {
  return {.texts = comma_separated(task.text_columns.value_or("")), .label = task.label_column};
}

OwnOptions training_options(const TaskFlags& task, std::uint64_t seed) {
  constexpr double kHeldOutPercentage = 10;
  return {.columns = named_columns(task),
          .held_out_share = task.held_out_percentage.value_or(kHeldOutPercentage) / 100,
          .seed = seed};
}

// "reviews.csv: texts in title and body, labels in stars".
void tell_columns(const std::filesystem::path& file, const OwnColumns& found, const OwnColumns& named) {
  if (found.texts.empty()) return;
  const bool is_found_pair = found.texts.size() == 2 && named.texts.empty();
  info("{}: texts in {}{}, {}", file.string(), printable(fmt::format("{}", fmt::join(found.texts, " and "))),
       is_found_pair ? " (a pair; --text_columns names one)" : "",
       found.label ? "labels in " + printable(*found.label) : "no labels");
}

void tell_task(const Task& task) {
  if (task.regression()) {
    return info(
        "the labels are numbers: a regression (--problem_type single_label_classification makes classes of them)");
  }
  const char* const what = task.kind == TaskKind::kTokens       ? "labels of words"
                           : task.kind == TaskKind::kMultiLabel ? "labels, any number of which apply"
                                                                : "classes";
  info("{} {}: {}", task.labels.size(), what, listed(task.labels));
}

// A script may hand all of its flags to each command.
void tell_unread(const TaskFlags& task) {
  std::vector<std::string> flags;
  if (task.train_file) flags.emplace_back("--train_file");
  if (task.problem_type) flags.emplace_back("--problem_type");
  if (task.held_out_percentage) flags.emplace_back("--validation_split_percentage");
  if (!flags.empty()) info("not read here, only in training: {}", fmt::join(flags, ", "));
}

bool holds_all(const std::vector<std::string>& labels, const std::vector<std::string>& some) {
  return std::ranges::all_of(
      some, [&](const std::string& label) { return std::ranges::find(labels, label) != labels.end(); });
}

}  // namespace

void add_task_flags(Flags& flags, TaskFlags& task, bool needs_model) {
  flags.group("Task and model");
  flags.add(
      "--task_name", task.task_name,
      "GLUE task: cola sst2 mrpc stsb qqp mnli qnli rte wnli, or its folder's name; with files of your own a name "
      "for what they are about",
      "TASK");
  flags.add("--data_dir", task.data_dir, "folder that holds CoLA/, SST-2/ ...", "DIR");
  Flag model =
      flags.add("--model_name_or_path", task.model, "model folder: config.json, model.safetensors, vocab.txt", "DIR");
  if (needs_model) model.required();
  flags.add("--max_seq_length", task.max_seq_length, "tokens of a text or pair at most; longer ones are cut")
      .at_least(2);
  flags.group("Your own data");
  flags.add("--train_file", task.train_file,
            "rows to train on, in place of a GLUE task: .csv, .tsv, .jsonl, .json, or words with their tags in .conll",
            "FILE");
  flags.add("--validation_file", task.validation_file,
            "rows to score; without it a share of the training rows is held out", "FILE");
  flags.add("--test_file", task.test_file, "rows to predict; labels in it are scored by eval", "FILE");
  flags.add("--text_columns", task.text_columns,
            "column of the texts, or two with a comma between (default: sentence1 and sentence2, else the first two "
            "that hold no label)",
            "NAMES");
  flags.add("--label_column", task.label_column, "column of the labels (default: label)", "NAME");
  flags.add("--problem_type", task.problem_type, "what the labels mean (default: numbers with fractions a regression)");
  flags
      .add("--validation_split_percentage", task.held_out_percentage,
           "of the training rows that are held out where there is no --validation_file (default: 10)")
      .range(0.1, 90);
}

std::vector<std::string> task_problems(const TaskFlags& task, Part part) {
  std::vector<std::string> problems;
  if (!task.has_own_files()) {
    if (task.task_name.empty()) {
      problems.emplace_back(
          "--task_name: expected a task of GLUE, or files of your own in its place: --train_file, "
          "--validation_file, --test_file");
    } else if (std::string problem = glue_problem(task.task_name); !problem.empty()) {
      problems.push_back("--task_name: " + std::move(problem));
    }
    if (task.data_dir.empty() && !task.task_name.empty())
      problems.emplace_back(
          "--data_dir: expected the folder that holds CoLA/, SST-2/ ... as GLUE publishes them; nothing is downloaded");
    for (const auto& [flag, given] :
         {std::pair("--text_columns", task.text_columns.has_value()),
          std::pair("--label_column", task.label_column.has_value()),
          std::pair("--problem_type", task.problem_type.has_value()),
          std::pair("--validation_split_percentage", task.held_out_percentage.has_value())}) {
      if (given) problems.push_back(concat(flag, ": only together with files of your own"));
    }
    return problems;
  }
  if (!task.task_name.empty() && glue_problem(task.task_name).empty()) {
    problems.push_back(concat("--task_name: ", task.task_name,
                              " is a task of GLUE with data of its own; leave it out, or name your data otherwise"));
  }
  if (task.task_name.find('/') != std::string::npos) {
    problems.emplace_back("--task_name: stands in names of files, so that it holds no /");
  }
  if (part == Part::kTrain && !task.train_file) problems.emplace_back("--train_file: expected rows to train on");
  if (part == Part::kDev && !task.validation_file && !task.test_file) {
    problems.emplace_back("--validation_file: expected rows to score, there or by --test_file");
  }
  if (part == Part::kTest && !task.test_file && !task.validation_file) {
    problems.emplace_back("--test_file: expected rows to predict");
  }
  if (comma_separated(task.text_columns.value_or("")).size() > 2) {
    problems.emplace_back("--text_columns: expected one column or two");
  }
  return problems;
}

std::string own_name(const TaskFlags& task) { return task.task_name.empty() ? kOwnName : task.task_name; }

const GlueTask* glue_task_of(const TaskFlags& task) {
  const bool is_known = !task.has_own_files() && glue_problem(task.task_name).empty();
  return is_known ? &find_glue_task(task.task_name) : nullptr;
}

Part scored_part(const TaskFlags& task) {
  return task.has_own_files() && !task.validation_file && task.test_file ? Part::kTest : Part::kDev;
}

std::unique_ptr<Reader> training_reader(const TaskFlags& flags, std::uint64_t seed) {
  if (!flags.has_own_files()) return std::make_unique<GlueReader>(flags.task_name, flags.data_dir);
  Task task = infer_task(*flags.train_file, named_columns(flags), flags.problem_type, own_name(flags));
  if (!task.regression() && !flags.model.empty()) {
    const Task of_model = task_of_model(flags.model);
    if (of_model.kind == task.kind && holds_all(of_model.labels, task.labels)) task.labels = of_model.labels;
  }
  const OwnColumns named = named_columns(flags);
  tell_columns(*flags.train_file, find_columns(*flags.train_file, named), named);
  tell_task(task);
  return std::make_unique<OwnReader>(std::move(task), own_files(flags), training_options(flags, seed));
}

OwnColumns columns_for(const TaskFlags& task) {
  TaskFlags known = task;
  const nlohmann::json flags = run_manifest(task.model).value("flags", nlohmann::json::object());
  const auto complete = [&](const char* flag, std::optional<std::string>& value) {
    if (!value && flags.contains(flag) && flags[flag].is_string()) value = flags[flag].get<std::string>();
  };
  complete("text_columns", known.text_columns);
  complete("label_column", known.label_column);
  return named_columns(known);
}

std::unique_ptr<Reader> scoring_reader(const TaskFlags& flags) {
  if (!flags.has_own_files()) return std::make_unique<GlueReader>(flags.task_name, flags.data_dir);
  tell_unread(flags);
  Task task = task_of_model(flags.model);
  if (task.name.empty()) task.name = kOwnName;
  const OwnFiles files = own_files(flags);
  const std::filesystem::path& file = files.dev ? *files.dev : *files.test;
  const OwnColumns columns = columns_for(flags);
  const OwnColumns found = find_columns(file, columns);
  tell_columns(file, found, columns);
  task.texts = found.texts.size() == 2 && task.kind != TaskKind::kTokens ? 2 : 1;
  return std::make_unique<OwnReader>(std::move(task), files, OwnOptions{.columns = columns});
}

}  // namespace tk
