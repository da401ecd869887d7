#include "data/text_file.h"

#include <algorithm>
#include <utility>

#include "tensor/error.h"
#include "tensor/io/input_file.h"
#include "tensor/io/utf8.h"

namespace tk {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool ends_line(char c) { return c == '\n' || c == '\r'; }

}  // namespace

std::string_view take_line(std::string_view& text) {
  const auto length = static_cast<std::size_t>(std::ranges::find_if(text, ends_line) - text.begin());
  const std::string_view line = text.substr(0, length);
  text.remove_prefix(length);
  if (text.starts_with("\r\n")) text.remove_prefix(1);
  if (!text.empty()) text.remove_prefix(1);
  return line;
}

std::int64_t count_lines(std::string_view text) {
  std::int64_t lines = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    lines += text[i] == '\n' || (text[i] == '\r' && (i + 1 == text.size() || text[i + 1] != '\n'));
  }
  return lines;
}

std::string checked_text(std::string text, const std::string& source) {
  TK_CHECK(!text.starts_with("\xFF\xFE") && !text.starts_with("\xFE\xFF"), source,
           ": is UTF-16; expected UTF-8 (iconv -f UTF-16 -t UTF-8 converts it)");
  TK_CHECK(!text.starts_with("PK\x03\x04"), source, ": is a spreadsheet or a zip archive; expected text in UTF-8");
  if (const auto invalid = find_invalid_utf8(text)) {
    const std::int64_t line = 1 + count_lines(std::string_view(text).substr(0, *invalid));
    throw Error(concat(source, ", line ", line,
                       ": invalid UTF-8; if it is in Windows' encoding, iconv -f WINDOWS-1252 -t UTF-8 converts it"));
  }
  if (text.starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
  return text;
}

std::string read_text(const std::filesystem::path& path) { return checked_text(read_file(path), path.string()); }

}  // namespace tk
