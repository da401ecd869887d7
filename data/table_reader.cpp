#include "data/table_reader.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <type_traits>
#include <utility>

#include "data/csv_reader.h"
#include "data/text_file.h"
#include "data/tsv_reader.h"
#include "tensor/error.h"
#include "tensor/io/in_quotes.h"
#include "tensor/io/json.h"

namespace tk {

class TableReader::Rows {
 public:
  virtual ~Rows() = default;
  virtual bool next(std::vector<Cell>& row) = 0;
  virtual std::string where() const = 0;

  std::vector<std::string> columns = {};
};

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

void check_columns(const std::vector<std::string>& columns, const std::string& where) {
  for (auto name = columns.begin(); name != columns.end(); ++name) {
    TK_CHECK(std::find(columns.begin(), name, *name) == name, where, ": two columns are called ", in_quotes(*name));
  }
}

// CSV and TSV: a header, and rows with as many fields.
template <class Reader, class Field>
class SeparatedRows : public TableReader::Rows {
 public:
  explicit SeparatedRows(const fs::path& path) : reader_(path) {
    TK_CHECK(reader_.next(fields_), path.string(), ": no rows; expected a header that names the columns");
    columns.assign(fields_.begin(), fields_.end());
    check_columns(columns, reader_.where());
  }

  bool next(std::vector<Cell>& row) override {
    if (!reader_.next(fields_)) return false;
    TK_CHECK(fields_.size() == columns.size(), reader_.where(), ": ",
             fields_problem(columns.size(), fields_.size(), std::is_same_v<Reader, CsvReader>));
    row.clear();
    for (const Field& field : fields_) row.push_back({.values = {std::string(field)}});
    return true;
  }

  std::string where() const override { return reader_.where(); }

 private:
  Reader reader_;
  std::vector<Field> fields_;
};

std::string text_of(const json& value, const std::string& where) {
  if (value.is_string()) return value.get<std::string>();
  TK_CHECK(value.is_primitive(), where, ": expected a text or a number, got ", shown(value));
  return value.dump();
}

Cell cell_of(const json& value, const std::string& where) {
  if (value.is_null()) return {};
  if (!value.is_array()) return {.values = {text_of(value, where)}};
  Cell cell{.is_list = true};
  for (const json& element : value) cell.values.push_back(text_of(element, where));
  return cell;
}

// In the order of the text, which `json` does not keep.
std::vector<std::string> keys_of(const nlohmann::ordered_json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

void fill_row(const json& object, const std::vector<std::string>& columns, const std::string& where,
              std::vector<Cell>& row) {
  TK_CHECK(object.is_object(), where, ": expected an object, got ", shown(object));
  row.clear();
  for (const std::string& name : columns) {
    const auto found = object.find(name);
    row.push_back(found == object.end() ? Cell() : cell_of(*found, where));
  }
}

class JsonLines : public TableReader::Rows {
 public:
  JsonLines(std::string path, std::string text) : path_(std::move(path)), text_(std::move(text)), rest_(text_) {
    const std::string_view begin = rest_;
    const std::string_view line = take_filled_line();
    TK_CHECK(!line.empty(), path_, ": no rows; expected an object of JSON a line");
    TK_CHECK(parse_json(line, where()).is_object(), where(), ": expected an object, got ", printable(line, 60));
    columns = keys_of(nlohmann::ordered_json::parse(line));
    rest_ = begin;
    line_ = 0;
  }

  bool next(std::vector<Cell>& row) override {
    const std::string_view line = take_filled_line();
    if (line.empty()) return false;
    fill_row(parse_json(line, where()), columns, where(), row);
    return true;
  }

  std::string where() const override { return concat(path_, ", line ", line_); }

 private:
  std::string_view take_filled_line() {
    while (!rest_.empty()) {
      const std::string_view line = take_line(rest_);
      ++line_;
      if (line.find_first_not_of(" \t") != std::string_view::npos) return line;
    }
    return {};
  }

  std::string path_;
  std::string text_;
  std::string_view rest_;
  std::int64_t line_ = 0;
};

// An array of objects.
class JsonArray : public TableReader::Rows {
 public:
  JsonArray(std::string path, json rows, std::vector<std::string> names)
      : path_(std::move(path)), rows_(std::move(rows)) {
    columns = std::move(names);
  }

  bool next(std::vector<Cell>& row) override {
    if (at_ == rows_.size()) return false;
    ++at_;
    fill_row(rows_[at_ - 1], columns, where(), row);
    return true;
  }

  std::string where() const override { return concat(path_, ", row ", at_); }

 private:
  std::string path_;
  json rows_;
  std::size_t at_ = 0;
};

// A file is one array, or one object with such under "data"; any other has an object a line.
std::unique_ptr<TableReader::Rows> json_rows(const fs::path& path) {
  std::string text = read_text(path);
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  const bool is_array = first != std::string::npos && text[first] == '[';
  const bool is_lines = !is_array && !json::accept(text);
  json value = is_lines ? json() : parse_json(text, path.string());
  const bool has_data = value.is_object() && value.contains("data");
  if (is_lines || (value.is_object() && !has_data)) {
    return std::make_unique<JsonLines>(path.string(), std::move(text));
  }
  nlohmann::ordered_json ordered = nlohmann::ordered_json::parse(text);
  if (has_data) {
    value = json(value["data"]);
    ordered = nlohmann::ordered_json(ordered["data"]);
  }
  TK_CHECK(value.is_array() && !value.empty() && value.front().is_object(), path.string(),
           ": expected objects, one a line, or an array of them, alone or under \"data\"");
  return std::make_unique<JsonArray>(path.string(), std::move(value), keys_of(ordered.front()));
}

std::unique_ptr<TableReader::Rows> rows_of(const fs::path& path) {
  const std::string ending = path.extension().string();
  if (ending == ".csv") return std::make_unique<SeparatedRows<CsvReader, std::string>>(path);
  if (ending == ".tsv") return std::make_unique<SeparatedRows<TsvReader, std::string_view>>(path);
  if (ending == ".jsonl" || ending == ".json") return json_rows(path);
  throw Error(concat(path.string(), ": expected a file that ends in ", TableReader::endings()));
}

}  // namespace

const char* TableReader::endings() { return ".csv, .tsv, .jsonl or .json"; }

bool TableReader::reads(const fs::path& path) {
  const std::string ending = path.extension().string();
  return ending == ".csv" || ending == ".tsv" || ending == ".jsonl" || ending == ".json";
}

TableReader::TableReader(const fs::path& path) : rows_(rows_of(path)) {}
TableReader::~TableReader() = default;
TableReader::TableReader(TableReader&&) noexcept = default;
TableReader& TableReader::operator=(TableReader&&) noexcept = default;

const std::vector<std::string>& TableReader::columns() const { return rows_->columns; }

bool TableReader::next(std::vector<Cell>& row) { return rows_->next(row); }

std::string TableReader::where() const { return rows_->where(); }

}  // namespace tk
