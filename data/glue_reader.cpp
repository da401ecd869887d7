#include "data/glue_reader.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <utility>

#include "data/tsv_reader.h"
#include "tensor/error.h"
#include "tensor/io/in_quotes.h"

namespace tk {
namespace {

using Fields = std::vector<std::string_view>;

struct Columns {
  int text_a;
  int text_b;
  int label;

  int last() const { return std::max({text_a, text_b, label}); }
};

bool is_integer(std::string_view field) {
  return !field.empty() && field.find_first_not_of("0123456789") == std::string_view::npos;
}

// The columns by the names in what may be a header line; nullopt when it is none. A header must name all that is
// needed: a column in the place of another would be taken for a text. Rows without labels begin with their number.
std::optional<Columns> columns_of_header(const GlueTask& task, const SplitInfo& split, const Fields& fields,
                                         const std::string& file) {
  Columns columns{split.text_a, split.text_b, split.label};
  std::vector<std::string> missing;
  bool is_header = !split.labelled() && !is_integer(fields.front());
  const auto look_up = [&](int& column, const std::string& name) {
    if (column < 0) return;
    const auto at = std::find(fields.begin(), fields.end(), name);
    if (at == fields.end()) return missing.push_back(name);
    column = static_cast<int>(at - fields.begin());
    is_header = true;
  };
  look_up(columns.text_a, task.text_a);
  look_up(columns.text_b, task.text_b);
  look_up(columns.label, task.label);
  if (!is_header) return std::nullopt;
  const std::vector<std::string> names(fields.begin(), fields.end());
  TK_CHECK(missing.empty(), file, ", line 1: the header has no column ", in_quotes(missing.front()), "; it has ",
           listed(names));
  return columns;
}

std::string known_labels(const GlueTask& task) {
  std::string out;
  for (const std::string& spelling : task.label_spellings) out += (out.empty() ? "" : ", ") + in_quotes(spelling);
  return out;
}

float parse_class(const GlueTask& task, std::string_view field, const TsvReader& reader) {
  const auto index_in = [&](const std::vector<std::string>& names) {
    return std::find(names.begin(), names.end(), field) - names.begin();
  };
  const auto classes = static_cast<std::ptrdiff_t>(task.task.labels.size());
  const std::ptrdiff_t id = std::min(index_in(task.label_spellings), index_in(task.task.labels));
  TK_CHECK(id < classes, "unknown label ", in_quotes(field), " in ", reader.where(), ": task ", task.task.name, " has ",
           known_labels(task));
  return static_cast<float>(id);
}

float parse_score(const GlueTask& task, std::string_view field, const TsvReader& reader) {
  float score = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), score);
  const bool whole = error == std::errc() && end == field.data() + field.size();
  TK_CHECK(whole && score >= 0 && score <= task.highest_score, "bad score ", in_quotes(field), " in ", reader.where(),
           ": expected a number from 0 to ", task.highest_score);
  return score;
}

// Why a row cannot be used; empty when it can.
std::string what_lacks(const Columns& columns, const Fields& fields) {
  const auto needed = static_cast<std::size_t>(columns.last()) + 1;
  if (fields.size() < needed) return concat("expected at least ", needed, " columns, got ", fields.size());
  if (columns.label >= 0 && fields[columns.label].empty()) return "the label is empty";
  return "";
}

float parse_label(const GlueTask& task, const Columns& columns, const Fields& fields, const TsvReader& reader) {
  if (columns.label < 0) return -1;
  const std::string_view field = fields[columns.label];
  return task.task.regression() ? parse_score(task, field, reader) : parse_class(task, field, reader);
}

Example make_example(const Columns& columns, const Fields& fields, std::int64_t id, float label) {
  Example example;
  example.id = static_cast<std::int32_t>(id);
  example.text_a = fields[columns.text_a];
  example.has_b = columns.text_b >= 0;
  if (example.has_b) example.text_b = fields[columns.text_b];
  example.label = label;
  return example;
}

}  // namespace

GlueExamples read_examples(const GlueTask& task, const SplitInfo& split, const SplitFile& file, std::int64_t limit) {
  TsvReader reader(file.path);
  GlueExamples result{file.path, file.subset, 0, 0, split.rows, {}};
  Fields fields;
  bool more = reader.next(fields);
  TK_CHECK(more, "no rows in ", file.path.string(), ": expected at least one example");
  Columns columns{split.text_a, split.text_b, split.label};
  if (const auto header = columns_of_header(task, split, fields, file.path.string())) {
    columns = *header;
    more = reader.next(fields);
  }
  std::string first_problem;
  for (; more; more = reader.next(fields)) {
    const std::int64_t id = result.rows++;
    TK_CHECK(id <= std::numeric_limits<std::int32_t>::max(), "too many rows in ", file.path.string());
    if (const std::string problem = what_lacks(columns, fields); !problem.empty()) {
      if (first_problem.empty()) first_problem = concat("malformed row in ", reader.where(), ": ", problem);
      TK_CHECK(task.short_rows, first_problem);
      ++result.skipped;
      continue;
    }
    const float label = parse_label(task, columns, fields, reader);
    const bool wanted = limit < 0 || std::ssize(result.examples) < limit;
    if (wanted) result.examples.push_back(make_example(columns, fields, id, label));
  }
  TK_CHECK(first_problem.empty() || result.complete(), first_problem);
  TK_CHECK(result.rows > 0, "no rows in ", file.path.string(), ": expected at least one example");
  return result;
}

std::string incomplete_note(const GlueExamples& split) {
  if (split.complete()) return "";
  return concat(split.path.string(), " has ", split.rows - split.skipped, " rows, the official file ", split.expected);
}

std::vector<std::int64_t> label_counts(const Task& task, const std::vector<Example>& examples) {
  std::vector<std::int64_t> counts(task.labels.size());
  if (task.regression()) return counts;
  for (const Example& example : examples) {
    if (example.label >= 0) ++counts.at(static_cast<std::size_t>(example.label));
  }
  return counts;
}

Split GlueReader::read(const SplitInfo& split, std::int64_t limit) const {
  GlueExamples found = read_examples(task_, split, find_split_file(task_, split, data_dir_), limit);
  return {.path = found.path,
          .suffix = split.mismatched ? "_mm" : "",
          .note = incomplete_note(found),
          .examples = std::move(found.examples),
          .tokenized = {}};
}

std::vector<Split> GlueReader::read(Part part, std::int64_t limit) const {
  std::vector<Split> splits;
  for (const SplitInfo& split : task_.splits) {
    if (split.part == part) splits.push_back(read(split, limit));
  }
  return splits;
}

}  // namespace tk
