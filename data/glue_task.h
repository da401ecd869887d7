#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/example.h"
#include "data/task.h"

namespace tk {

/// One file of a task as GLUE publishes it. The columns count from 0 and hold where no header names them; -1 = none.
struct SplitInfo {
  Part part;
  bool mismatched;    ///< MNLI's second file of dev and test
  std::string name;   ///< "train", "dev", "dev_matched", ...
  std::string file;   ///< "train.tsv", "dev_matched.tsv", ...
  std::int64_t rows;  ///< official count, without the header and without malformed rows
  int text_a;
  int text_b;
  int label;

  bool labelled() const { return label >= 0; }
};

/// A task of GLUE: what is known of its files before they are read.
struct GlueTask {
  Task task;
  std::string folder;  ///< of the published archives: "SST-2"
  std::string text_a;  ///< the columns' names in the header; text_b is empty for tasks of single sentences
  std::string text_b;
  std::string label;
  std::vector<std::string> label_spellings;  ///< how the files and the server spell them: "0", "1" or the names
  std::vector<SplitInfo> splits;
  double highest_score = 0;  ///< of a regression; the lowest is 0
  bool short_rows = false;   ///< the official files hold a few malformed rows, which do not count (QQP)
};

/// The nine tasks of GLUE and the diagnostic set AX, in the order of the GLUE paper's table.
const std::vector<GlueTask>& glue_tasks();

/// The task of that name or folder name, whatever the case; throws with the nearest known name and the list.
const GlueTask& find_glue_task(std::string_view name);

/// The task's file of that part, of two the matched one; throws when the task has no such part.
const SplitInfo& find_split(const GlueTask& task, Part part);

/// By name: "train", "dev", "test", "dev_matched", "test_mismatched"; "validation" is understood as "dev".
const SplitInfo& find_split(const GlueTask& task, std::string_view name);

/// Where a split lies under a data folder that holds CoLA/, SST-2/ ..., or is itself the task's and has its name.
struct SplitFile {
  std::filesystem::path path;
  bool subset;  ///< there is no train.tsv and train-subset.tsv takes its place; to be said to the user
};

/// nullopt when there is no such file.
std::optional<SplitFile> look_for_split_file(const GlueTask& task, const SplitInfo& split,
                                             const std::filesystem::path& data_dir);

/// Whether there is a file of that part under a data folder; of two, the matched one.
bool has_file(const GlueTask& task, Part part, const std::filesystem::path& data_dir);

/// As look_for_split_file; throws, naming the file, when there is none.
SplitFile find_split_file(const GlueTask& task, const SplitInfo& split, const std::filesystem::path& data_dir);

}  // namespace tk
