#include "data/normalizer.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/data/fnv.h"
#include "tests/support/catch.h"

namespace {

using tk::ByteSpan;
using tk::Normalizer;
using tk::NormalizerOptions;

std::string words(const Normalizer& normalizer, std::string_view text, const char* separator = "|") {
  std::string out;
  for (tk::WordScanner scanner(normalizer, text); scanner.next();) (out += scanner.word()) += separator;
  return out;
}

std::string words(std::string_view text, const NormalizerOptions& options = {}) {
  return words(Normalizer(options), text);
}

}  // namespace

TEST_CASE("normalizer: English is lower-cased and split at blanks and punctuation") {
  CHECK(words("The film's  dull.") == "the|film|'|s|dull|.|");
  CHECK(words("") == "");
  CHECK(words(" \t\r\n ") == "");
}

TEST_CASE("normalizer: without lower-casing accents stay too, unless asked otherwise") {
  CHECK(words("Résumé") == "resume|");
  CHECK(words("Résumé", {.lower_case = false}) == "Résumé|");
  CHECK(words("Résumé", {.lower_case = false, .strip_accents = true}) == "Resume|");
  CHECK(words("Résumé", {.strip_accents = false}) == "résumé|");
}

TEST_CASE("normalizer: Han characters stand alone if the options say so") {
  CHECK(words("a北京b") == "a|北|京|b|");
  CHECK(words("a北京b", {.split_cjk = false}) == "a北京b|");
}

TEST_CASE("normalizer: control characters join, white space separates") {
  CHECK(words("a\vb a\tb a\u0085b a\u00a0b") == "ab|a|b|ab|a|b|");
  CHECK(words(std::string_view("a\0b", 3)) == "ab|");
}

TEST_CASE("normalizer: invalid UTF-8 is left out") {
  for (const char* text :
       {"a\x80z", "a\xc3z", "a\xc0\xafz", "a\xed\xa0\x80z", "a\xf5\x80\x80\x80z", "az\xf0\x9f\x98"}) {
    CHECK(words(text) == "az|");
  }
}

TEST_CASE("normalizer: marks that stay are in canonical order") {
  // U+302E has class 224, U+08D4 class 230; U+034F is a starter that goes, U+0001 goes before marks are ordered.
  CHECK(words("a\u08d4\u302e") == "a\u302e\u08d4|");
  CHECK(words("a\u302e\u08d4") == "a\u302e\u08d4|");
  CHECK(words("a\u08d4\u034f\u302e") == "a\u08d4\u302e|");
  CHECK(words("a\u08d4\x01\u302e") == "a\u302e\u08d4|");
  CHECK(words("a\u08d4\u302e", {.lower_case = false}) == "a\u08d4\u302e|");
}

TEST_CASE("normalizer: the tables of ICU know marks and punctuation newer than Unicode 8") {
  const NormalizerOptions icu = {.unicode = tk::UnicodeTables::kIcu};
  CHECK(words("a\u08d4z") == "a\u08d4z|");
  CHECK(words("a\u08d4z", icu) == "az|");
  CHECK(words("a\u2e43z") == "a\u2e43z|");
  CHECK(words("a\u2e43z", icu) == "a|\u2e43|z|");
}

TEST_CASE("normalizer: a word knows the bytes that it came from") {
  const Normalizer normalizer;
  const std::string text = " Café\u0301s\u00ad!x";
  tk::WordScanner scanner(normalizer, text);
  REQUIRE(scanner.next());
  CHECK(scanner.word() == "cafes");
  CHECK(scanner.source() == ByteSpan{1, 9});
  CHECK(scanner.source(3, 4) == ByteSpan{4, 6});  // é
  CHECK(scanner.source(4, 5) == ByteSpan{8, 9});  // s, behind the second accent
  REQUIRE(scanner.next());
  CHECK(scanner.word() == "!");
  CHECK(scanner.source() == ByteSpan{11, 12});
  REQUIRE(scanner.next());
  CHECK(scanner.source() == ByteSpan{12, 13});
  CHECK_FALSE(scanner.next());
}

TEST_CASE("normalizer: a whole text knows the bytes that it came from") {
  const Normalizer normalizer{NormalizerOptions{}};
  const tk::NormalizedText text = tk::normalized(normalizer, "\u00c9\u200bA\t\u4e2d!\xff");
  CHECK(text.text == "ea \u4e2d!");
  CHECK(text.sources == std::vector<ByteSpan>{{0, 2}, {5, 6}, {6, 7}, {7, 10}, {7, 10}, {7, 10}, {10, 11}});
  CHECK(tk::normalized(Normalizer({.strip_accents = false}), "\u0130").text == "i\u0307");
  CHECK(tk::normalized(normalizer, "").text.empty());
}

TEST_CASE("normalizer: a word of more than 100 code points is too long, counted after normalisation") {
  const Normalizer normalizer;
  const auto too_long = [&](const std::string& text) {
    tk::WordScanner scanner(normalizer, text);
    REQUIRE(scanner.next());
    return scanner.too_long();
  };
  std::string accented, emoji;
  for (int i = 0; i < 100; ++i) accented += "e\u0301", emoji += "\U0001F600";
  CHECK_FALSE(too_long(std::string(100, 'a')));
  CHECK(too_long(std::string(101, 'a')));
  CHECK_FALSE(too_long(accented));
  CHECK_FALSE(too_long(emoji));
  CHECK(too_long(emoji + "a"));
  CHECK(too_long(emoji + "\u08d4"));
}

TEST_CASE("normalizer: every code point is treated as in Hugging Face's tokenizers") {
  const auto golden =
      nlohmann::json::parse(std::ifstream(TK_SOURCE_DIR "/tests/data/golden/tokenizer_code_points.json"));
  const std::pair<const char*, NormalizerOptions> cases[] = {
      {"uncased", {}},
      {"cased", {.lower_case = false}},
      {"uncased, accents kept", {.strip_accents = false}},
      {"cased, accents stripped", {.lower_case = false, .strip_accents = true}},
  };
  for (const auto& [name, options] : cases) {
    const Normalizer normalizer(options);
    const auto& blocks = golden.at(name);
    std::size_t compared = 0;
    for (char32_t block = 0; block < 0x110000; block += 256) {
      std::string as_is, actual;
      for (char32_t c = block; c < block + 256; ++c) {
        if (c >= 0xD800 && c < 0xE000) continue;
        std::string text = "a";
        tk::append_utf8(text, c);
        text += 'b';
        as_is += text + '\n';
        actual += words(normalizer, text, "\n");
      }
      std::ostringstream key;
      key << std::hex << std::uppercase << static_cast<std::uint32_t>(block);
      const auto expected = blocks.find(key.str());  // blocks that stay as they are have no entry
      INFO(name << ", block U+" << key.str());
      if (expected == blocks.end()) {
        CHECK(actual == as_is);
      } else {
        CHECK(tk::fnv1a_hex(actual) == expected->get<std::string>());
        ++compared;
      }
    }
    CHECK(compared == blocks.size());
  }
}
