#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/unicode.h"

namespace tk {

/// A range of bytes of the text that was tokenized; empty for a token that stands for none of it.
struct ByteSpan {
  std::int32_t begin = 0;
  std::int32_t end = 0;
  friend bool operator==(const ByteSpan&, const ByteSpan&) = default;
};

struct NormalizerOptions {
  bool lower_case = true;
  std::optional<bool> strip_accents = std::nullopt;  ///< Unset: exactly when lower-casing.
  bool split_cjk = true;                             ///< Every Han character becomes a word of its own.
  UnicodeTables unicode = UnicodeTables::kHuggingFace;
};

/// What becomes of each code point in Hugging Face's BertNormalizer and BertPreTokenizer. An immutable table: copies
/// share it, and any number of threads may read it.
class Normalizer {
 public:
  explicit Normalizer(const NormalizerOptions& options = {});

  enum class Kind : std::uint8_t {
    kWord,      ///< Part of a word, as `folded`.
    kSpace,     ///< Ends a word.
    kIsolated,  ///< A word of its own, as `folded`.
    kDrop,      ///< Deleted; its neighbours join.
    kBarrier,   ///< Deleted after decomposition; marks are not reordered across it.
    kExpand,    ///< Part of a word, as what `expansion` says.
  };
  struct Character {
    char32_t folded : 24;
    Kind kind : 8;
  };

  Character character(char32_t c) const { return c < kTableSize ? (*table_)[c] : classify(c); }

  /// The code points that c becomes: decomposed, without nonspacing marks, lower-cased, as far as the options ask for
  /// it.
  std::u32string expansion(char32_t c) const;

  /// The class by which a kept mark is ordered among its neighbours; 0 where the options leave the text undecomposed.
  int mark_class(char32_t c) const { return strip_accents_ ? combining_class(c, options_.unicode) : 0; }

  const NormalizerOptions& options() const { return options_; }

 private:
  static constexpr char32_t kTableSize = 0x10000;  // the basic multilingual plane; others are looked up each time

  Character classify(char32_t c) const;

  NormalizerOptions options_;
  bool strip_accents_;
  std::shared_ptr<const std::array<Character, kTableSize>> table_;
};

/// A text as the normaliser leaves it, white space as single spaces but none around Han characters, marks in the order
/// in which they came; and of each of its bytes the character of the text that it came from.
struct NormalizedText {
  std::string text;
  std::vector<ByteSpan> sources;
};
NormalizedText normalized(const Normalizer& normalizer, std::string_view text);

/// Reads a text word by word: normalised, split at white space, punctuation and Han characters apart.
/// Invalid UTF-8 is read as U+FFFD, which the normaliser deletes. The normaliser and the text must outlive the scanner.
class WordScanner {
 public:
  /// WordPiece gives up on words of more code points than this.
  static constexpr int kMaxWordLength = 100;

  /// The text may have up to 2^31 - 1 bytes.
  WordScanner(const Normalizer& normalizer, std::string_view text);

  /// Reads the next word; false when there is none left.
  bool next();

  /// The word read last, in UTF-8: its first `kMaxWordLength` code points.
  std::string_view word() const { return {word_.data(), static_cast<std::size_t>(size_)}; }

  /// Whether the word has more than `kMaxWordLength` code points.
  bool too_long() const { return length_ > kMaxWordLength; }

  /// Where in the text the bytes [begin, end) of the word came from.
  ByteSpan source(std::int32_t begin, std::int32_t end) const {
    return {source_begin_[static_cast<std::size_t>(begin)], source_end_[static_cast<std::size_t>(end - 1)]};
  }

  /// Where in the text the whole word came from.
  ByteSpan source() const { return {source_begin_[0], end_}; }

 private:
  static constexpr std::size_t kMaxWordBytes = 4 * kMaxWordLength;

  void append(char32_t c, ByteSpan from);
  void append_mark(char32_t c, int combining_class, ByteSpan from);
  void expand(char32_t c, ByteSpan from);

  const Normalizer& normalizer_;
  std::string_view text_;
  std::int32_t position_ = 0;
  std::int32_t size_ = 0;     // bytes of the word
  std::int32_t length_ = 0;   // code points of the word, those beyond kMaxWordLength included
  std::int32_t barrier_ = 0;  // marks are not reordered across this byte of the word
  std::int32_t end_ = 0;      // where in the text the word ends
  std::array<char, kMaxWordBytes> word_;
  std::array<std::int32_t, kMaxWordBytes> source_begin_;  // for each byte of the word
  std::array<std::int32_t, kMaxWordBytes> source_end_;
};

}  // namespace tk
