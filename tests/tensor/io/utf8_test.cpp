#include "tensor/io/utf8.h"

#include <string>

#include "tests/support/catch.h"

using namespace tk;

namespace {

std::string encoded(std::uint32_t c) {
  const auto byte = [](std::uint32_t bits) { return static_cast<char>(bits); };
  if (c < 0x80) return {byte(c)};
  if (c < 0x800) return {byte(0xc0 | c >> 6), byte(0x80 | (c & 0x3f))};
  if (c < 0x10000) return {byte(0xe0 | c >> 12), byte(0x80 | (c >> 6 & 0x3f)), byte(0x80 | (c & 0x3f))};
  return {byte(0xf0 | c >> 18), byte(0x80 | (c >> 12 & 0x3f)), byte(0x80 | (c >> 6 & 0x3f)), byte(0x80 | (c & 0x3f))};
}

}  // namespace

TEST_CASE("utf8: every character is read back, and a surrogate is none") {
  bool good = true;
  for (std::uint32_t c = 0; c <= 0x10ffff; ++c) {
    const std::string text = encoded(c);
    std::size_t at = 0;
    const bool is_surrogate = c >= 0xd800 && c <= 0xdfff;
    const std::uint32_t read = take_character(text, at);
    good = good && (is_surrogate ? read == kInvalidCharacter && at == 1 : read == c && at == text.size());
    good = good && find_invalid_utf8(text).has_value() == is_surrogate;
  }
  CHECK(good);
}

TEST_CASE("utf8: the first byte that belongs to no character is found wherever it lies") {
  for (std::size_t at = 0; at < 20; ++at) {
    std::string text(20, 'x');
    text[at] = '\x80';
    CHECK(find_invalid_utf8(text) == at);
    text.replace(at, 1, "\xc3\xa9");
    CHECK_FALSE(find_invalid_utf8(text));
    CHECK(find_invalid_utf8(text.substr(0, at + 1)) == at);  // the end is missing
  }
  for (const std::string text : {"\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xf5\x80\x80\x80"}) {
    CHECK(find_invalid_utf8(text) == 0u);  // overlong, or beyond Unicode
  }
}
