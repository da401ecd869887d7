#include "data/corrupt.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "data/sequences.h"
#include "tensor/error.h"
#include "tensor/random.h"

namespace tk {
namespace {

constexpr std::int64_t kMostChanges = 2;
constexpr std::int64_t kReach = 3;  // places between tokens that are swapped

enum class Change { kDelete, kDouble, kSwap, kReplace };

// The tokens [begin, end) of one text.
struct Range {
  std::int64_t begin, end;
  std::int64_t size() const { return end - begin; }
};

// The texts that have tokens: A lies between [CLS] and the last token of type 0, B between that and the last of all.
std::vector<Range> texts_of(const TokenizedExample& example) {
  const auto n = std::ssize(example.ids);
  const auto& types = example.token_types;
  const std::int64_t first = std::ranges::find(types, 1) - types.begin();
  TK_CHECK(std::ssize(types) == n && first >= 2 && std::ranges::is_sorted(types), "corrupted: example ", example.id,
           " is no [CLS] A [SEP] and no [CLS] A [SEP] B [SEP]");
  std::vector<Range> texts = {{1, first - 1}};
  if (first < n) texts.push_back({first, n - 1});
  std::erase_if(texts, [](const Range& text) { return text.size() == 0; });
  return texts;
}

class Corruption {
 public:
  Corruption(TokenizedExample& example, Range text, const Neighbours& neighbours, std::int64_t max_length,
             Generator& random)
      : example_(example), text_(text), neighbours_(neighbours), max_length_(max_length), random_(random) {}

  // One change, drawn from those that are possible; none where none is.
  void change() {
    const std::vector<std::int64_t> replaceable = replaceable_places();
    std::vector<Change> possible;
    if (text_.size() > 1) possible = {Change::kDelete, Change::kSwap};
    if (std::ssize(example_.ids) < max_length_) possible.push_back(Change::kDouble);
    if (!replaceable.empty()) possible.push_back(Change::kReplace);
    if (possible.empty()) return;
    switch (one_of(possible)) {
      case Change::kDelete:
        return delete_at(any_place());
      case Change::kDouble:
        return double_at(any_place());
      case Change::kSwap:
        return swap_from(any_place());
      case Change::kReplace:
        return replace_at(one_of(replaceable));
    }
  }

 private:
  std::int64_t below(std::int64_t n) { return random_.below(static_cast<std::uint32_t>(n)); }
  template <class List>
  typename List::value_type one_of(const List& list) {
    return list[static_cast<std::size_t>(below(std::ssize(list)))];
  }
  std::int64_t any_place() { return text_.begin + below(text_.size()); }

  std::vector<std::int64_t> replaceable_places() const {
    std::vector<std::int64_t> places;
    for (std::int64_t i = text_.begin; i < text_.end; ++i) {
      if (!neighbours_.of(example_.ids[i]).empty()) places.push_back(i);
    }
    return places;
  }

  void delete_at(std::int64_t place) {
    example_.ids.erase(example_.ids.begin() + place);
    example_.token_types.erase(example_.token_types.begin() + place);
    --text_.end;
  }

  void double_at(std::int64_t place) {
    const std::int32_t id = example_.ids[place], type = example_.token_types[place];
    example_.ids.insert(example_.ids.begin() + place, id);
    example_.token_types.insert(example_.token_types.begin() + place, type);
    ++text_.end;
  }

  void swap_from(std::int64_t place) {
    const std::int64_t low = std::max(text_.begin, place - kReach), high = std::min(text_.end - 1, place + kReach);
    std::int64_t other = low + below(high - low);
    if (other >= place) ++other;
    std::swap(example_.ids[place], example_.ids[other]);
  }

  void replace_at(std::int64_t place) { example_.ids[place] = one_of(neighbours_.of(example_.ids[place])); }

  TokenizedExample& example_;
  Range text_;
  const Neighbours& neighbours_;
  std::int64_t max_length_;
  Generator& random_;
};

}  // namespace

TokenizedExample corrupted(const TokenizedExample& example, const Neighbours& neighbours, std::int64_t max_length,
                           std::uint64_t seed) {
  TokenizedExample result = example;
  result.label = -1;
  result.token_labels.clear();
  const std::vector<Range> texts = texts_of(example);
  if (texts.empty()) return result;
  Generator random(seed, Purpose::kData, kCorruptionSequence + static_cast<std::uint32_t>(example.id));
  Corruption corruption(result, texts[random.below(static_cast<std::uint32_t>(texts.size()))], neighbours, max_length,
                        random);
  for (std::int64_t changes = 1 + random.below(kMostChanges); changes > 0; --changes) corruption.change();
  return result;
}

}  // namespace tk
