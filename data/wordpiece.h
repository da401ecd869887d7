#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/vocabulary.h"

namespace tk {

/// Splits words into the longest tokens of a vocabulary, from the left. Immutable; any number of threads may use it.
class WordPiece {
 public:
  /// A token and the bytes [begin, end) of the word that it stands for.
  struct Piece {
    std::int32_t id, begin, end;
  };

  explicit WordPiece(const Vocabulary& vocabulary);

  /// Appends the pieces of a word in UTF-8 of at most `WordScanner::kMaxWordLength` code points: the longest token that
  /// begins it, then again and again the longest `##token` that continues it. Returns false, and appends nothing, when
  /// that leads to a place where no token fits.
  bool split(std::string_view word, std::vector<Piece>& pieces) const;

 private:
  // A token without its ##, which lies in texts_ from `begin`. Empty slots have the id -1.
  struct Slot {
    std::uint32_t hash = 0;
    std::int32_t id = -1;
    std::uint32_t begin = 0;
    std::uint16_t size = 0;
    bool continues = false;
  };

  void insert(std::string_view text, bool continues, std::int32_t id);
  const Slot* find(std::uint32_t hash, std::string_view text, bool continues) const;
  const Slot* longest_prefix(std::string_view text, bool continues) const;

  std::string texts_;
  std::vector<Slot> slots_;  // open addressing, linear probing; a power of two, at most half of them taken
  std::size_t longest_ = 0;  // bytes of the longest token
};

}  // namespace tk
