#include "transkimmer/cli/run/row_stream.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "data/csv_reader.h"
#include "data/text_file.h"
#include "tensor/error.h"
#include "tensor/io/json.h"
#include "tensor/io/utf8.h"
#include "transkimmer/cli/run/signals.h"

namespace tk {
namespace {

constexpr std::size_t kChunk = std::size_t{1} << 16;
constexpr std::size_t kLongestInputLine = std::size_t{64} << 20;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr const char* kSource = "standard input";

std::vector<std::string> split_at_tabs(std::string_view line) {
  std::vector<std::string> fields;
  for (std::size_t tab = line.find('\t'); tab != std::string_view::npos; tab = line.find('\t')) {
    fields.emplace_back(line.substr(0, tab));
    line.remove_prefix(tab + 1);
  }
  fields.emplace_back(line);
  return fields;
}

// Until something can be read. A signal that asks to stop does not interrupt a read, nor poll in the moment before it.
void wait_for_input(int fd) {
  constexpr int kMilliseconds = 200;
  pollfd input{.fd = fd, .events = POLLIN, .revents = 0};
  int ready = 0;
  while (ready == 0) {
    throw_if_stopped();
    ready = ::poll(&input, 1, kMilliseconds);
    if (ready < 0 && errno == EINTR) ready = 0;
  }
}

// Whether it names all of these columns.
bool is_header(std::string_view line, const std::vector<std::string>& columns) {
  std::vector<std::string> names;
  try {
    parse_csv_record(line, csv_separator(line), true, names);
  } catch (const Error&) {
    return false;  // quotes of a text
  }
  const auto is_named = [&](const std::string& column) { return std::ranges::find(names, column) != names.end(); };
  return !columns.empty() && std::ranges::all_of(columns, is_named);
}

Example row_of_texts(const std::vector<std::string>& texts) {
  Example row{.text_a = texts.front()};
  row.has_b = texts.size() == 2;
  if (row.has_b) row.text_b = texts.back();
  return row;
}

}  // namespace

RowStream::RowStream(int fd, std::optional<StreamFormat> format, OwnColumns columns)
    : fd_(fd), format_(format.value_or(StreamFormat::kLines)), may_be_table_(!format), columns_(std::move(columns)) {}

std::string RowStream::where() const { return concat(kSource, ", line ", line_); }

// Reads what has come, or waits for something to come; false at the end.
bool RowStream::fill() {
  if (is_at_end_) return false;
  buffer_.erase(0, std::exchange(at_, 0));
  TK_CHECK(buffer_.size() <= kLongestInputLine, kSource, ", line ", line_ + 1, ": is longer than ",
           kLongestInputLine >> 20, " MiB");
  wait_for_input(fd_);
  const std::size_t before = buffer_.size();
  buffer_.resize(before + kChunk);
  ssize_t got = 0;
  do {
    got = ::read(fd_, buffer_.data() + before, kChunk);
  } while (got < 0 && errno == EINTR);
  buffer_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(0, got)));
  TK_CHECK(got >= 0, kSource, ": cannot read: ", std::generic_category().message(errno));
  is_at_end_ = got == 0;
  if (line_ == 0 && at_ == 0 && buffer_.starts_with(kByteOrderMark)) at_ = kByteOrderMark.size();
  return !is_at_end_;
}

// Nothing where no whole line is in the buffer. The view lasts until the buffer is filled again.
std::optional<std::string_view> RowStream::take_line() {
  std::string_view rest = std::string_view(buffer_).substr(at_);
  const std::size_t end = rest.find('\n');
  if (rest.empty() || (end == std::string_view::npos && !is_at_end_)) return std::nullopt;
  std::string_view line = rest.substr(0, end);
  at_ += end == std::string_view::npos ? rest.size() : end + 1;
  ++line_;
  if (line.ends_with('\r')) line.remove_suffix(1);
  TK_CHECK(!find_invalid_utf8(line), where(), ": invalid UTF-8");
  return line;
}

