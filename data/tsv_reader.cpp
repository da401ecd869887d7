#include "data/tsv_reader.h"

#include <unicode/utf8.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>

#include "tensor/error.h"

namespace tk {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

std::string read_file(const std::filesystem::path& path) {
  TK_CHECK(!std::filesystem::is_directory(path), "expected a file, got a folder: ", path.string());
  std::ifstream in(path, std::ios::binary);
  TK_CHECK(in, "cannot open ", path.string(), ": ", std::strerror(errno));
  std::string text;
  constexpr std::size_t kChunk = std::size_t{1} << 20;
  for (std::size_t size = 0; in; text.resize(size)) {
    text.resize(size + kChunk);
    in.read(text.data() + size, kChunk);
    size += static_cast<std::size_t>(in.gcount());
  }
  TK_CHECK(in.eof(), "cannot read ", path.string(), ": ", std::strerror(errno));
  return text;
}

bool is_ascii(const char* bytes) {
  std::uint64_t word;
  std::memcpy(&word, bytes, sizeof word);
  return (word & 0x8080808080808080u) == 0;
}

// Where the first byte sequence lies that is not well-formed UTF-8 (Unicode 15, table 3-7).
std::optional<std::size_t> find_invalid_utf8(std::string_view text) {
  const char* s = text.data();
  const std::size_t size = text.size();
  std::size_t i = 0;
  while (i < size) {
    if (size - i >= sizeof(std::uint64_t) && is_ascii(s + i)) {
      i += sizeof(std::uint64_t);
      continue;
    }
    const std::size_t start = i;
    UChar32 c;
    U8_NEXT(s, i, size, c);
    if (c < 0) return start;
  }
  return std::nullopt;
}

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
    throw Error(concat("invalid UTF-8 in ", path_, ", line ", line_of(text_, *invalid)));
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
