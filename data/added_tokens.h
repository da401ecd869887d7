#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tk {

/// A token that is cut out of a text before the rest is split into words, as `tokenizers` has it.
struct AddedToken {
  std::string text;
  bool special = false;      ///< With TokenizerOptions::split_special_tokens it is read as text.
  bool normalized = false;   ///< Found by its normalised spelling in the normalised text; else as it stands.
  bool single_word = false;  ///< Only where no letter, digit, mark or underscore touches it.
  bool strip_left = false;   ///< White space before it goes with it.
  bool strip_right = false;  ///< White space behind it goes with it.
};

/// Finds some tokens in texts: the leftmost, there the longest, then the next one behind it.
class TokenFinder {
 public:
  /// A token and its bytes in a text, white space that goes with it included.
  struct Found {
    std::int32_t id;
    std::size_t begin, end;
  };

  /// `spelling` is what is looked for, and not empty.
  void add(std::string spelling, const AddedToken& token, std::int32_t id);
  bool empty() const { return entries_.empty(); }
  /// The first token of the text that begins at `from` or later.
  std::optional<Found> next(std::string_view text, std::size_t from) const;

 private:
  struct Entry {
    std::string spelling;
    std::int32_t id;
    bool single_word, strip_left, strip_right;
  };

  std::size_t next_start(std::string_view text, std::size_t from) const;
  const Entry* longest_at(std::string_view text, std::size_t at) const;

  std::vector<Entry> entries_;  // longer ones first
  std::string first_bytes_;     // each once
};

}  // namespace tk
