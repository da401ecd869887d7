#pragma once

#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tk {

/// A span of words of one type.
struct Entity {
  std::string type;
  std::int64_t begin;  ///< its first word
  std::int64_t end;    ///< behind its last one

  auto operator<=>(const Entity&) const = default;
};

/// The entities of a sentence's tags, in order: "B-person", "I-person", "O", and E- and S- of longer schemes; as
/// conlleval and seqeval's default mode find them (Tjong Kim Sang and De Meulder, "Introduction to the CoNLL-2003
/// Shared Task", 2003): a tag that only goes on begins an entity where none of its type stands. As there, the first
/// character is the prefix of any tag, and what follows, behind a dash if there is one, its type.
std::vector<Entity> entities_of(std::span<const std::string> tags);

/// How many entities there are, were found, and were found right: both span and type.
struct EntityCounts {
  std::int64_t actual = 0;
  std::int64_t predicted = 0;
  std::int64_t right = 0;

  EntityCounts& operator+=(const EntityCounts& other);
  double precision() const;  ///< right of predicted; 0 where there are none
  double recall() const;     ///< right of actual
  double f1() const;         ///< their harmonic mean; 0 where both are 0
};

/// Of one sentence. Throws where the two differ in length.
EntityCounts count_entities(std::span<const std::string> predicted, std::span<const std::string> actual);

}  // namespace tk
