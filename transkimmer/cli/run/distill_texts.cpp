#include "transkimmer/cli/run/distill_texts.h"

#include <algorithm>
#include <utility>

#include "data/glue_reader.h"
#include "data/text_lines.h"
#include "tensor/error.h"

namespace tk {
namespace fs = std::filesystem;
namespace {

// Why a task's rows cannot be used; empty where they can.
std::string problem_of(const std::string& name, const Task& own) {
  try {
    const GlueTask& task = find_glue_task(name);
    find_split(task, Part::kTrain);
    if (task.task.name == own.name) return concat(name, " is the task itself");
    if (task.task.texts < own.texts) return concat(name, " has sentences, and ", own.name, " needs pairs");
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

void append_as(std::vector<Example>& examples, Example example, int texts) {
  example.label = -1;
  if (texts == 2 || !example.has_b) {
    examples.push_back(std::move(example));
    return;
  }
  for (std::string* text : {&example.text_a, &example.text_b}) examples.push_back({.text_a = std::move(*text)});
}

}  // namespace

std::vector<std::string> source_problems(const DistillSources& sources, const Task& task) {
  std::vector<std::string> problems;
  for (const std::string& name : sources.tasks) {
    const std::string problem = problem_of(name, task);
    if (!problem.empty()) problems.push_back("--distill_tasks: " + problem);
  }
  return problems;
}

std::vector<std::string> tasks_with_texts(const Task& task, const fs::path& data_dir) {
  std::vector<std::string> names;
  for (const GlueTask& other : glue_tasks()) {
    const std::string& name = other.task.name;
    if (problem_of(name, task).empty() && has_file(other, Part::kTrain, data_dir)) names.push_back(name);
  }
  return names;
}

DistillTexts read_distill_texts(const DistillSources& sources, const Task& task) {
  DistillTexts texts;
  for (const std::string& name : sources.tasks) {
    for (Split& split : GlueReader(name, sources.data_dir).read(Part::kTrain)) {
      for (Example& example : split.examples) append_as(texts.examples, std::move(example), task.texts);
      texts.paths.push_back(split.path);
    }
  }
  for (const fs::path& file : sources.files) {
    std::ranges::move(read_text_lines(file, task.texts), std::back_inserter(texts.examples));
    texts.paths.push_back(file);
  }
  return texts;
}

}  // namespace tk
