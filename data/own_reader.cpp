#include "data/own_reader.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <iterator>
#include <limits>
#include <map>
#include <string_view>
#include <utility>

#include "data/conll_reader.h"
#include "data/sampling.h"
#include "data/table_reader.h"
#include "tensor/error.h"
#include "tensor/io/in_quotes.h"

namespace tk {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMostClasses = 1000;

bool is_conll(const fs::path& path) {
  constexpr std::array<std::string_view, 4> kEndings = {".conll", ".bio", ".iob", ".iob2"};
  return std::ranges::find(kEndings, path.extension().string()) != kEndings.end();
}

void check_ending(const fs::path& path) {
  constexpr std::array<std::string_view, 3> kSheets = {".xlsx", ".xls", ".ods"};
  const bool is_sheet = std::ranges::find(kSheets, path.extension().string()) != kSheets.end();
  TK_CHECK(is_conll(path) || TableReader::reads(path), path.string(), ": expected a table that ends in ",
           TableReader::endings(), ", or words with their tags in .conll, .bio, .iob or .iob2",
           is_sheet ? "; a spreadsheet program saves a sheet as CSV in UTF-8" : "");
}

std::ptrdiff_t place_of(const std::vector<std::string>& names, std::string_view name) {
  const auto found = std::ranges::find(names, name);
  return found == names.end() ? -1 : found - names.begin();
}

// Without blanks around it and in small letters, as names are alike that a reader takes for the same.
std::string plain(std::string_view name) {
  const std::size_t first = name.find_first_not_of(' ');
  if (first == std::string_view::npos) return "";
  std::string text(name.substr(first, name.find_last_not_of(' ') - first + 1));
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

std::size_t named_place(const std::vector<std::string>& names, const std::string& name, const std::string& source) {
  const std::ptrdiff_t place = place_of(names, name);
  if (place >= 0) return static_cast<std::size_t>(place);
  const auto alike = std::ranges::find(names, plain(name), plain);
  throw Error(concat(source, ": has no column ", in_quotes(name), "; its header has ", listed(names),
                     alike == names.end() ? "" : concat("; did you mean ", in_quotes(*alike), "?")));
}

std::vector<std::size_t> text_places(const std::vector<std::string>& names, std::ptrdiff_t label) {
  const std::ptrdiff_t first = place_of(names, "sentence1"), second = place_of(names, "sentence2");
  if (first >= 0 && second >= 0) return {static_cast<std::size_t>(first), static_cast<std::size_t>(second)};
  constexpr std::array<std::string_view, 3> kNumbers = {"id", "idx", "index"};
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < names.size() && places.size() < 2; ++i) {
    const bool is_text = static_cast<std::ptrdiff_t>(i) != label &&
                         std::ranges::find(kNumbers, std::string_view(names[i])) == kNumbers.end();
    if (is_text) places.push_back(i);
  }
  return places;
}

std::optional<double> number(std::string_view text) {
  double value = 0;
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_whole = error == std::errc() && end == text.data() + text.size();
  return is_whole && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

bool is_integer(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// Labels of which any number applies: an array, or a text with commas between. The labels of none are an empty one.
std::vector<std::string> several_labels(const Cell& cell) {
  if (cell.is_list) return cell.values;
  std::vector<std::string> labels;
  std::string_view rest = cell.values.empty() ? "" : cell.values.front();
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    std::string_view label = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? "" : rest.substr(comma + 1);
    while (label.starts_with(' ')) label.remove_prefix(1);
    while (label.ends_with(' ')) label.remove_suffix(1);
    if (!label.empty()) labels.emplace_back(label);
  }
  return labels;
}

// What the labels of a file are.
struct Labels {
  std::map<std::string, std::int64_t> counts = {};
  std::int64_t rows = 0;
  int texts = 1;
  bool of_words = false;
  bool are_several = false;

  void add(const std::string& label) { ++counts[label]; }
};

Labels labels_of_conll(const fs::path& path) {
  Labels labels{.of_words = true};
  for (const TaggedSentence& sentence : read_conll(path)) {
    ++labels.rows;
    TK_CHECK(!sentence.tags.empty(), path.string(), ", line ", sentence.line, ": expected a tag behind each word");
    for (const std::string& tag : sentence.tags) labels.add(tag);
  }
  return labels;
}

// Rows that lack something, the first of them by their places ("reviews.csv, line 3").
class Lacking {
 public:
  void add(std::string where) {
    if (count_++ < kNamed) places_.push_back(std::move(where));
  }
  std::int64_t count() const { return count_; }
  const std::string& first() const { return places_.front(); }

  // "reviews.csv, line 3: has no label", and where there are more ", nor have 7 more rows: line 5, line 9 ..."
  std::string text(const std::string& file, const std::string& what) const {
    std::string text = concat(first(), ": has no ", what);
    if (count_ > 1)
      text += concat(", nor ", count_ == 2 ? "has 1 more row" : concat("have ", count_ - 1, " more rows"), ":");
    for (std::size_t i = 1; i < places_.size(); ++i) {
      text += concat(i > 1 ? ", " : " ", std::string_view(places_[i]).substr(file.size() + 2));
    }
    return text + (count_ > kNamed ? " ..." : "");
  }

 private:
  static constexpr std::int64_t kNamed = 6;

  std::int64_t count_ = 0;
  std::vector<std::string> places_;
};

Labels labels_of_table(const fs::path& path, const OwnColumns& columns, std::optional<TaskKind> kind) {
  TableReader table(path);
  const ColumnPlaces places = column_places(table.columns(), columns, path.string(), true);
  Labels labels{.texts = static_cast<int>(places.texts.size()), .are_several = kind == TaskKind::kMultiLabel};
  Lacking unlabelled;
  std::vector<Cell> row;
  while (table.next(row)) {
    const Cell& text = row[places.texts.front()];
    const Cell& label = row[static_cast<std::size_t>(places.label)];
    if (labels.rows++ == 0) {
      labels.of_words = label.is_list && text.is_list;
      labels.are_several = labels.are_several || (label.is_list && !text.is_list);
    }
    const bool may_be_empty = labels.are_several || labels.of_words;
    if (label.is_missing() || (!may_be_empty && !label.is_list && label.values.front().empty())) {
      unlabelled.add(table.where());
      continue;
    }
    if (labels.are_several) {
      TK_CHECK(!text.is_list, table.where(), ": expected a text, got an array");
      for (const std::string& value : several_labels(label)) labels.add(value);
      continue;
    }
    TK_CHECK(label.is_list == labels.of_words, table.where(), ": expected ",
             labels.of_words ? "an array of labels, as in the rows before" : "one label, got an array of them");
    TK_CHECK(!label.values.empty() && !label.values.front().empty(), table.where(), ": has no label");
    for (const std::string& value : label.values) labels.add(value);
  }
  TK_CHECK(unlabelled.count() == 0, unlabelled.text(path.string(), "label"));
  TK_CHECK(labels.rows > 0, path.string(), ": no rows");
  if (labels.of_words) labels.texts = 1;
  return labels;
}

TaskKind kind_of(const Labels& labels) {
  if (labels.of_words) return TaskKind::kTokens;
  if (labels.are_several) return TaskKind::kMultiLabel;
  const auto text = [](const auto& entry) { return std::string_view(entry.first); };
  const bool all_numbers = std::ranges::all_of(
      labels.counts, [](auto t) { return number(t).has_value(); }, text);
  const bool all_integers = std::ranges::all_of(labels.counts, is_integer, text);
  return all_numbers && !all_integers ? TaskKind::kRegression : TaskKind::kClassification;
}

std::vector<std::string> class_names(const Labels& labels, const fs::path& path) {
  std::vector<std::string> names;
  for (const auto& [name, count] : labels.counts) names.push_back(name);
  TK_CHECK(!names.empty(), path.string(), ": no row has a label that applies");
  TK_CHECK(names.size() > 1, path.string(), ": all labels are ", in_quotes(names.front()),
           "; expected at least two classes");
  TK_CHECK(std::ssize(names) <= kMostClasses, path.string(), ": ", names.size(), " different labels in ", labels.rows,
           " rows; expected at most ", kMostClasses, " classes, or numbers");
  for (const std::string& name : names) {
    TK_CHECK(printable(name) == name, path.string(), ": the label ", in_quotes(name), " holds a control character");
  }
  if (std::ranges::all_of(names, is_integer)) {
    std::ranges::stable_sort(names, {}, [](const std::string& name) { return *number(name); });
  }
  return names;
}

// Nearest to -1, which stands for no score.
float score_of(double value) {
  const auto score = static_cast<float>(value);
  return score == -1.0F ? std::nextafter(-1.0F, 0.0F) : score;
}

// A label as an example has it; nothing where the task has none of that name, and for what is no number.
std::optional<float> parse_label(const Task& task, const std::string& text) {
  if (task.regression()) {
    const std::optional<double> value = number(text);
    return value ? std::optional(score_of(*value)) : std::nullopt;
  }
  const auto found = std::ranges::find(task.labels, text);
  if (found == task.labels.end()) return std::nullopt;
  return static_cast<float>(found - task.labels.begin());
}

[[noreturn]] void fail_label(const Task& task, const std::string& text, const std::string& where) {
  throw Error(concat(where, ": expected ",
                     task.regression() ? "a number" : concat("one of the labels ", listed(task.labels)), ", got ",
                     in_quotes(text)));
}

float label_of(const Task& task, const Cell& cell, const std::string& where, bool is_needed) {
  if (cell.values.empty() || cell.values.front().empty() || cell.is_list) {
    TK_CHECK(!is_needed, where, ": has no label");
    return -1;
  }
  const std::optional<float> label = parse_label(task, cell.values.front());
  if (!label && is_needed) fail_label(task, cell.values.front(), where);
  return label.value_or(-1.0F);
}

// Words with their labels; without labels where `tags` is empty, or may be unknown and are.
Example words_example(const Task& task, const std::vector<std::string>& words, const std::vector<std::string>& tags,
                      const std::string& where, bool needs_labels) {
  TK_CHECK(tags.empty() ? !needs_labels : tags.size() == words.size(), where, ": expected a label for each of the ",
           words.size(), " words, got ", tags.size());
  Example example;
  for (const std::string& word : words) {
    TK_CHECK(!word.empty() && word.find(' ') == std::string::npos, where, ": expected words without blanks, got ",
             in_quotes(word));
    example.text_a += (example.text_a.empty() ? "" : " ") + word;
  }
  example.word_labels.assign(words.size(), -1);
  for (std::size_t i = 0; i < tags.size(); ++i) {
    const std::optional<float> label = parse_label(task, tags[i]);
    if (!label && needs_labels) fail_label(task, tags[i], where);
    if (label) example.word_labels[i] = static_cast<std::int32_t>(*label);
  }
  return example;
}

std::string text_of(const Cell& cell, const std::string& where) {
  TK_CHECK(!cell.is_list, where, ": expected a text, got an array");
  return cell.values.empty() ? "" : cell.values.front();
}

// Of each of the task's labels whether it applies; of none anything is known where there is no label.
std::vector<std::int32_t> applies_of(const Task& task, const Cell& cell, const std::string& where, bool is_needed) {
  std::vector<std::int32_t> applies(task.labels.size(), cell.is_missing() ? -1 : 0);
  TK_CHECK(!is_needed || !cell.is_missing(), where, ": has no label");
  for (const std::string& name : several_labels(cell)) {
    const auto found = std::ranges::find(task.labels, name);
    if (found == task.labels.end() && is_needed) fail_label(task, name, where);
    if (found != task.labels.end()) applies[static_cast<std::size_t>(found - task.labels.begin())] = 1;
  }
  return applies;
}

Example table_example(const Task& task, const ColumnPlaces& places, const std::vector<Cell>& row,
                      const std::string& where, bool needs_labels) {
  const Cell none;
  const Cell& label = places.label < 0 ? none : row[static_cast<std::size_t>(places.label)];
  const Cell& text = row[places.texts.front()];
  if (task.kind == TaskKind::kTokens) {
    TK_CHECK(text.is_list && !text.values.empty(), where, ": expected an array of words");
    return words_example(task, text.values, label.values, where, needs_labels);
  }
  Example example{.text_a = text_of(text, where)};
  if (task.kind == TaskKind::kMultiLabel) {
    example.applies = applies_of(task, label, where, needs_labels);
  } else {
    example.label = label_of(task, label, where, needs_labels);
  }
  example.has_b = places.texts.size() == 2;
  if (example.has_b) example.text_b = text_of(row[places.texts[1]], where);
  return example;
}

void add(Split& split, Example example) {
  TK_CHECK(split.size() < std::numeric_limits<std::int32_t>::max(), split.path.string(), ": too many rows");
  example.id = static_cast<std::int32_t>(split.size());
  split.examples.push_back(std::move(example));
}

Split read_sentences(const fs::path& path, const Task& task, bool needs_labels) {
  TK_CHECK(task.kind == TaskKind::kTokens, path.string(), ": holds words with tags, and ", task.name,
           " is about whole texts");
  Split split{.path = path};
  for (const TaggedSentence& sentence : read_conll(path)) {
    add(split, words_example(task, sentence.words, sentence.tags, concat(path.string(), ", line ", sentence.line),
                             needs_labels));
  }
  return split;
}

}  // namespace

const std::optional<fs::path>& OwnFiles::of(Part part) const {
  switch (part) {
    case Part::kTrain:
      return train;
    case Part::kDev:
      return dev;
    case Part::kTest:
      break;
  }
  return test;
}

ColumnPlaces column_places(const std::vector<std::string>& names, const OwnColumns& columns, const std::string& source,
                           bool needs_label) {
  ColumnPlaces places;
  const std::string label = columns.label.value_or("label");
  places.label = place_of(names, label);
  TK_CHECK(!needs_label || columns.label || places.label >= 0, source, ": has no column \"label\"; its header has ",
           listed(names), ": name the one that holds the labels (--label_column)");
  if (needs_label) named_place(names, label, source);
  if (columns.texts.empty()) {
    places.texts = text_places(names, places.label);
    TK_CHECK(!places.texts.empty(), source, ": no column holds a text; it has ", listed(names));
  }
  for (const std::string& name : columns.texts) {
    places.texts.push_back(named_place(names, name, source));
    TK_CHECK(!needs_label || name != label, source, ": the column ", in_quotes(name), " is named for texts and labels");
  }
  TK_CHECK(places.texts.size() <= 2, source, ": expected one column of texts or two, got ", places.texts.size());
  return places;
}

OwnColumns find_columns(const fs::path& file, const OwnColumns& columns) {
  check_ending(file);
  if (is_conll(file)) return {};
  const TableReader table(file);
  const ColumnPlaces places = column_places(table.columns(), columns, file.string(), false);
  OwnColumns found;
  for (const std::size_t place : places.texts) found.texts.push_back(table.columns()[place]);
  if (places.label >= 0) found.label = table.columns()[static_cast<std::size_t>(places.label)];
  return found;
}

Task own_task(TaskKind kind, std::vector<std::string> labels, const std::string& name) {
  Task task{.name = name, .kind = kind, .labels = std::move(labels)};
  if (kind == TaskKind::kRegression) {
    task.labels.clear();
    task.metrics = {"pearson", "spearmanr"};
    task.headline = "combined_score";
  } else if (kind == TaskKind::kMultiLabel) {
    task.metrics = {"precision", "recall", "f1", "f1_macro", "accuracy"};
    task.headline = "f1";
  } else if (kind == TaskKind::kTokens) {
    task.metrics = {"precision", "recall", "f1", "accuracy"};
    task.headline = "f1";
  }
  return task;
}

Task infer_task(const fs::path& train, const OwnColumns& columns, std::optional<TaskKind> kind,
                const std::string& name) {
  check_ending(train);
  const Labels labels = is_conll(train) ? labels_of_conll(train) : labels_of_table(train, columns, kind);
  const TaskKind found = kind.value_or(kind_of(labels));
  TK_CHECK((found == TaskKind::kMultiLabel) == labels.are_several, train.string(),
           ": has several labels of a row, which is another kind of task than was asked for");
  TK_CHECK((found == TaskKind::kTokens) == labels.of_words, train.string(), ": has a label for each ",
           labels.of_words ? "word" : "row", ", which is another kind of task than was asked for");
  if (found == TaskKind::kRegression) {
    for (const auto& [text, count] : labels.counts) {
      TK_CHECK(number(text), train.string(), ": expected numbers as labels, got ", in_quotes(text));
    }
  }
  Task task =
      own_task(found, found == TaskKind::kRegression ? std::vector<std::string>() : class_names(labels, train), name);
  task.texts = labels.texts;
  return task;
}

OwnReader::OwnReader(Task task, OwnFiles files, OwnOptions options)
    : task_(std::move(task)), files_(std::move(files)), options_(std::move(options)) {}

namespace {

bool is_blank(const Example& example) {
  return (example.text_a + example.text_b).find_first_not_of(" \t\r\n") == std::string::npos;
}

}  // namespace

Split OwnReader::read_table(const fs::path& path, bool needs_labels) const {
  TableReader table(path);
  const ColumnPlaces places = column_places(table.columns(), options_.columns, path.string(), needs_labels);
  TK_CHECK(static_cast<int>(places.texts.size()) == task_.texts || task_.kind == TaskKind::kTokens, path.string(),
           ": expected ", task_.texts == 2 ? "two texts" : "one text", " a row, got ", places.texts.size(),
           "; name the columns");
  Split split{.path = path};
  std::vector<Cell> row;
  Lacking textless;
  while (table.next(row)) {
    add(split, table_example(task_, places, row, table.where(), needs_labels));
    if (is_blank(split.examples.back())) textless.add(table.where());
  }
  TK_CHECK(split.size() > 0, path.string(), ": no rows");
  if (needs_labels && textless.count() > 0)
    split.note = textless.text(path.string(), "text") + "; they stay as they are";
  return split;
}

Split OwnReader::read_file(const fs::path& path, bool needs_labels) const {
  check_ending(path);
  return is_conll(path) ? read_sentences(path, task_, needs_labels) : read_table(path, needs_labels);
}

std::vector<Split> OwnReader::read(Part part, std::int64_t limit) const {
  const bool holds_out = files_.train && !files_.dev && part != Part::kTest;
  const std::optional<fs::path>& file = holds_out ? files_.train : files_.of(part);
  if (!file) return {};
  Split split = read_file(*file, part != Part::kTest);
  if (holds_out) {
    const std::int64_t all = split.size();
    const auto count = std::max<std::int64_t>(1, std::llround(options_.held_out_share * static_cast<double>(all)));
    Split held_out = hold_out(split, count, options_.seed);
    if (part == Part::kDev) {
      split = std::move(held_out);
      split.note = concat(file->string(), ": ", count, " of ", all,
                          " rows are held out to score, since no file of them is given (--validation_file)");
    }
  }
  if (limit >= 0 && split.size() > limit) split.examples.resize(static_cast<std::size_t>(limit));
  return {std::move(split)};
}

}  // namespace tk
