#include "tensor/io/in_quotes.h"

#include <algorithm>

namespace tk {
namespace {

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

}  // namespace

std::string printable(std::string_view text) {
  std::string line(text);
  std::replace_if(line.begin(), line.end(), is_control, '?');
  return line;
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t kLongest = 80;
  if (text.size() <= kLongest) return '"' + printable(text) + '"';
  std::size_t length = kLongest;
  while (length > 0 && continues_character(text[length])) --length;
  return '"' + printable(text.substr(0, length)) + "...\"";
}

}  // namespace tk