// The next record of CSV or line of TSV that is not empty; false where none is whole yet.
bool RowStream::take_fields(std::vector<std::string>& fields) {
  if (format_ == StreamFormat::kTsv) {
    std::optional<std::string_view> line = take_line();
    while (line && line->empty()) line = take_line();
    if (line) fields = split_at_tabs(*line);
    return line.has_value();
  }
  while (at_ < buffer_.size()) {
    const std::string_view rest = std::string_view(buffer_).substr(at_);
    if (names_.empty()) separator_ = csv_separator(rest.substr(0, rest.find('\n')));
    std::optional<std::size_t> size;
    try {
      size = parse_csv_record(rest, separator_, is_at_end_, fields);
    } catch (const Error& error) {
      throw Error(concat(kSource, ", line ", line_ + 1, ": ", error.what()));
    }
    if (!size) return false;
    const std::string_view record = rest.substr(0, *size);
    at_ += *size;
    line_ += std::max<std::int64_t>(1, count_lines(record));
    TK_CHECK(!find_invalid_utf8(record), where(), ": invalid UTF-8");
    if (fields.size() > 1 || !fields.front().empty() || record.front() == '"') return true;
  }
  return false;
}

Example RowStream::row_of_fields(const std::vector<std::string>& fields) {
  TK_CHECK(fields.size() == names_.size(), where(), ": ",
           fields_problem(names_.size(), fields.size(), format_ == StreamFormat::kCsv));
  std::vector<std::string> texts;
  for (const std::size_t place : places_.texts) texts.push_back(fields[place]);
  return row_of_texts(texts);
}

std::optional<Example> RowStream::row_of_line(std::string_view line) {
  if (format_ == StreamFormat::kLines) {
    TK_CHECK(!std::exchange(may_be_table_, false) || !is_header(line, columns_.texts), where(),
             ": is the header of a table; --input_format csv reads it, --input_format lines takes it for a text");
    const std::vector<std::string> texts = split_at_tabs(line);
    TK_CHECK(texts.size() <= 2, where(), ": expected a text, or two with a tab between them, got ", texts.size());
    return row_of_texts(texts);
  }
  if (line.find_first_not_of(" \t") == std::string_view::npos) return std::nullopt;
  const nlohmann::json object = parse_json(line, where());
  TK_CHECK(object.is_object(), where(), ": expected an object, got ", shown(object));
  if (names_.empty()) {
    const auto ordered = nlohmann::ordered_json::parse(line);
    for (const auto& [key, value] : ordered.items()) names_.push_back(key);
    places_ = column_places(names_, columns_, where(), false);
  }
  std::vector<std::string> texts;
  for (const std::size_t place : places_.texts) {
    const auto text = object.find(names_[place]);
    TK_CHECK(text != object.end() && text->is_string(), where(), ": expected a text as \"", names_[place], "\"");
    texts.push_back(text->get<std::string>());
  }
  return row_of_texts(texts);
}

// Nothing where no whole row is in the buffer.
std::optional<Example> RowStream::take_row() {
  if (format_ == StreamFormat::kCsv || format_ == StreamFormat::kTsv) {
    std::vector<std::string> fields;
    if (names_.empty()) {
      if (!take_fields(fields)) return std::nullopt;
      names_ = std::move(fields);
      places_ = column_places(names_, columns_, where(), false);
    }
    return take_fields(fields) ? std::optional(row_of_fields(fields)) : std::nullopt;
  }
  while (const std::optional<std::string_view> line = take_line()) {
    if (std::optional<Example> row = row_of_line(*line)) return row;
  }
  return std::nullopt;
}

std::vector<Example> RowStream::next(std::int64_t most) {
  std::vector<Example> rows;
  while (std::ssize(rows) < most) {
    std::optional<Example> row = take_row();
    if (row) {
      row->id = static_cast<std::int32_t>(rows_++);
      rows.push_back(*std::move(row));
    } else if (!rows.empty() || (!fill() && at_ == buffer_.size())) {
      break;
    }
  }
  return rows;
}

}  // namespace tk
