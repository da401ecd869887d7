#pragma once

#include <string>

namespace tk {

/// Whose character tables decide what is a mark, punctuation or a control character.
enum class UnicodeTables {
  kHuggingFace,  ///< Those of Hugging Face's `tokenizers`: categories of Unicode 8, canonical forms of Unicode 9.
  kIcu,          ///< Those of the ICU that the program runs with.
};

/// Whether `clean_text` deletes c: category Cc, Cf or Co. Tab, line feed and carriage return count too.
bool is_control(char32_t c, UnicodeTables tables);

/// Whether c has the property White_Space.
bool is_white_space(char32_t c);

/// Whether c is punctuation to BERT: any ASCII character that is neither a letter, a digit, a space nor a control
/// character, or category P*.
bool is_punctuation(char32_t c, UnicodeTables tables);

/// Whether c is a nonspacing mark (category Mn), which `strip_accents` deletes.
bool is_nonspacing_mark(char32_t c, UnicodeTables tables);

/// Whether BERT writes c as a word of its own, as it does with Han characters (not with kana or Hangul).
bool is_cjk(char32_t c);

/// The canonical combining class of c, 0 for a starter.
int combining_class(char32_t c, UnicodeTables tables);

/// The full canonical decomposition of c; c itself when it has none.
std::u32string decompose(char32_t c, UnicodeTables tables);

/// The full lower-case mapping of c by itself, without regard to its neighbours: Σ is σ even at the end of a word.
std::u32string lower_case(char32_t c, UnicodeTables tables);

/// Appends c to `out` as UTF-8. c is a Unicode scalar value.
void append_utf8(std::string& out, char32_t c);

}  // namespace tk
