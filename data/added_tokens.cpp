#include "data/added_tokens.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <utility>

#include "data/unicode.h"

namespace tk {
namespace {

// \w of the Rust crate regex.
bool is_word_character(UChar32 c) {
  return c >= 0 && (u_hasBinaryProperty(c, UCHAR_ALPHABETIC) || u_hasBinaryProperty(c, UCHAR_JOIN_CONTROL) ||
                    (U_GET_GC_MASK(c) & (U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK)) != 0);
}

UChar32 character_before(std::string_view text, std::size_t end) {
  if (end == 0) return -1;
  auto at = static_cast<std::int32_t>(end);
  UChar32 c;
  U8_PREV(text.data(), 0, at, c);
  return c;
}

UChar32 character_at(std::string_view text, std::size_t begin, std::size_t& behind) {
  if (begin == text.size()) return -1;
  auto at = static_cast<std::int32_t>(begin);
  UChar32 c;
  U8_NEXT(text.data(), at, static_cast<std::int32_t>(text.size()), c);
  behind = static_cast<std::size_t>(at);
  return c;
}

bool touches_word(std::string_view text, std::size_t begin, std::size_t end) {
  std::size_t behind = end;
  return is_word_character(character_before(text, begin)) || is_word_character(character_at(text, end, behind));
}

bool is_space(UChar32 c) { return c >= 0 && is_white_space(static_cast<char32_t>(c)); }

std::size_t before_spaces(std::string_view text, std::size_t begin, std::size_t least) {
  while (begin > least) {
    const UChar32 c = character_before(text, begin);
    if (!is_space(c)) break;
    begin -= static_cast<std::size_t>(U8_LENGTH(c));
  }
  return std::max(begin, least);
}

std::size_t behind_spaces(std::string_view text, std::size_t end) {
  for (std::size_t behind = end; is_space(character_at(text, end, behind)); end = behind) {
  }
  return end;
}

}  // namespace

void TokenFinder::add(std::string spelling, const AddedToken& token, std::int32_t id) {
  if (first_bytes_.find(spelling.front()) == std::string::npos) first_bytes_ += spelling.front();
  const auto shorter =
      std::ranges::find_if(entries_, [&](const Entry& entry) { return entry.spelling.size() < spelling.size(); });
  entries_.insert(shorter, {std::move(spelling), id, token.single_word, token.strip_left, token.strip_right});
}

std::optional<TokenFinder::Found> TokenFinder::next(std::string_view text, std::size_t from) const {
  for (std::size_t at = next_start(text, from); at != std::string_view::npos; at = next_start(text, at)) {
    const Entry* entry = longest_at(text, at);
    if (entry == nullptr) {
      ++at;
      continue;
    }
    const std::size_t end = at + entry->spelling.size();
    if (entry->single_word && touches_word(text, at, end)) {
      at = end;  // what lies within it is not looked at again
      continue;
    }
    return Found{entry->id, entry->strip_left ? before_spaces(text, at, from) : at,
                 entry->strip_right ? behind_spaces(text, end) : end};
  }
  return std::nullopt;
}

// All of BERT's own begin with the same byte, so that the usual text without one costs one search for it.
std::size_t TokenFinder::next_start(std::string_view text, std::size_t from) const {
  if (first_bytes_.size() == 1) return text.find(first_bytes_.front(), from);
  return text.find_first_of(first_bytes_, from);
}

const TokenFinder::Entry* TokenFinder::longest_at(std::string_view text, std::size_t at) const {
  const auto found =
      std::ranges::find_if(entries_, [&](const Entry& entry) { return text.substr(at).starts_with(entry.spelling); });
  return found == entries_.end() ? nullptr : &*found;
}

}  // namespace tk
