#include "tensor/io/utf8.h"

#include <array>
#include <cstring>

namespace tk {
namespace {

std::uint32_t byte_at(std::string_view text, std::size_t i) { return static_cast<unsigned char>(text[i]); }

bool continues_character(std::uint32_t byte) { return (byte & 0xc0) == 0x80; }

bool is_ascii(const char* bytes) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof word);
  return (word & 0x8080808080808080u) == 0;
}

}  // namespace

std::uint32_t take_character(std::string_view text, std::size_t& at) {
  const std::uint32_t first = byte_at(text, at++);
  if (first < 0x80) return first;
  const std::size_t more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
  if (first < 0xc2 || first > 0xf4 || text.size() - at < more) return kInvalidCharacter;
  std::uint32_t character = first & (0x3fu >> more);
  for (std::size_t i = 0; i < more; ++i) {
    if (!continues_character(byte_at(text, at + i))) return kInvalidCharacter;
    character = character << 6 | (byte_at(text, at + i) & 0x3fu);
  }
  constexpr std::array<std::uint32_t, 4> kLeast = {0, 0x80, 0x800, 0x10000};
  const bool is_surrogate = character >= 0xd800 && character <= 0xdfff;
  if (character < kLeast[more] || character > 0x10ffff || is_surrogate) return kInvalidCharacter;
  at += more;
  return character;
}

std::optional<std::size_t> find_invalid_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    if (text.size() - at >= sizeof(std::uint64_t) && is_ascii(text.data() + at)) {
      at += sizeof(std::uint64_t);
      continue;
    }
    const std::size_t begin = at;
    if (take_character(text, at) == kInvalidCharacter) return begin;
  }
  return std::nullopt;
}

}  // namespace tk
