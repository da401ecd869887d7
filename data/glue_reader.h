#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "data/glue_task.h"
#include "data/reader.h"

namespace tk {

/// A split's examples and what was found in the file.
struct GlueExamples {
  std::filesystem::path path;
  bool subset = false;        ///< read from train-subset.tsv
  std::int64_t rows = 0;      ///< of the file, header and empty lines apart; ids lie in [0, rows)
  std::int64_t skipped = 0;   ///< malformed rows among them, which have an id but no example
  std::int64_t expected = 0;  ///< usable rows of the official file
  std::vector<Example> examples;

  /// Whether the file has as many usable rows as the official one.
  bool complete() const { return rows - skipped == expected; }
};

/// Reads the first `limit` examples of a split (all when negative); the whole file is checked all the same.
///
/// A first line that names at least one needed column is the header; columns that no header names are taken by their
/// official index. Throws, naming file and line, on an unknown label or score, invalid UTF-8, or a row that lacks a
/// needed field, and when no row is left. QQP's official files hold rows that lack fields: there these are skipped,
/// provided that what is left is the official count. A file with another number of rows is read (see complete()).
GlueExamples read_examples(const GlueTask& task, const SplitInfo& split, const SplitFile& file,
                           std::int64_t limit = -1);

/// What to tell the user when the file is not the complete official one ("D/QNLI/train-subset.tsv has 20534 rows, the
/// official file 104743"), else empty.
std::string incomplete_note(const GlueExamples& split);

/// The number of examples of each class id of a classification task (without those that have no label).
std::vector<std::int64_t> label_counts(const Task& task, const std::vector<Example>& examples);

/// GLUE's files under a folder that holds CoLA/, SST-2/ ...
class GlueReader : public Reader {
 public:
  /// The task must outlive it, as those of glue_tasks() do.
  GlueReader(const GlueTask& task, std::filesystem::path data_dir) : task_(task), data_dir_(std::move(data_dir)) {}
  /// By the task's name or its folder's; throws as find_glue_task does.
  GlueReader(std::string_view task, std::filesystem::path data_dir)
      : GlueReader(find_glue_task(task), std::move(data_dir)) {}

  const Task& task() const override { return task_.task; }
  std::vector<Split> read(Part part, std::int64_t limit = -1) const override;
  /// One file of the task's.
  Split read(const SplitInfo& split, std::int64_t limit = -1) const;

 private:
  const GlueTask& task_;
  std::filesystem::path data_dir_;
};

}  // namespace tk
