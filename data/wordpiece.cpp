#include "data/wordpiece.h"

#include <algorithm>
#include <array>
#include <bit>

#include "data/normalizer.h"

namespace tk {
namespace {

constexpr std::string_view kContinuation = "##";
constexpr std::size_t kMaxTokenBytes = 4 * WordScanner::kMaxWordLength;

// FNV-1a, whose value for a text is one step from that for the text without its last byte: the hashes of all prefixes
// cost one pass. The two kinds of token start differently.
constexpr std::uint32_t initial_hash(bool continues) { return continues ? 0x9747B28C : 0x811C9DC5; }
constexpr std::uint32_t add_byte(std::uint32_t hash, char byte) {
  return (hash ^ static_cast<unsigned char>(byte)) * 0x01000193;
}

std::uint32_t hash_of(std::string_view text, bool continues) {
  std::uint32_t hash = initial_hash(continues);
  for (const char byte : text) hash = add_byte(hash, byte);
  return hash;
}

// FNV's low bits are its weakest; the slot is taken from all of them.
std::size_t first_slot(std::uint32_t hash, std::size_t slots) { return (hash ^ (hash >> 15)) & (slots - 1); }

bool is_inside_code_point(std::string_view text, std::size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
}

}  // namespace

WordPiece::WordPiece(const Vocabulary& vocabulary) : slots_(std::bit_ceil(2 * vocabulary.tokens().size() + 1)) {
  for (std::int32_t id = 0; id < vocabulary.size(); ++id) {
    std::string_view text = vocabulary.token(id);
    if (vocabulary.find(text) != id) continue;  // listed again later
    const bool continues = text.starts_with(kContinuation);
    if (continues) text.remove_prefix(kContinuation.size());
    if (!text.empty() && text.size() <= kMaxTokenBytes) insert(text, continues, id);
  }
}

void WordPiece::insert(std::string_view text, bool continues, std::int32_t id) {
  const std::uint32_t hash = hash_of(text, continues);
  std::size_t at = first_slot(hash, slots_.size());
  while (slots_[at].id >= 0) at = (at + 1) & (slots_.size() - 1);
  slots_[at] = {hash, id, static_cast<std::uint32_t>(texts_.size()), static_cast<std::uint16_t>(text.size()),
                continues};
  texts_ += text;
  longest_ = std::max(longest_, text.size());
}

const WordPiece::Slot* WordPiece::find(std::uint32_t hash, std::string_view text, bool continues) const {
  for (std::size_t at = first_slot(hash, slots_.size()); slots_[at].id >= 0; at = (at + 1) & (slots_.size() - 1)) {
    const Slot& slot = slots_[at];
    if (slot.hash == hash && slot.continues == continues &&
        std::string_view(texts_).substr(slot.begin, slot.size) == text) {
      return &slot;
    }
  }
  return nullptr;
}

const WordPiece::Slot* WordPiece::longest_prefix(std::string_view text, bool continues) const {
  const std::size_t limit = std::min(text.size(), longest_);
  std::array<std::uint32_t, kMaxTokenBytes> hashes;  // of the prefixes of 1, 2 ... bytes
  std::uint32_t hash = initial_hash(continues);
  for (std::size_t i = 0; i < limit; ++i) hashes[i] = hash = add_byte(hash, text[i]);
  for (std::size_t size = limit; size > 0; --size) {
    if (is_inside_code_point(text, size)) continue;
    if (const Slot* slot = find(hashes[size - 1], text.substr(0, size), continues)) return slot;
  }
  return nullptr;
}

bool WordPiece::split(std::string_view word, std::vector<Piece>& pieces) const {
  const std::size_t before = pieces.size();
  for (std::int32_t begin = 0; begin < static_cast<std::int32_t>(word.size());) {
    const Slot* slot = longest_prefix(word.substr(static_cast<std::size_t>(begin)), begin > 0);
    if (!slot) {
      pieces.resize(before);
      return false;
    }
    pieces.push_back({slot->id, begin, begin + slot->size});
    begin += slot->size;
  }
  return true;
}

}  // namespace tk
