#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/reader.h"

namespace tk {

/// Files of one's own, one a part; none where there is no such part.
struct OwnFiles {
  std::optional<std::filesystem::path> train = {};
  std::optional<std::filesystem::path> dev = {};
  std::optional<std::filesystem::path> test = {};

  const std::optional<std::filesystem::path>& of(Part part) const;
};

/// What the columns of a table mean; what is left open follows Hugging Face's rule: the label is in "label", the texts
/// are in "sentence1" and "sentence2", else in the first two other columns, or in the only one. Columns called id, idx
/// or index hold no text.
struct OwnColumns {
  std::vector<std::string> texts = {};
  std::optional<std::string> label = {};
};

/// Where texts and label stand in a row.
struct ColumnPlaces {
  std::vector<std::size_t> texts = {};
  std::ptrdiff_t label = -1;  ///< -1: there is none
};

/// Of columns with these names. Throws, naming the source and what columns it has, where one that is named or needed is
/// missing.
ColumnPlaces column_places(const std::vector<std::string>& names, const OwnColumns& columns, const std::string& source,
                           bool needs_label);

/// The columns of texts and label in a table, by OwnColumns' rule; of words with tags neither has a name. Throws where
/// a named column is missing.
OwnColumns find_columns(const std::filesystem::path& file, const OwnColumns& columns = {});

/// What is asked of the rows of one's own files. A word a line (.conll, .bio, .iob, .iob2), and tables whose text and
/// label are arrays of as many elements, are a task of tokens. Of others the labels decide: numbers one of which has a
/// fraction are a regression, all others the names of classes, integers among them in the order of their values and the
/// rest in that of their bytes. Arrays of labels beside a text, none of which may be in them, say which of several
/// labels apply. `kind`, where given, overrides that; kMultiLabel reads a text as labels with commas between.
///
/// Reads all of `train`. Throws, naming file and line, for rows without a label and for classes that are hardly any:
/// all rows of one, or more than 1,000.
Task infer_task(const std::filesystem::path& train, const OwnColumns& columns = {}, std::optional<TaskKind> kind = {},
                const std::string& name = "own");

/// Metrics, headline and title for a kind, as own data are scored.
Task own_task(TaskKind kind, std::vector<std::string> labels, const std::string& name);

struct OwnOptions {
  OwnColumns columns = {};
  double held_out_share = 0.1;  ///< of the training rows, that are the dev set where there is no such file
  std::uint64_t seed = 42;      ///< names those
};

/// Rows of one's own files: tables (data/table_reader.h) and words with their tags (data/conll_reader.h).
class OwnReader : public Reader {
 public:
  OwnReader(Task task, OwnFiles files, OwnOptions options = {});

  const Task& task() const override { return task_; }
  /// Training and dev rows need labels of the task, each another error that names file and line. In the test file a
  /// label may be missing or be none of the task's: then the row has none.
  std::vector<Split> read(Part part, std::int64_t limit = -1) const override;

 private:
  Split read_file(const std::filesystem::path& path, bool needs_labels) const;
  Split read_table(const std::filesystem::path& path, bool needs_labels) const;

  Task task_;
  OwnFiles files_;
  OwnOptions options_;
};

}  // namespace tk
