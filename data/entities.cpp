#include "data/entities.h"

#include <algorithm>
#include <string_view>

#include "tensor/error.h"

namespace tk {
namespace {

struct Tag {
  char prefix = 'O';
  std::string_view type = {};

  bool is_outside() const { return prefix == 'O' || prefix == '.'; }
};

Tag parse_tag(std::string_view text) {
  TK_CHECK(!text.empty(), "entities: expected a tag, got an empty text");
  std::string_view type = text.substr(1);
  if (const std::size_t dash = type.find('-'); dash != std::string_view::npos) type.remove_prefix(dash + 1);
  return {text.front(), type.empty() ? "_" : type};
}

bool is_one_of(char prefix, std::string_view prefixes) { return prefixes.find(prefix) != std::string_view::npos; }

// Whether the entity of `before`, if there is one, ends there.
bool ends(const Tag& before, const Tag& tag) {
  return is_one_of(before.prefix, "ES") || (is_one_of(before.prefix, "BI") && is_one_of(tag.prefix, "BSO")) ||
         (!before.is_outside() && before.type != tag.type);
}

bool begins(const Tag& before, const Tag& tag) {
  return is_one_of(tag.prefix, "BS") || (is_one_of(before.prefix, "ESO") && is_one_of(tag.prefix, "EI")) ||
         (!tag.is_outside() && before.type != tag.type);
}

double ratio(std::int64_t part, std::int64_t all) {
  return all == 0 ? 0 : static_cast<double>(part) / static_cast<double>(all);
}

}  // namespace

std::vector<Entity> entities_of(std::span<const std::string> tags) {
  std::vector<Entity> entities;
  Tag before;
  std::int64_t begin = 0;
  const auto count = std::ssize(tags);
  for (std::int64_t i = 0; i <= count; ++i) {
    const Tag tag = i < count ? parse_tag(tags[static_cast<std::size_t>(i)]) : Tag{'O', "_"};
    if (ends(before, tag)) entities.push_back({std::string(before.type), begin, i});
    if (begins(before, tag)) begin = i;
    before = tag;
  }
  return entities;
}

EntityCounts& EntityCounts::operator+=(const EntityCounts& other) {
  actual += other.actual;
  predicted += other.predicted;
  right += other.right;
  return *this;
}

double EntityCounts::precision() const { return ratio(right, predicted); }

double EntityCounts::recall() const { return ratio(right, actual); }

double EntityCounts::f1() const {
  const double sum = precision() + recall();
  return sum == 0 ? 0 : 2 * precision() * recall() / sum;
}

EntityCounts count_entities(std::span<const std::string> predicted, std::span<const std::string> actual) {
  TK_CHECK(predicted.size() == actual.size(), "entities: expected as many tags as the ", actual.size(),
           " of the sentence, got ", predicted.size());
  const std::vector<Entity> found = entities_of(predicted);
  const std::vector<Entity> wanted = entities_of(actual);
  const auto right = std::ranges::count_if(
      found, [&](const Entity& entity) { return std::ranges::find(wanted, entity) != wanted.end(); });
  return {.actual = std::ssize(wanted), .predicted = std::ssize(found), .right = right};
}

}  // namespace tk
