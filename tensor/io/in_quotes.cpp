#include "tensor/io/in_quotes.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "tensor/io/utf8.h"

namespace tk {
namespace {

struct Range {
  std::uint32_t first;
  std::uint32_t last;
};

// Unicode's categories Cc, Zl and Zp, and of Cf what a reader does not see or what moves its neighbours.
constexpr std::array<Range, 13> kUnprintable = {{{0x00, 0x1f},
                                                 {0x7f, 0x9f},
                                                 {0xad, 0xad},
                                                 {0x61c, 0x61c},
                                                 {0x180e, 0x180e},
                                                 {0x200b, 0x200f},
                                                 {0x2028, 0x202e},
                                                 {0x2060, 0x206f},
                                                 {0xfeff, 0xfeff},
                                                 {0xfff9, 0xfffb},
                                                 {0x1bca0, 0x1bca3},
                                                 {0xe0000, 0xe0fff},
                                                 {kInvalidCharacter, kInvalidCharacter}}};

bool is_printable(std::uint32_t character) {
  return std::ranges::none_of(kUnprintable,
                              [&](const Range& r) { return character >= r.first && character <= r.last; });
}

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

constexpr std::size_t kLongest = 80;

}  // namespace

std::string printable(std::string_view text) {
  std::string line;
  line.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    if (is_printable(take_character(text, at))) {
      line += text.substr(begin, at - begin);
    } else {
      line += '?';
    }
  }
  return line;
}

std::string printable(std::string_view text, std::size_t most) {
  if (text.size() <= most) return printable(text);
  std::size_t length = most;
  while (length > 0 && continues_character(text[length])) --length;
  return printable(text.substr(0, length)) + "...";
}

std::string printable_line(std::string_view text, std::size_t most) {
  const std::string line = printable(text);
  if (line.size() <= most) return line;
  std::size_t end = line.size() - most / 2;
  while (end < line.size() && continues_character(line[end])) ++end;
  return printable(line, most - most / 2) + line.substr(end);
}

std::string in_quotes(std::string_view text) { return '"' + printable(text, kLongest) + '"'; }

std::string listed(std::span<const std::string> texts, std::size_t most) {
  std::string list;
  for (const std::string& text : texts.first(std::min(most, texts.size()))) {
    list += (list.empty() ? "" : ", ") + printable(text, kLongest);
  }
  return texts.size() <= most ? list : list + ", and " + std::to_string(texts.size() - most) + " more";
}

}  // namespace tk
