#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/example.h"
#include "data/task.h"

namespace tk {

/// Where texts without labels come from.
struct DistillSources {
  std::vector<std::string> tasks = {};  ///< of GLUE, whose training files lie in data_dir
  std::filesystem::path data_dir = {};
  std::vector<std::filesystem::path> files = {};  ///< as read_text_lines reads them
};

/// What a task with that data folder can have texts from: the tasks whose training files lie there and that suit it.
std::vector<std::string> tasks_with_texts(const Task& task, const std::filesystem::path& data_dir);

struct DistillTexts {
  std::vector<Example> examples = {};  ///< sentences or pairs, as the task has
  std::vector<std::filesystem::path> paths = {};
};

/// What keeps these sources from giving texts for a task, by names alone: a line for each problem, with its flag.
std::vector<std::string> source_problems(const DistillSources& sources, const Task& task);

/// All their texts; for a task of sentences pairs give two. Throws as the files' readers do.
DistillTexts read_distill_texts(const DistillSources& sources, const Task& task);

}  // namespace tk
