#include "data/tsv_reader.h"

#include <algorithm>

#include "tensor/error.h"
#include "tensor/io/input_file.h"
#include "tensor/io/utf8.h"

namespace tk {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool ends_line(char c) { return c == '\n' || c == '\r'; }

// Past the line end that begins at `at`: one byte, or two for "\r\n".
std::size_t skip_line_end(std::string_view text, std::size_t at) {
  const bool pair = text[at] == '\r' && at + 1 < text.size() && text[at + 1] == '\n';
  return at + (pair ? 2 : 1);
}

std::int64_t line_of(std::string_view text, std::size_t at) {
  std::int64_t line = 1;
  for (std::size_t i = 0; i < at; ++line) {
    while (i < at && !ends_line(text[i])) ++i;
    if (i >= at) break;
    i = skip_line_end(text, i);
  }
  return line;
}

}  // namespace

TsvReader::TsvReader(const std::filesystem::path& path) : path_(path.string()), text_(read_file(path)) {
  if (const auto invalid = find_invalid_utf8(text_)) {
    throw Error(concat(path_, ", line ", line_of(text_, *invalid), ": invalid UTF-8"));
  }
  if (text_.starts_with(kByteOrderMark)) at_ = kByteOrderMark.size();
}

std::string_view TsvReader::take_line() {
  const std::string_view rest = std::string_view(text_).substr(at_);
  const auto length = static_cast<std::size_t>(std::find_if(rest.begin(), rest.end(), ends_line) - rest.begin());
  at_ = length < rest.size() ? skip_line_end(text_, at_ + length) : text_.size();
  ++line_;
  return rest.substr(0, length);
}

bool TsvReader::next(std::vector<std::string_view>& fields) {
  fields.clear();
  std::string_view line;
  while (line.empty()) {
    if (at_ >= text_.size()) return false;
    line = take_line();
  }
  for (std::size_t tab = line.find('\t'); tab != std::string_view::npos; tab = line.find('\t')) {
    fields.push_back(line.substr(0, tab));
    line.remove_prefix(tab + 1);
  }
  fields.push_back(line);
  return true;
}

std::string TsvReader::where() const { return concat(path_, ", line ", line_); }

}  // namespace tk
