#include "data/unicode.h"

#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/utf16.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "tensor/error.h"

namespace tk {
namespace {

// Hugging Face's crate `unicode_categories` stopped at Unicode 8 and its `unicode-normalization-alignments` at
// Unicode 9. ICU knows in which version a code point was assigned, so that older tables are "not assigned yet", plus
// the few code points whose category changed later.
constexpr int kCategoriesVersion = 8;
constexpr int kNormalizationVersion = 9;

bool assigned_by(char32_t c, int version) {
  UVersionInfo age;
  u_charAge(static_cast<UChar32>(c), age);
  return age[0] != 0 && (age[0] < version || (age[0] == version && age[1] == 0));
}

bool has_category(char32_t c, std::uint32_t mask, UnicodeTables tables) {
  if (tables == UnicodeTables::kHuggingFace && !assigned_by(c, kCategoriesVersion)) return false;
  return (U_GET_GC_MASK(static_cast<UChar32>(c)) & mask) != 0;
}

bool is_assigned_for_normalization(char32_t c, UnicodeTables tables) {
  return tables == UnicodeTables::kIcu || assigned_by(c, kNormalizationVersion);
}

const UNormalizer2* nfd() {
  UErrorCode status = U_ZERO_ERROR;
  const UNormalizer2* instance = unorm2_getNFDInstance(&status);  // the normalizer is ICU's own, compiled-in data
  if (U_FAILURE(status)) throw Error(concat("ICU: cannot load the NFD normalizer: ", u_errorName(status)));
  return instance;
}

// Hugging Face lower-cases with Rust's standard library, which knows Unicode 17. Capitals newer than Unicode 15 (ICU
// 72): code points first..last have the lower-case letters lower, lower + 1 ...
struct CaseRange {
  char32_t first, last, lower;
};
constexpr std::array<CaseRange, 10> kNewCapitals = {{
    {0x1C89, 0x1C89, 0x1C8A},
    {0xA7CB, 0xA7CB, 0x0264},
    {0xA7CC, 0xA7CC, 0xA7CD},
    {0xA7CE, 0xA7CE, 0xA7CF},
    {0xA7D2, 0xA7D2, 0xA7D3},
    {0xA7D4, 0xA7D4, 0xA7D5},
    {0xA7DA, 0xA7DA, 0xA7DB},
    {0xA7DC, 0xA7DC, 0x019B},
    {0x10D50, 0x10D65, 0x10D70},
    {0x16EA0, 0x16EB8, 0x16EBB},
}};

}  // namespace

bool is_control(char32_t c, UnicodeTables tables) {
  return has_category(c, U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK, tables);
}

bool is_white_space(char32_t c) { return u_isUWhiteSpace(static_cast<UChar32>(c)); }

bool is_punctuation(char32_t c, UnicodeTables tables) {
  if (c < 0x80) return c > ' ' && c < 0x7F && !u_isalnum(static_cast<UChar32>(c));
  if (tables == UnicodeTables::kHuggingFace && (c == 0x166D || c == 0x111C9)) return true;  // So and Mn since
  return has_category(c, U_GC_P_MASK, tables);
}

bool is_nonspacing_mark(char32_t c, UnicodeTables tables) {
  if (tables == UnicodeTables::kHuggingFace) {
    if (c == 0x1734 || c == 0x1171E) return true;                                 // Mc since Unicode 14 and 16
    if (c == 0x1885 || c == 0x1886 || c == 0xA9BD || c == 0x111C9) return false;  // Lo, Lo, Mc and Po before
  }
  return has_category(c, U_GC_MN_MASK, tables);
}

bool is_cjk(char32_t c) {
  // Google's seventh range begins at 2B820; `tokenizers` has 2B920, a slip that the models trained with it have seen.
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
         (c >= 0x2A700 && c <= 0x2B73F) || (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

int combining_class(char32_t c, UnicodeTables tables) {
  return is_assigned_for_normalization(c, tables) ? u_getCombiningClass(static_cast<UChar32>(c)) : 0;
}

std::u32string decompose(char32_t c, UnicodeTables tables) {
  std::array<UChar, 32> units;  // the longest canonical decomposition has 4 code points
  UErrorCode status = U_ZERO_ERROR;
  const std::int32_t size = unorm2_getDecomposition(nfd(), static_cast<UChar32>(c), units.data(),
                                                    static_cast<std::int32_t>(units.size()), &status);
  if (size < 0 || !is_assigned_for_normalization(c, tables)) return {c};
  std::u32string decomposition;
  for (std::int32_t i = 0; i < size;) {
    UChar32 part;
    U16_NEXT(units, i, size, part);
    decomposition.push_back(static_cast<char32_t>(part));
  }
  return decomposition;
}

std::u32string lower_case(char32_t c, UnicodeTables tables) {
  if (c == 0x0130) return {U'i', 0x0307};  // İ, the one code point whose lower case is two
  if (tables == UnicodeTables::kHuggingFace) {
    for (const CaseRange& range : kNewCapitals) {
      if (c >= range.first && c <= range.last) return {range.lower + (c - range.first)};
    }
  }
  return {static_cast<char32_t>(u_tolower(static_cast<UChar32>(c)))};
}

void append_utf8(std::string& out, char32_t c) {
  std::array<char, U8_MAX_LENGTH> bytes;
  std::int32_t size = 0;
  U8_APPEND_UNSAFE(bytes, size, c);
  out.append(bytes.data(), static_cast<std::size_t>(size));
}

}  // namespace tk
