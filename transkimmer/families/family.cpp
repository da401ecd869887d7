#include "transkimmer/families/family.h"

#include "transkimmer/families/bert.h"

namespace tk {
namespace {

constexpr const Family* kFamilies[] = {&kBert};

bool is_of(std::string_view name, std::string_view module) {
  return name.starts_with(module) && name.substr(module.size()).starts_with('.');
}

}  // namespace

bool is_classifier(std::string_view name, const Family& family) { return is_of(name, family.weights.classifier); }

bool is_predictor(std::string_view name, const Family& family) { return name.starts_with(family.weights.predictors); }

bool is_embedding(std::string_view name, const Family& family) {
  const WeightNames& names = family.weights;
  return is_of(name, names.word_embeddings) || is_of(name, names.position_embeddings) ||
         is_of(name, names.token_type_embeddings) || is_of(name, names.embeddings_norm);
}

bool is_int8_weight(std::string_view name, const Family& family) {
  const WeightNames& names = family.weights;
  if (!name.ends_with(".weight")) return false;
  if (is_of(name, names.word_embeddings)) return true;
  if (is_predictor(name, family)) return name.ends_with(".predictor.1.weight");
  const auto is_norm = [&](const char* norm) { return name.ends_with(std::string(norm) + ".weight"); };
  return name.starts_with(names.layers) && !is_norm(names.parts.attention.norm) &&
         !is_norm(names.parts.feed_forward.norm);
}

std::span<const Family* const> families() { return kFamilies; }

const Family* find_family(std::string_view model_type) {
  for (const Family* family : kFamilies) {
    if (model_type == family->model_type) return family;
  }
  return nullptr;
}

}  // namespace tk
