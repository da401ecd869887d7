#include "data/glue_submission.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>
#include <vector>

#include "data/tsv_reader.h"
#include "tensor/error.h"
#include "tensor/io/in_quotes.h"

namespace tk {
namespace {

using Fields = std::vector<std::string_view>;

template <class T>
std::optional<T> number(std::string_view text) {
  T value = {};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// A class id, or a score.
double parse_prediction(const GlueTask& task, std::string_view field, const TsvReader& reader) {
  if (task.task.regression()) {
    const std::optional<double> score = number<double>(field);
    TK_CHECK(score && std::isfinite(*score), reader.where(), ": expected a number, got ", in_quotes(field));
    return *score;
  }
  for (std::size_t id = 0; id < task.task.labels.size(); ++id) {
    if (field == task.task.labels[id] || field == task.label_spellings[id]) return static_cast<double>(id);
  }
  throw Error(concat(reader.where(), ": unknown label ", in_quotes(field), ": task ", task.task.name, " has ",
                     listed(task.task.labels)));
}

// What the set of rows is called: "MNLI-mm".
std::string set_name(const GlueTask& task, const SplitInfo& split) {
  if (split.mismatched) return task.folder + "-mm";
  return task.folder + (split.name == "test_matched" ? "-m" : "");
}

// The prediction of each row of the test set, where there is one.
std::vector<std::optional<double>> read_predictions(const GlueTask& task, const SplitInfo& split,
                                                    const std::filesystem::path& file) {
  TsvReader reader(file);
  Fields fields;
  TK_CHECK(reader.next(fields) && fields == (Fields{"index", "prediction"}), file.string(),
           ": expected a header with index and prediction, as transkimmer predict writes it");
  std::vector<std::optional<double>> predictions(static_cast<std::size_t>(split.rows));
  while (reader.next(fields)) {
    TK_CHECK(fields.size() == 2, reader.where(), ": expected 2 columns, got ", fields.size());
    const std::optional<std::int64_t> index = number<std::int64_t>(fields[0]);
    TK_CHECK(index && *index >= 0, reader.where(), ": expected a row's index, got ", in_quotes(fields[0]));
    TK_CHECK(*index < split.rows, reader.where(), ": row ", *index, " is beyond the ", split.rows,
             " rows of the test set ", set_name(task, split), ", which are counted from 0");
    std::optional<double>& prediction = predictions[static_cast<std::size_t>(*index)];
    TK_CHECK(!prediction, reader.where(), ": row ", *index, " has a prediction already");
    prediction = parse_prediction(task, fields[1], reader);
  }
  return predictions;
}

// For rows without a prediction: the class that most have, of several the first, or the mean.
double usual(const GlueTask& task, const std::vector<std::optional<double>>& predictions) {
  std::vector<std::int64_t> counts(task.task.labels.size());
  double sum = 0, n = 0;
  for (const std::optional<double>& prediction : predictions) {
    if (!prediction) continue;
    if (!counts.empty()) ++counts[static_cast<std::size_t>(*prediction)];
    sum += *prediction;
    ++n;
  }
  return counts.empty() ? sum / n : static_cast<double>(std::ranges::max_element(counts) - counts.begin());
}

// Three decimals, and no "-0.000".
std::string score_text(double score, double highest) {
  std::array<char, 32> text;
  const double bounded = std::clamp(score, 0.0, highest) + 0.0;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), bounded, std::chars_format::fixed, 3).ptr;
  return {text.data(), end};
}

std::string spelled(const GlueTask& task, double prediction) {
  if (task.task.regression()) return score_text(prediction, task.highest_score);
  return task.label_spellings[static_cast<std::size_t>(prediction)];
}

}  // namespace

std::string submission_name(const GlueTask& task, const SplitInfo& split) { return set_name(task, split) + ".tsv"; }

std::string prediction_name(const GlueTask& task, const SplitInfo& split) {
  return concat("predict_results_", task.task.name, split.mismatched ? "-mm" : "", ".txt");
}

SubmissionFile submission_file(const GlueTask& task, const SplitInfo& split, const std::filesystem::path& predictions) {
  constexpr std::optional<double> kNone;
  const std::vector<std::optional<double>> found = read_predictions(task, split, predictions);
  SubmissionFile file{.name = submission_name(task, split), .text = "index\tprediction\n", .rows = split.rows};
  file.filled = std::ranges::count(found, kNone);
  TK_CHECK(file.filled <= file.rows / 100, predictions.string(), ": has ", file.rows - file.filled,
           " predictions, and the test set ", set_name(task, split), " has ", file.rows, " rows");
  const std::string substitute = spelled(task, usual(task, found));
  for (std::size_t i = 0; i < found.size(); ++i) {
    file.text += concat(i, '\t', found[i] ? spelled(task, *found[i]) : substitute, '\n');
  }
  if (file.filled > 0) {
    file.note =
        concat(predictions.string(), ": ", file.filled, " of ", file.rows, " rows have no prediction, the first ",
               std::ranges::find(found, kNone) - found.begin(), "; they get ", substitute,
               task.task.regression() ? ", the mean" : ", which most of the others have");
  }
  return file;
}

}  // namespace tk
