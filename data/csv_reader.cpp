#include "data/csv_reader.h"

#include <algorithm>

#include "data/text_file.h"
#include "tensor/error.h"

namespace tk {
namespace {

bool ends_line(char c) { return c == '\n' || c == '\r'; }

// The text of a field in quotes, the first of which lies at `at`, which moves behind the last one. Nothing where that
// is not in `text`: a quote at its end may be the first of two.
std::optional<std::string> quoted_field(std::string_view text, bool is_all, std::size_t& at) {
  std::string field;
  for (++at; at < text.size(); ++at) {
    if (text[at] != '"') {
      field += text[at];
      continue;
    }
    if (at + 1 == text.size() && !is_all) return std::nullopt;
    if (at + 1 == text.size() || text[at + 1] != '"') {
      ++at;
      return field;
    }
    field += text[++at];
  }
  TK_CHECK(!is_all, "a quote is opened and never closed");
  return std::nullopt;
}

}  // namespace

std::optional<std::size_t> parse_csv_record(std::string_view text, char separator, bool is_all,
                                            std::vector<std::string>& fields) {
  fields.clear();
  for (std::size_t at = 0;; ++at) {
    if (at < text.size() && text[at] == '"') {
      std::optional<std::string> field = quoted_field(text, is_all, at);
      if (!field) return std::nullopt;
      fields.push_back(*std::move(field));
    } else {
      const std::size_t begin = at;
      while (at < text.size() && text[at] != separator && !ends_line(text[at])) ++at;
      fields.emplace_back(text.substr(begin, at - begin));
    }
    if (at == text.size()) return is_all ? std::optional(at) : std::nullopt;
    if (ends_line(text[at])) {
      if (text[at] == '\r' && at + 1 == text.size() && !is_all) return std::nullopt;
      return at + (text.substr(at).starts_with("\r\n") ? 2 : 1);
    }
    TK_CHECK(text[at] == separator, "characters follow a closing quote; a quote inside quotes is written twice");
  }
}

char csv_separator(std::string_view header) {
  for (const char separator : {',', ';', '\t'}) {
    if (header.find(separator) != std::string_view::npos) return separator;
  }
  return ',';
}

std::string fields_problem(std::size_t expected, std::size_t got, bool quotes) {
  return concat("expected the ", expected, " fields of the header, got ", got,
                quotes && got > expected ? "; a text that holds the separator stands in quotes" : "");
}

CsvReader::CsvReader(const std::filesystem::path& path) : path_(path.string()), text_(read_text(path)) {
  std::string_view rest = text_, header;
  while (header.empty() && !rest.empty()) header = take_line(rest);
  separator_ = csv_separator(header);
}

bool CsvReader::next(std::vector<std::string>& fields) {
  while (at_ < text_.size()) {
    const std::string_view rest = std::string_view(text_).substr(at_);
    began_ = line_;
    std::size_t size = 0;
    try {
      size = *parse_csv_record(rest, separator_, true, fields);
    } catch (const Error& error) {
      throw Error(concat(where(), ": ", error.what()));
    }
    at_ += size;
    line_ += std::max<std::int64_t>(1, count_lines(rest.substr(0, size)));
    const bool is_empty_line = fields.size() == 1 && fields.front().empty() && rest.front() != '"';
    if (!is_empty_line) return true;
  }
  return false;
}

std::string CsvReader::where() const { return concat(path_, ", line ", began_); }

}  // namespace tk
